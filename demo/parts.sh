# How each part of the company starts: up_NAME, for demo/up and demo/heal. Reads lib.sh first; `stage` is set.
# shellcheck shell=bash disable=SC2154 # lib.sh sets them

# Rows of earlier years in the two databases' large tables: without their index a query works for some 25 s, which is long enough also on
# a machine that is three times as fast; with it, for 5 ms.
history=${DEMO_HISTORY:-450000}

# certify PART...: a certificate of its own for each part that is a server; all by one authority, whose key then goes: nobody
# can make one more.
certify() {
  local part
  rm -rf "$certs"
  mkdir -m 711 "$certs"
  for part in "$@"; do
    "$build/filigree" certs --dir "$certs" >/dev/null || die "no certificate could be made for $part"
    mv "$certs/server.pem" "$certs/$part.pem"
    mv "$certs/server.key" "$certs/$part.key"
  done
  rm "$certs/ca.key"
}

# The digest of a part's public key, by which a browser can be told to believe it.
key_digest() {
  openssl x509 -in "$certs/$1.pem" -noout -pubkey | openssl pkey -pubin -outform der | openssl dgst -sha256 -binary | base64
}

# with_tls COMMAND PART...: a start of tools/servers, with the part's certificate where that is wanted
with_tls() {
  local part=$3
  part=${part##*/}
  if [ "$tls" = yes ]; then set -- "$@" --tls "$certs/$part"; fi
  "$@"
}

filigree_answers_or_is_gone() {
  curl -sf --noproxy '*' "$scheme://$filigree_api/readyz" || ! id_of filigree
}

up_filigree() {
  local options=(--flows "$root/demo/flow.yaml") words=() name
  [ -z "${is_watched-1}" ] || options+=(--monitors "$data/monitors.yaml")
  if [ "$tls" = yes ]; then
    options+=(--tls-cert "$certs/filigree.pem" --tls-key "$certs/filigree.key")
    words+=(-e "s#http://127.0.0.1:@rabbit#https://$broker_host:@rabbit#" -e 's#http://127#https://127#' -e "/^    url: /a\\    ca-file: $certs/ca.pem"
      -e "/^    host: /a\\    tls: verify-full\\n    ca-file: $certs/ca.pem")
  fi
  for name in "${!port[@]}"; do words+=(-e "s/@$name@/${port[$name]}/g"); done
  sed "${words[@]}" "$root/demo/monitors.yaml" >"$data/monitors.yaml"
  # Passwords never stand in a file of monitors.
  export DEMO_MONITOR_PASSWORD=monitor DEMO_RABBIT_PASSWORD=guest DEMO_S3_SECRET_KEY=testing
  launch filigree "$LOGS/filigree" "$build/filigree" serve --data "$data/filigree" --api "$filigree_api" --otlp-http "$filigree_http" \
    --otlp-grpc "$filigree_grpc" --recorders "$data/recorder" \
    --cors-origins "$scheme://127.0.0.1:${port[shop-api]},$scheme://127.0.0.1:${port[mes-api]}" "${options[@]}"
  await 60 filigree_answers_or_is_gone || true
  curl -sf --noproxy '*' "$scheme://$filigree_api/readyz" >/dev/null || { tail -5 "$LOGS/filigree"; return 1; }
}

start_primary() {
  with_tls "$servers/postgres" start "$data/$1" "${port[$1]}" --set max_connections=28 --set cluster_name="$1" --set log_lock_waits=on
}

# A primary: made, filled, and only then what is to be waited for.
up_primary() {
  local name=$1 database=${1%%-*} is_new=
  [ -e "$data/$name/data/PG_VERSION" ] || is_new=1
  start_primary "$name"
  [ -n "$is_new" ] || return 0
  find_psql
  PGPASSWORD=postgres "$psql" -h 127.0.0.1 -p "${port[$name]}" -U postgres -X -q -c "CREATE DATABASE $database"
  PGPASSWORD=postgres "$psql" -h 127.0.0.1 -p "${port[$name]}" -U postgres -d "$database" -X -q -v ON_ERROR_STOP=1 -1 -v history="$history" \
    -f "$root/demo/schema/$database.sql"
}

# A replica that has room for fewer connections than its primary ever had stops replaying.
start_replica() {
  with_tls "$servers/postgres" start "$data/$1" "${port[$1]}" --replica-of "$data/${1%-replica}" --set max_connections=100 --set cluster_name="${1//-/_}" \
    --set hot_standby_feedback=on
}

up_replica() {
  start_replica "$1" || return 1
  # MES DB's commits wait until the replica has them; SHOP DB's don't.
  [ "$1" = mes-db-replica ] || return 0
  sql mes-db "ALTER SYSTEM SET synchronous_standby_names = 'mes_db_replica'"
  sql mes-db "ALTER SYSTEM SET synchronous_commit = 'remote_apply'"
  sql mes-db "SELECT pg_reload_conf()" >/dev/null
}

up_rabbit() {
  with_tls "$servers/rabbitmq" start "$data/rabbit" "${port[rabbit]}" --management "${port[rabbit-management]}"
  await 30 rabbit GET /overview
  "$root/demo/topology"
}

make_bucket() {
  s3 GET "/$1" >/dev/null 2>&1 || s3 PUT "/$1"
}

up_swift() {
  with_tls "$servers/swift" start "$data/swift" "${port[swift]}" --tape 20 --set proxy.node_timeout=60
  "$servers/swift" bucket "$data/swift" models-archive 'X-Storage-Policy: tape'
  await 10 make_bucket models || make_bucket models
}

# answers_or_fails NAME SIZE: it serves, or has ended again and again since its log had that size.
answers_or_fails() {
  curl -sf --noproxy '*' "$scheme://127.0.0.1:${port[$1]}/healthz" || [ "$(tail -c "+$(($2 + 1))" "$LOGS/$1" | grep -c "supervise: $1 ended")" -ge 4 ]
}

# service NAME STAGE COMMAND...: with a supervisor, and tracing where the stage has come to it.
service() {
  local name=$1 traced_from=$2
  shift 2
  local disabled=true log_size
  log_size=$(stat -c %s "$LOGS/$name" 2>/dev/null) || log_size=0
  [ "$stage" -lt "$traced_from" ] || disabled=false
  (
    trap - INT TERM HUP
    set -a
    # shellcheck disable=SC1091
    . "$data/env"
    set +a
    export PORT="${port[$name]}" OTEL_SERVICE_NAME="$name" OTEL_SDK_DISABLED="$disabled" OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf
    export OTEL_BSP_SCHEDULE_DELAY=500 FILIGREE_ANNOUNCE_AFTER=2000 FILIGREE_HEARTBEAT=5000 FILIGREE_RECORDER_DIR="$data/recorder"
    export PAGES="$root/demo/pages/dist" PGAPPNAME="$name" no_proxy='*'
    if [ "$tls" = yes ]; then
      export TLS_CERT="$certs/$name.pem" TLS_KEY="$certs/$name.key" OTEL_EXPORTER_OTLP_CERTIFICATE="$certs/ca.pem" NODE_EXTRA_CA_CERTS="$certs/ca.pem"
    fi
    # shellcheck disable=SC2153
    [ "$stage" -lt 4 ] || export PAGES_OTLP_ENDPOINT="$OTEL_EXPORTER_OTLP_ENDPOINT"
    launch "$name.supervisor" "$LOGS/$name" "$root/demo/supervise" "$name" "$@"
  )
  await 90 answers_or_fails "$name" "$log_size" || true
  curl -sf --noproxy '*' "$scheme://127.0.0.1:${port[$name]}/healthz" >/dev/null || { tail -5 "$LOGS/$name"; return 1; }
}

up_packing() { service packing 9 "$build/demo/demo-packing"; }
up_shop_api() { service shop-api 2 "$build/demo/demo-shop-api"; }
up_mes_api() { service mes-api 3 "$build/demo/demo-mes-api"; }
up_crm_api() {
  cd "$root/demo/crm-api" || return 1
  # Node.js 18 takes a name's first address alone.
  service crm-api 3 node --dns-result-order=ipv4first --require ./tracing.js index.js
}
