# bash completion for reo; `reo --install-completion bash` puts it in its place.

_reo_completion() {
    local line
    COMPREPLY=()
    while IFS= read -r line; do
        COMPREPLY+=("$line")
    done < <(
        IFS=$'\n'
        COMP_WORDS="${COMP_WORDS[*]}" COMP_CWORD=$COMP_CWORD _REO_COMPLETE=complete_bash \
            "${1/#\~/$HOME}" 2>/dev/null
    )
    # a value follows `FIELD=` without a space
    [[ ${COMPREPLY[0]-} == *= ]] && compopt -o nospace 2>/dev/null
    return 0
}

complete -o default -F _reo_completion reo reo-cli
