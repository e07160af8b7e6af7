/* The handlers of all routes. Each answers its exchange once, now or later; loop thread. */
#pragma once

struct fg_exchange;

/* home.c */
void fg_handle_home(struct fg_exchange *exchange);

/* ingest.c */
void fg_handle_otlp_grpc(struct fg_exchange *exchange);
void fg_handle_otlp_http(struct fg_exchange *exchange);
void fg_handle_zipkin(struct fg_exchange *exchange);

/* traces.c */
void fg_handle_trace(struct fg_exchange *exchange);
void fg_handle_search(struct fg_exchange *exchange);

/* trace_view.c */
void fg_handle_trace_view(struct fg_exchange *exchange);

/* trace_find.c */
void fg_handle_trace_find(struct fg_exchange *exchange);

/* span_route.c */
void fg_handle_span(struct fg_exchange *exchange);

/* jaeger.c */
void fg_handle_jaeger_trace(struct fg_exchange *exchange);
void fg_handle_jaeger_search(struct fg_exchange *exchange);

/* services.c */
void fg_handle_services(struct fg_exchange *exchange);
void fg_handle_operations(struct fg_exchange *exchange);

/* flows_route.c */
void fg_handle_flows(struct fg_exchange *exchange);
void fg_handle_flow_accept(struct fg_exchange *exchange);
void fg_handle_flow_withdraw(struct fg_exchange *exchange);

/* propose_key_route.c */
void fg_handle_key_proposal(struct fg_exchange *exchange);

/* incidents_route.c */
void fg_handle_incidents(struct fg_exchange *exchange);
void fg_handle_incident(struct fg_exchange *exchange);
void fg_handle_incident_acknowledge(struct fg_exchange *exchange);
void fg_handle_incident_resolve(struct fg_exchange *exchange);
void fg_handle_incident_note(struct fg_exchange *exchange);
void fg_handle_incidents_import(struct fg_exchange *exchange);

/* events.c */
void fg_handle_journey_events(struct fg_exchange *exchange);
void fg_handle_one_journeys_events(struct fg_exchange *exchange);
void fg_handle_incident_events(struct fg_exchange *exchange);

/* scorecard_route.c */
void fg_handle_scorecard(struct fg_exchange *exchange);

/* slots.c */
void fg_handle_slots(struct fg_exchange *exchange);

/* heatmap_route.c */
void fg_handle_heatmap(struct fg_exchange *exchange);

/* security_route.c */
void fg_handle_security(struct fg_exchange *exchange);

/* series.c, durations.c, map_route.c */
void fg_handle_series(struct fg_exchange *exchange);
void fg_handle_durations(struct fg_exchange *exchange);
void fg_handle_map(struct fg_exchange *exchange);

/* jaeger_services.c */
void fg_handle_jaeger_services(struct fg_exchange *exchange);
void fg_handle_jaeger_operations(struct fg_exchange *exchange);
void fg_handle_jaeger_operation_names(struct fg_exchange *exchange);
void fg_handle_jaeger_dependencies(struct fg_exchange *exchange);

/* zipkin_traces.c */
void fg_handle_zipkin_trace(struct fg_exchange *exchange);
void fg_handle_zipkin_traces(struct fg_exchange *exchange);
void fg_handle_zipkin_trace_many(struct fg_exchange *exchange);

/* zipkin_lists.c */
void fg_handle_zipkin_services(struct fg_exchange *exchange);
void fg_handle_zipkin_span_names(struct fg_exchange *exchange);
void fg_handle_zipkin_remote_services(struct fg_exchange *exchange);
void fg_handle_zipkin_dependencies(struct fg_exchange *exchange);
void fg_handle_zipkin_keys(struct fg_exchange *exchange);
void fg_handle_zipkin_values(struct fg_exchange *exchange);

/* jaeger_v3_traces.c */
void fg_handle_jaeger_v3_trace(struct fg_exchange *exchange);
void fg_handle_jaeger_v3_traces(struct fg_exchange *exchange);
void fg_handle_jaeger_v3_summaries(struct fg_exchange *exchange);

/* jaeger_v3_lists.c */
void fg_handle_jaeger_v3_services(struct fg_exchange *exchange);
void fg_handle_jaeger_v3_operations(struct fg_exchange *exchange);
void fg_handle_jaeger_v3_dependencies(struct fg_exchange *exchange);

/* asset_route.c */
void fg_handle_openapi(struct fg_exchange *exchange);
void fg_handle_page(struct fg_exchange *exchange);
void fg_handle_page_file(struct fg_exchange *exchange);

/* complete_route.c */
void fg_handle_keys(struct fg_exchange *exchange);
void fg_handle_values(struct fg_exchange *exchange);

/* jaeger_metrics.c */
void fg_handle_jaeger_latencies(struct fg_exchange *exchange);
void fg_handle_jaeger_calls(struct fg_exchange *exchange);
void fg_handle_jaeger_errors(struct fg_exchange *exchange);
void fg_handle_jaeger_min_step(struct fg_exchange *exchange);

/* export_route.c */
void fg_handle_export(struct fg_exchange *exchange);

/* tail.c */
void fg_handle_tail(struct fg_exchange *exchange);

/* instances_route.c */
void fg_handle_instances(struct fg_exchange *exchange);

/* monitors_route.c, stage_route.c */
void fg_handle_monitors(struct fg_exchange *exchange);
void fg_handle_monitor(struct fg_exchange *exchange);
void fg_handle_monitor_run(struct fg_exchange *exchange);
void fg_handle_monitor_try(struct fg_exchange *exchange);
void fg_handle_monitor_put(struct fg_exchange *exchange);
void fg_handle_monitor_delete(struct fg_exchange *exchange);
void fg_handle_stage(struct fg_exchange *exchange);

/* redaction_route.c */
void fg_handle_redaction(struct fg_exchange *exchange);
/* journeys.c */
void fg_handle_journeys(struct fg_exchange *exchange);
void fg_handle_board(struct fg_exchange *exchange);
void fg_handle_common(struct fg_exchange *exchange);
void fg_handle_journey(struct fg_exchange *exchange);

/* sign_in.c */
void fg_handle_me(struct fg_exchange *exchange);
void fg_handle_login(struct fg_exchange *exchange);
void fg_handle_setup(struct fg_exchange *exchange);
void fg_handle_logout(struct fg_exchange *exchange);
void fg_handle_password(struct fg_exchange *exchange);

/* oidc_route.c */
void fg_handle_oidc_start(struct fg_exchange *exchange);
void fg_handle_oidc_callback(struct fg_exchange *exchange);

/* users.c */
void fg_handle_users(struct fg_exchange *exchange);
void fg_handle_user_add(struct fg_exchange *exchange);
void fg_handle_user_change(struct fg_exchange *exchange);
void fg_handle_user_remove(struct fg_exchange *exchange);
void fg_handle_user_logout(struct fg_exchange *exchange);

/* tokens.c */
void fg_handle_tokens(struct fg_exchange *exchange);
void fg_handle_token_add(struct fg_exchange *exchange);
void fg_handle_token_revoke(struct fg_exchange *exchange);

/* tenants.c */
void fg_handle_tenants(struct fg_exchange *exchange);
void fg_handle_tenant_add(struct fg_exchange *exchange);
void fg_handle_tenant_change(struct fg_exchange *exchange);

/* audit_route.c */
void fg_handle_audit(struct fg_exchange *exchange);
void fg_handle_audit_head(struct fg_exchange *exchange);

/* operate.c */
void fg_handle_health(struct fg_exchange *exchange);
void fg_handle_ready(struct fg_exchange *exchange);
void fg_handle_reindex(struct fg_exchange *exchange);
void fg_handle_metrics(struct fg_exchange *exchange);
void fg_handle_stats(struct fg_exchange *exchange);

/* admin.c */
void fg_handle_seal(struct fg_exchange *exchange);
void fg_handle_merge(struct fg_exchange *exchange);
void fg_handle_backup(struct fg_exchange *exchange);
void fg_handle_erase(struct fg_exchange *exchange);
