# bash completion for filigree. The program makes it from its own tables, so that it is never out of date.
# shellcheck disable=SC1090
source <(filigree completion bash 2>/dev/null)
