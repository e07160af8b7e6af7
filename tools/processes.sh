# Processes that a script starts, remembers, each in a file of its own, and ends again: those and no others. Read by demo/lib.sh and
# tools/servers/common.sh, which say where the files are.
# shellcheck shell=bash
#
# A FILE holds a process's id and the time of its start (field 22 of /proc/ID/stat), so that an id that the system has given to another process
# since is never signalled.

# Sets start_time. By the shell alone: Ctrl-C reaches whatever it would fork for it.
find_start_time() {
  local stat
  { read -r stat <"/proc/$1/stat"; } 2>/dev/null || return 1
  stat=${stat##*) } # the name in parentheses may hold blanks
  # shellcheck disable=SC2086
  set -- $stat
  start_time=${20}
  [ "$1" != Z ]
}

# runs_since ID TIME: whether it is still the one that began then.
runs_since() {
  [ -n "${2:-}" ] && find_start_time "$1" && [ "$start_time" = "$2" ]
}

# remember_in FILE ID
remember_in() {
  find_start_time "$2" || return 0
  echo "$2 $start_time" >"$1"
}

# The id of a process that runs.
id_in() {
  local id begun
  { read -r id begun <"$1"; } 2>/dev/null || return 1
  runs_since "$id" "$begun" && echo "$id"
}

# launch_in FILE LOG COMMAND...: in a session of its own, and remembered. A signal meanwhile is kept until then: Ctrl-C reaches the script and not
# what it has launched, and what nobody remembers nobody stops.
launch_in() {
  local file=$1 log=$2 traps is_told=
  shift 2
  traps=$(trap -p INT TERM HUP)
  trap 'is_told=1' INT TERM HUP
  setsid "$@" </dev/null >>"$log" 2>&1 &
  remember_in "$file" $!
  trap - INT TERM HUP
  eval "$traps"
  [ -z "$is_told" ] || kill -TERM "$BASHPID"
}

# ignores ID SIGNAL
ignores() {
  local name mask number
  number=$(kill -l "$2")
  while read -r name mask; do
    if [ "$name" = SigIgn: ]; then
      [ $((16#$mask >> (number - 1) & 1)) = 1 ]
      return
    fi
  done 2>/dev/null <"/proc/$1/status"
  return 1
}

# end_in FILE SIGNAL SECONDS: SIGKILL after that time. What a shell has just started in the background does not hear INT and QUIT before it asks for them.
end_in() {
  local id tries=$(($3 * 20)) patience=40
  if id=$(id_in "$1"); then
    while ignores "$id" "$2" && [ $((patience--)) -gt 0 ]; do sleep 0.05; done
    kill -"$2" "$id" 2>/dev/null || true
    kill -CONT "$id" 2>/dev/null || true # one that was stopped hears no other signal
    while id_in "$1" >/dev/null && [ $((tries--)) -gt 0 ]; do sleep 0.05; done
    if id_in "$1" >/dev/null; then kill -KILL "$id" 2>/dev/null || true; fi
    while id_in "$1" >/dev/null; do sleep 0.05; done
  fi
  rm -f "$1"
}

# Whether somebody listens on a port of the loopback.
is_open() {
  (: <"/dev/tcp/127.0.0.1/$1") 2>/dev/null
}
