# What the scripts beside this one share: processes that are started, remembered in DIR/run, and ended again, and no others.
# shellcheck shell=bash
#
# DIR/run/NAME remembers a process (tools/processes.sh), DIR/log/NAME has its words. DIR/port is the port.

# shellcheck source=tools/processes.sh
. "$(dirname "${BASH_SOURCE[0]}")/../processes.sh"

die() {
  echo "${0##*/}: $*" >&2
  exit 1
}

# Status 77 tells a test that it can't be run here.
missing() {
  echo "${0##*/}: not installed: $*; \`tools/setup servers\` installs it" >&2
  exit 77
}

need_number() {
  [[ $2 =~ ^[0-9]+$ ]] && [ "$2" -le 65535 ] || die "$1 is no port: $2"
}

# A port of the loopback that nobody listens on now: the next of those in DIR/ports, which whoever starts several servers at once writes there, each
# number once; without them one that the kernel gives, which it may give to another as well.
free_port() {
  local port
  if read -r port 2>/dev/null <"$dir/ports"; then
    sed -i 1d "$dir/ports"
    echo "$port"
    return
  fi
  python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}

# PORT, or a free one for 0. Fails where somebody listens there already.
take_port() {
  need_number PORT "$1"
  if [ "$1" = 0 ]; then
    free_port
  elif is_open "$1"; then
    die "somebody listens on port $1 already"
  else
    echo "$1"
  fi
}

# launch NAME COMMAND...: with its words in DIR/log/NAME.
launch() {
  mkdir -p "$dir/run" "$dir/log"
  launch_in "$dir/run/$1" "$dir/log/$1" "${@:2}"
}

remember() {
  remember_in "$dir/run/$1" "$2"
}

id_of() {
  id_in "$dir/run/$1"
}

# end NAME SIGNAL SECONDS
end() {
  end_in "$dir/run/$1" "$2" "$3"
}

# await NAME SECONDS COMMAND...: until the command succeeds; fails with the process's last words where it ends first.
await() {
  local name=$1 tries=$(($2 * 10))
  shift 2
  until "$@" >/dev/null 2>&1; do
    if ! id_of "$name" >/dev/null || [ $((tries--)) -le 0 ]; then
      tail -n 15 "$dir/log/$name" >&2
      stop
      die "$name did not start"
    fi
    sleep 0.1
  done
}

# For what root may not run: puts into the array `as` what makes a command another user's; nothing where this is not root.
# shellcheck disable=SC2034 # the caller uses it
choose_user() {
  as=()
  if [ "$(id -u)" = 0 ]; then as=(setpriv --reuid="$1" --regid="$1" --clear-groups); fi
}

# take_certificate PREFIX: copies of PREFIX.pem, PREFIX.key and the authority's ca.pem beside them, in DIR/tls: a server may be run by a user
# who can't read the others. Without PREFIX there is none, and what an earlier start has left goes.
take_certificate() {
  rm -rf "${dir:?}/tls"
  [ -n "$1" ] || return 0
  [ -r "$1.pem" ] && [ -r "$1.key" ] && [ -r "${1%/*}/ca.pem" ] || die "--tls wants $1.pem, $1.key and ${1%/*}/ca.pem"
  mkdir -p "$dir/tls"
  install -m 600 "$1.key" "$dir/tls/server.key"
  install -m 644 "$1.pem" "$dir/tls/server.pem"
  install -m 644 "${1%/*}/ca.pem" "$dir/tls/ca.pem"
}

# dispatch ARGUMENTS...: start, run and stop are functions of the script that calls this; others are tried as its own.
dispatch() {
  local verb=${1:-} usage="usage: ${0##*/} start|run DIR PORT [OPTION...], or stop DIR"
  [ $# -ge 2 ] || die "$usage"
  mkdir -p "$2"
  dir=$(cd "$2" && pwd)
  shift 2
  case $verb in
    start) [ $# -ge 1 ] || die "$usage"; start "$@"; echo "port $(cat "$dir/port")" ;;
    run)
      [ $# -ge 1 ] || die "$usage"
      trap 'stop; exit 0' TERM INT HUP
      start "$@"
      echo "port $(cat "$dir/port")"
      exec 3<&0
      cat <&3 >/dev/null & # in the background, so that a signal is heard at once
      wait $! || true
      stop
      ;;
    stop) stop "$@" ;;
    *) declare -F "verb_$verb" >/dev/null || die "$usage"; "verb_$verb" "$@" ;;
  esac
}
