# fish completion for reo; `reo --install-completion fish` puts it in its place.

function _reo_completion
    set -l line (commandline -cp | string collect)
    set -l program (commandline -opc)[1]
    set -l option (string match --regex -- '^--[^=]*=' (commandline -ct))
    set -q option[1]; or set option ''
    set -l found (env _REO_COMPLETE=complete_fish _TYPER_COMPLETE_ARGS="$line" $program 2>/dev/null \
        | string match --invert '')
    if test (count $found) -gt 0
        printf '%s\n' $option$found
    else
        __fish_complete_path (commandline -ct)
    end
end

complete --command reo --no-files --arguments '(_reo_completion)'
complete --command reo-cli --no-files --arguments '(_reo_completion)'
