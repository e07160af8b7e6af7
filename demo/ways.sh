# How each fault of faults.tsv is done and undone: break_WHAT and heal_WHAT, in the real component. Reads lib.sh and parts.sh first.
# shellcheck shell=bash disable=SC2154 # lib.sh sets them

# -- Switches in the services' own code

switch_on() {
  mkdir -p "$FAULTS"
  grep -qsx "$2" "$FAULTS/$1" || echo "$2" >>"$FAULTS/$1"
}

switch_off() {
  [ -e "$FAULTS/$1" ] || return 0
  sed -i "/^$2\$/d" "$FAULTS/$1"
}

break_1_controller_error() { switch_on shop-api controller_error; }
heal_1_controller_error() { switch_off shop-api controller_error; }
break_1_skip_work() { switch_on shop-api skip_work; }
heal_1_skip_work() { switch_off shop-api skip_work; }
break_4_bad_message() { switch_on crm-api bad_message; }
heal_4_bad_message() { switch_off crm-api bad_message; }
break_4_bad_message_mes() { switch_on mes-api bad_message; }
heal_4_bad_message_mes() { switch_off mes-api bad_message; }
break_4_wrong_route() { switch_on crm-api wrong_route; }
heal_4_wrong_route() { switch_off crm-api wrong_route; }
break_4_wrong_route_mes() { switch_on mes-api wrong_route; }
heal_4_wrong_route_mes() { switch_off mes-api wrong_route; }
break_5_reject() { switch_on mes-api reject; }
heal_5_reject() { switch_off mes-api reject; }
break_5_slow() { switch_on mes-api slow_consumer; }
heal_5_slow() { switch_off mes-api slow_consumer; }
break_6_die() { switch_on mes-api die_in_price; }
heal_6_die() { switch_off mes-api die_in_price; }
break_6_hang() { switch_on mes-api hang_in_price; }
heal_6_hang() { switch_off mes-api hang_in_price; }
break_8_script_error() { switch_on pages script_error; }
heal_8_script_error() { switch_off pages script_error; }
break_8_stale_status() { switch_on pages stale_status; }
heal_8_stale_status() { switch_off pages stale_status; }

# -- Databases: each takes shop-db or mes-db

# Sessions of a reporting tool that do nothing, as many as the server will have. They try until they are in, and the services'
# own sessions are ended for them.
take_connections() {
  local count id
  find_psql
  count=$(sql "$1" "SELECT current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int")
  # shellcheck disable=SC2016 # the inner shell's own
  PGPASSWORD=report PGAPPNAME=reporting launch "reporting-$1" /dev/null bash -c 'trap "" HUP; for ((i = 0; i < $2; i++)); do
    (until "$0" -h 127.0.0.1 -p "$1" -U report -d "$3" -X -q -c "SELECT pg_sleep(864000)" >/dev/null 2>&1; do sleep 0.05; done) & done; wait' \
    "$psql" "${port[$1]}" "$count" "${1%%-*}"
  for ((id = 0; id < 150; id++)); do
    [ "$(sql "$1" "SELECT count(*) >= $count AND count(*) FILTER (WHERE usename IN ('shop', 'mes')) = 0 FROM pg_stat_activity
      WHERE backend_type = 'client backend' AND usename <> 'postgres'")" != t ] || return 0
    sql "$1" "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename IN ('shop', 'mes')" >/dev/null || true
    sleep 0.2
  done
  echo "the reporting tool did not get the connections of $1" >&2
  return 1
}

give_connections() {
  local id
  if id=$(id_of "reporting-$1"); then kill -KILL -- "-$id" 2>/dev/null || true; fi
  rm -f "$PIDS/reporting-$1.pid"
  # Those that are just being turned away hold the superuser's places, too, for a moment.
  await 20 sql "$1" "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'report'"
}

hold_lock() {
  find_psql
  PGPASSWORD=postgres PGAPPNAME=nightly-report launch "report-$1" /dev/null "$psql" -h 127.0.0.1 -p "${port[$1]}" -U postgres -d "${1%%-*}" -X -q \
    -c "BEGIN" -c "LOCK TABLE $2 IN SHARE ROW EXCLUSIVE MODE" -c "SELECT pg_sleep(864000)"
  await 20 lock_is_held "$1"
}

lock_is_held() {
  [ "$(sql "$1" "SELECT count(*) FROM pg_locks JOIN pg_stat_activity USING (pid)
    WHERE application_name = 'nightly-report' AND mode = 'ShareRowExclusiveLock' AND granted")" -gt 0 ]
}

give_lock() {
  end "report-$1"
  sql "$1" "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'nightly-report'" >/dev/null
}

lag() {
  sql "$1" "ALTER SYSTEM SET recovery_min_apply_delay = '$2'"
  sql "$1" "SELECT pg_reload_conf()" >/dev/null
}

catch_up() {
  sql "$1" "ALTER SYSTEM RESET recovery_min_apply_delay"
  sql "$1" "SELECT pg_reload_conf()" >/dev/null
}

break_2_connection_limit() { take_connections shop-db; }
heal_2_connection_limit() { give_connections shop-db; }
break_2_slow_query() { sql shop-db "DROP INDEX IF EXISTS purchases_by_customer"; }
heal_2_slow_query() { sql shop-db "CREATE INDEX IF NOT EXISTS purchases_by_customer ON purchases (customer, bought_at)"; }
break_2_lock_wait() { hold_lock shop-db orders; }
heal_2_lock_wait() { give_lock shop-db; }
break_2_replica_missing() { "$servers/postgres" stop "$data/shop-db-replica"; }
heal_2_replica_missing() { server_runs shop-db-replica || start_replica shop-db-replica; }
break_2_replica_lag() { lag shop-db-replica 10min; }
heal_2_replica_lag() { catch_up shop-db-replica; }
break_2_stopped() { "$servers/postgres" stop "$data/shop-db"; }
heal_2_stopped() { server_runs shop-db || start_primary shop-db; }

break_7_connection_limit() { take_connections mes-db; }
heal_7_connection_limit() { give_connections mes-db; }
break_7_slow_query() { sql mes-db "SET synchronous_commit = local; DROP INDEX IF EXISTS work_log_by_printer"; }
heal_7_slow_query() {
  sql mes-db "SET synchronous_commit = local; CREATE INDEX IF NOT EXISTS work_log_by_printer ON work_log (printer, done_at)"
  # What runs goes on without it: it is cancelled, and the MES API asks again.
  sql mes-db "SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE usename = 'mes' AND state = 'active' AND query LIKE '%FROM work_log %'" >/dev/null
}
break_7_lock_wait() { hold_lock mes-db jobs; }
heal_7_lock_wait() { give_lock mes-db; }
break_7_replica_missing() { "$servers/postgres" stop "$data/mes-db-replica"; }
heal_7_replica_missing() { server_runs mes-db-replica || start_replica mes-db-replica; }
break_7_replica_lag() { lag mes-db-replica 2min; }
heal_7_replica_lag() { catch_up mes-db-replica; }
break_7_stopped() { "$servers/postgres" stop "$data/mes-db"; }
heal_7_stopped() { server_runs mes-db || start_primary mes-db; }

# -- The object store

break_3_stopped() { "$servers/swift" proxy "$data/swift" stop; }
heal_3_stopped() { "$servers/swift" proxy "$data/swift" start; }
break_3_quota() { "$servers/swift" bucket "$data/swift" models 'X-Container-Meta-Quota-Bytes: 1'; }
heal_3_quota() { "$servers/swift" bucket "$data/swift" models 'X-Container-Meta-Quota-Bytes: '; }

# A service is ended and comes up again with, or without, another setting.
deploy() {
  local id
  mkdir -p "$data/deployed"
  if [ -n "$2" ]; then echo "$2" >"$data/deployed/$1"; else rm -f "$data/deployed/$1"; fi
  id=$(id_of "$1") || return 0
  kill -TERM "$id"
  await 20 is_another "$1" "$id"
  await 20 curl -sf --noproxy '*' "$scheme://127.0.0.1:${port[$1]}/healthz"
}

is_another() {
  local id
  id=$(id_of "$1") && [ "$id" != "$2" ]
}

break_3_slow() { deploy shop-api S3_BUCKET=models-archive; }
heal_3_slow() { deploy shop-api ""; }

# -- The broker and its consumer

break_4_missing_binding() { rabbit DELETE /bindings/%2F/e/orders/q/mes.orders/order.submitted; }
heal_4_missing_binding() { "$root/demo/topology"; }
break_5_gone() {
  end mes-api.supervisor TERM 15
  end mes-api
}
heal_5_gone() { runs mes-api || up_mes_api; }
break_9_stopped() { "$servers/rabbitmq" ctl "$data/rabbit" stop_app; }
heal_9_stopped() {
  "$servers/rabbitmq" ctl "$data/rabbit" start_app
  await 60 rabbit GET /overview
}

# One message waits, while the consumer works on another.
bound_queue() {
  switch_on mes-api slow_consumer
  rabbit PUT /policies/%2F/bounded '{"pattern": "^mes[.]orders$", "apply-to": "queues", "definition": {"max-length": 1, "overflow": "'"$1"'"}}'
}

unbound_queue() {
  switch_off mes-api slow_consumer
  rabbit DELETE /policies/%2F/bounded >/dev/null 2>&1 || true
}

break_9_full() { bound_queue reject-publish; }
heal_9_full() { unbound_queue; }
break_9_full_drop() { bound_queue drop-head; }
heal_9_full_drop() { unbound_queue; }
