# What the scripts of demo/ share: where things are, their ports, and processes that are started, remembered and ended again.
# shellcheck shell=bash disable=SC2034 # the scripts that read this use what it sets
#
# A process NAME is remembered in $PIDS/NAME.pid (tools/processes.sh). The servers (PostgreSQL, RabbitMQ, Swift) are started and stopped by
# tools/servers, which remembers them in the same way under DIR/run.

demo_name=${0##*/}
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
build=${DEMO_BUILD:-$root/build}
servers=$root/tools/servers
base=${DEMO_PORT:-7100}

die() {
  echo "demo/$demo_name: $*" >&2
  exit 1
}

say() {
  echo "demo: $*"
}

# What a script is for: the comment at its head.
usage() {
  sed -n '2,/^set/{/^set/d;s/^# \?//;p}' "$0"
}

# The fault that is meant: PLACE:WAY, or a place's first; nothing where faults.tsv has none.
find_fault() {
  [[ ! $1 =~ ^[0-9a-z_:]+$ ]] || grep -v '^#' "$root/demo/faults.tsv" | cut -f1 | grep -m1 -E "^$1(\$|:)" || true
}

# What is done in a fault, without what a verdict should say of it.
what_is_done() {
  grep "^$1"$'\t' "$root/demo/faults.tsv" | cut -f8 | sed 's/ Say: .*//'
}

# no_options WORD...: for a script that has none
no_options() {
  case ${1:-} in
    '') ;;
    -h | --help) usage; exit 0 ;;
    *) die "no such option: $1; --help says what there is" ;;
  esac
}

[[ $base =~ ^[0-9]+$ ]] && [ "$base" -ge 1024 ] && [ "$base" -le 65500 ] || die "DEMO_PORT is no port to begin with: $base"

# Where the data lies. PostgreSQL does not run as root, and the user that runs it then must reach it.
choose_data() {
  data=${DEMO_DATA:-$root/demo-data}
  [ -z "${DEMO_DATA:-}" ] && [ "$(id -u)" = 0 ] && id postgres >/dev/null 2>&1 || return 0
  setpriv --reuid=postgres --regid=postgres --clear-groups test -x "$root" 2>/dev/null || data=/var/tmp/filigree-demo
}
choose_data
mkdir -p "$data" || die "can't make the folder $data; DEMO_DATA names another"
data=$(cd "$data" && pwd)
PIDS=$data/pids
FAULTS=$data/faults
LOGS=$data/log

# The address of one of Filigree's faces: an address, or a port of the loopback.
face() {
  case $1 in *:*) echo "$1" ;; *) echo "127.0.0.1:$1" ;; esac
}
filigree_api=$(face "${FILIGREE_API:-7070}")
filigree_http=$(face "${FILIGREE_OTLP_HTTP:-4318}")
filigree_grpc=$(face "${FILIGREE_OTLP_GRPC:-4317}")

# With TLS on every hop (demo/up --tls), what the scripts speak with believes the demo's own authority and nobody else. The broker has a name
# then, since librabbitmq knows no other kind in a certificate.
use_tls() {
  tls=$1 scheme=http broker_scheme=amqp broker_host=127.0.0.1 certs=$data/certs
  if [ "$tls" = no ]; then
    [ "${PGSSLROOTCERT:-}" != "$certs/ca.pem" ] || unset CURL_CA_BUNDLE FILIGREE_CA PGSSLMODE PGSSLROOTCERT
    return 0
  fi
  scheme=https broker_scheme=amqps broker_host=localhost
  export CURL_CA_BUNDLE=$certs/ca.pem FILIGREE_CA=$certs/ca.pem PGSSLMODE=verify-full PGSSLROOTCERT=$certs/ca.pem
}
use_tls no
if grep -qsx TLS=yes "$data/env"; then use_tls yes; fi

declare -A port=([shop-api]=$((base + 1)) [crm-api]=$((base + 2)) [mes-api]=$((base + 3)) [packing]=$((base + 4))
  [shop-db]=$((base + 11)) [shop-db-replica]=$((base + 12)) [mes-db]=$((base + 13)) [mes-db-replica]=$((base + 14))
  [rabbit]=$((base + 21)) [rabbit-management]=$((base + 22)) [swift]=$((base + 31)))

# -- Processes

# shellcheck source=tools/processes.sh
. "$root/tools/processes.sh"

remember() {
  remember_in "$PIDS/$1.pid" "$2"
}

# launch NAME LOG COMMAND...
launch() {
  launch_in "$PIDS/$1.pid" "${@:2}"
}

id_of() {
  id_in "$PIDS/$1.pid"
}

# end NAME [SIGNAL [SECONDS]]: SIGKILL after that time.
end() {
  end_in "$PIDS/$1.pid" "${2:-TERM}" "${3:-10}"
}

# A server of tools/servers runs where one of its processes does.
server_runs() {
  local file
  for file in "$data/$1/run"/*; do
    if id_in "$file" >/dev/null; then return 0; fi
  done
  return 1
}

runs() {
  case $1 in
    *-db | *-db-replica | rabbit | swift) server_runs "$1" ;;
    crm-api | mes-api | shop-api | packing) id_of "$1.supervisor" >/dev/null || id_of "$1" >/dev/null ;;
    *) id_of "$1" >/dev/null ;;
  esac
}

# In the order in which they start; they end the other way round.
all_parts=(filigree shop-db mes-db shop-db-replica mes-db-replica rabbit swift packing crm-api shop-api mes-api)

# await SECONDS COMMAND...
await() {
  local tries=$(($1 * 20))
  shift
  until "$@" >/dev/null 2>&1; do
    [ $((tries--)) -gt 0 ] || return 1
    sleep 0.05
  done
}

# -- Databases, the broker, the object store

find_psql() {
  psql=$(command -v psql || find /usr/lib/postgresql -path '*/bin/psql' 2>/dev/null | sort -V | tail -1)
  [ -x "$psql" ] || die "psql is missing; tools/setup servers installs it"
}

# sql shop-db|mes-db|... SQL: as the superuser; prints bare rows. The database is the company's.
sql() {
  find_psql
  PGPASSWORD=postgres PGCONNECT_TIMEOUT=5 "$psql" -h 127.0.0.1 -p "${port[$1]}" -U postgres -d "${1%%-*}" -X -q -A -t -v ON_ERROR_STOP=1 -c "$2"
}

# rabbit METHOD PATH [JSON]: the management's API.
rabbit() {
  curl -sS --fail-with-body --noproxy '*' -u guest:guest -X "$1" -H 'Content-Type: application/json' ${3:+-d "$3"} \
    "$scheme://127.0.0.1:${port[rabbit-management]}/api$2"
}

s3() {
  local method=$1 path=$2
  shift 2
  curl -sS --fail-with-body --noproxy '*' --aws-sigv4 aws:amz:us-east-1:s3 -X "$method" \
    -H 'x-amz-content-sha256: UNSIGNED-PAYLOAD' "$@" \
    "$scheme://test%3Atester:testing@127.0.0.1:${port[swift]}$path"
}
