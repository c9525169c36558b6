# bash completion for reo; `reo --install-completion bash` puts it in its place.

_reo_completion() {
    local line before=${COMP_LINE:0:COMP_POINT}
    COMPREPLY=()
    while IFS= read -r line; do
        [[ -n $line ]] && COMPREPLY+=("${line%%$'\t'*}")
    done < <(
        _REO_COMPLETE=complete_fish _TYPER_COMPLETE_ARGS="reo${before#*"$1"}" \
            "${1/#\~/$HOME}" 2>/dev/null
    )
    # a value follows `FIELD=` without a space
    [[ ${COMPREPLY[0]-} == *= ]] && compopt -o nospace 2>/dev/null
    return 0
}

complete -o default -F _reo_completion reo reo-cli
