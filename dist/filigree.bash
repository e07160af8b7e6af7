# bash completion for filigree. What can be completed is asked of the program itself, so that it is never out of date.
# shellcheck disable=SC2207

_filigree_commands() {
  filigree --help 2>/dev/null | awk '/^Commands/ {on = 1; next} /^$/ {on = 0} on {print $1}'
}

_filigree_options() {
  filigree "$1" --help 2>/dev/null | grep -oE -- '--[a-z][a-z0-9-]*' | sort -u
}

_filigree() {
  local word=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]}
  COMPREPLY=()
  if [ "$COMP_CWORD" = 1 ]; then
    COMPREPLY=($(compgen -W "$(_filigree_commands) help version" -- "$word"))
    return
  fi
  case $previous in
  --data | --config | -c | --output | --log)
    COMPREPLY=($(compgen -o default -f -- "$word"))
    return
    ;;
  help)
    COMPREPLY=($(compgen -W "$(_filigree_commands)" -- "$word"))
    return
    ;;
  --log-level)
    COMPREPLY=($(compgen -W 'debug info warn error' -- "$word"))
    return
    ;;
  --log-format)
    COMPREPLY=($(compgen -W 'text json' -- "$word"))
    return
    ;;
  esac
  if [[ $word == -* ]]; then
    COMPREPLY=($(compgen -W "$(_filigree_options "${COMP_WORDS[1]}")" -- "$word"))
  else
    COMPREPLY=($(compgen -f -- "$word"))
  fi
}

complete -o filenames -F _filigree filigree
