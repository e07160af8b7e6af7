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

/* slots.c */
void fg_handle_slots(struct fg_exchange *exchange);

/* heatmap_route.c */
void fg_handle_heatmap(struct fg_exchange *exchange);

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
/* journeys.c */
void fg_handle_journeys(struct fg_exchange *exchange);
void fg_handle_board(struct fg_exchange *exchange);
void fg_handle_journey(struct fg_exchange *exchange);

/* operate.c */
void fg_handle_health(struct fg_exchange *exchange);
void fg_handle_ready(struct fg_exchange *exchange);
void fg_handle_metrics(struct fg_exchange *exchange);
void fg_handle_stats(struct fg_exchange *exchange);

/* admin.c */
void fg_handle_seal(struct fg_exchange *exchange);
void fg_handle_merge(struct fg_exchange *exchange);
void fg_handle_backup(struct fg_exchange *exchange);
void fg_handle_erase(struct fg_exchange *exchange);
