#include "route.h"

#include "handlers.h"

#include <assert.h>

static const struct fg_route routes[] = {
    /* -- Spans in -------------------------------------------------------------------------------
     */
    {FG_ROUTE(POST, "/opentelemetry.proto.collector.trace.v1.TraceService/Export", INGEST),
     .faces = FG_ON_OTLP, .form = FG_FORM_OTLP, .body_size_max = FG_BODY_CONFIGURED,
     .needs_store = true, .handle = fg_handle_otlp_grpc},
    {FG_ROUTE(POST, "/v1/traces", INGEST), .faces = FG_ON_OTLP | FG_ON_API, .form = FG_FORM_OTLP,
     .body_size_max = FG_BODY_CONFIGURED, .cors = true, .needs_store = true,
     .handle = fg_handle_otlp_http},
    {FG_ROUTE(POST, "/api/v2/spans", INGEST), .faces = FG_ON_API, .form = FG_FORM_NATIVE,
     .body_size_max = FG_BODY_CONFIGURED, .cors = true, .needs_store = true,
     .handle = fg_handle_zipkin},

    /* -- Reading, native ------------------------------------------------------------------------
     */
    {FG_ROUTE(GET, "/api/v1/traces/{id}", VIEW), .faces = FG_ON_API, .form = FG_FORM_NATIVE,
     .needs_store = true, .audit = "trace.view", .handle = fg_handle_trace},
    {FG_ROUTE(GET, "/api/v1/traces/{id}/view", VIEW), .faces = FG_ON_API, .form = FG_FORM_NATIVE,
     .needs_store = true, .audit = "trace.view", .handle = fg_handle_trace_view},
    {FG_ROUTE(GET, "/api/v1/traces/{id}/find", VIEW), .faces = FG_ON_API, .form = FG_FORM_NATIVE,
     .needs_store = true, .audit = "trace.view", .handle = fg_handle_trace_find},
    {FG_ROUTE(GET, "/api/v1/traces/{id}/spans/{span}", VIEW), .faces = FG_ON_API,
     .form = FG_FORM_NATIVE, .needs_store = true, .audit = "trace.view", .handle = fg_handle_span},
    {FG_ROUTE(GET, "/api/v1/traces", VIEW), .faces = FG_ON_API, .form = FG_FORM_NATIVE,
     .needs_store = true, .audit = "search", .handle = fg_handle_search},
    {FG_ROUTE(GET, "/api/v1/services", VIEW), .faces = FG_ON_API, .form = FG_FORM_NATIVE,
     .needs_store = true, .handle = fg_handle_services},
    {FG_ROUTE(GET, "/api/v1/services/slots", VIEW), .faces = FG_ON_API, .form = FG_FORM_NATIVE,
     .needs_store = true, .handle = fg_handle_slots},
    {FG_ROUTE(GET, "/api/v1/heatmap", VIEW), .faces = FG_ON_API, .form = FG_FORM_NATIVE,
     .needs_store = true, .handle = fg_handle_heatmap},
    {FG_ROUTE(GET, "/api/v1/services/{id}/operations", VIEW), .faces = FG_ON_API,
     .form = FG_FORM_NATIVE, .needs_store = true, .handle = fg_handle_operations},
    {FG_ROUTE(GET, "/api/v1/series", VIEW), .faces = FG_ON_API, .form = FG_FORM_NATIVE,
     .needs_store = true, .handle = fg_handle_series},
    {FG_ROUTE(GET, "/api/v1/durations", VIEW), .faces = FG_ON_API, .form = FG_FORM_NATIVE,
     .needs_store = true, .handle = fg_handle_durations},
    {FG_ROUTE(GET, "/api/v1/map", VIEW), .faces = FG_ON_API, .form = FG_FORM_NATIVE,
     .needs_store = true, .handle = fg_handle_map},
    {FG_ROUTE(GET, "/api/v1/keys", VIEW), .faces = FG_ON_API, .form = FG_FORM_NATIVE,
     .needs_store = true, .handle = fg_handle_keys},
    {FG_ROUTE(GET, "/api/v1/values", VIEW), .faces = FG_ON_API, .form = FG_FORM_NATIVE,
     .needs_store = true, .audit = "values", .handle = fg_handle_values},
    {FG_ROUTE(GET, "/api/v1/instances", VIEW), .faces = FG_ON_API, .form = FG_FORM_NATIVE,
     .handle = fg_handle_instances},
    {FG_ROUTE(GET, "/api/v1/redaction", OPERATE), .faces = FG_ON_API, .form = FG_FORM_NATIVE,
     .whole_server = true, .handle = fg_handle_redaction},
    {FG_ROUTE(GET, "/api/v1/tail", VIEW), .faces = FG_ON_API, .form = FG_FORM_NATIVE,
     .needs_store = true, .audit = "tail", .handle = fg_handle_tail},
    {FG_ROUTE(GET, "/api/v1/export", VIEW), .faces = FG_ON_API, .form = FG_FORM_NATIVE,
     .needs_store = true, .audit = "export", .handle = fg_handle_export},

    {FG_ROUTE(GET, "/api/v1/journeys", SUPPORT), .faces = FG_ON_API, .form = FG_FORM_NATIVE,
     .needs_store = true, .handle = fg_handle_journeys},
    {FG_ROUTE(GET, "/api/v1/board", SUPPORT), .faces = FG_ON_API, .form = FG_FORM_NATIVE,
     .needs_store = true, .handle = fg_handle_board},
    {FG_ROUTE(GET, "/api/v1/journeys/{key}/{value}", SUPPORT), .faces = FG_ON_API,
     .form = FG_FORM_NATIVE, .needs_store = true, .audit = "order.view",
     .handle = fg_handle_journey},

    {FG_ROUTE(GET, "/api/v1/common", VIEW), .faces = FG_ON_API, .form = FG_FORM_NATIVE,
     .needs_store = true, .handle = fg_handle_common},
    {FG_ROUTE(GET, "/api/v1/flows", VIEW), .faces = FG_ON_API, .form = FG_FORM_NATIVE,
     .needs_store = true, .handle = fg_handle_flows},
    {FG_ROUTE(POST, "/api/v1/flows/{key}/accept", OPERATE), .faces = FG_ON_API,
     .form = FG_FORM_NATIVE, .body_size_max = FG_BODY_SMALL, .needs_store = true,
     .audit = "flow.accept", .handle = fg_handle_flow_accept},
    {FG_ROUTE(POST, "/api/v1/flows/{key}/withdraw", OPERATE), .faces = FG_ON_API,
     .form = FG_FORM_NATIVE, .body_size_max = FG_BODY_SMALL, .needs_store = true,
     .audit = "flow.withdraw", .handle = fg_handle_flow_withdraw},

    {FG_ROUTE(GET, "/api/v1/key-proposal", VIEW), .faces = FG_ON_API, .form = FG_FORM_NATIVE,
     .needs_store = true, .handle = fg_handle_key_proposal},
    {FG_ROUTE(GET, "/api/v1/incidents", SUPPORT), .faces = FG_ON_API, .form = FG_FORM_NATIVE,
     .needs_store = true, .handle = fg_handle_incidents},
    {FG_ROUTE(GET, "/api/v1/incidents/{id}", SUPPORT), .faces = FG_ON_API, .form = FG_FORM_NATIVE,
     .needs_store = true, .handle = fg_handle_incident},
    {FG_ROUTE(POST, "/api/v1/incidents/{id}/acknowledge", OPERATE), .faces = FG_ON_API,
     .form = FG_FORM_NATIVE, .body_size_max = FG_BODY_SMALL, .needs_store = true,
     .audit = "incident.acknowledge", .handle = fg_handle_incident_acknowledge},
    {FG_ROUTE(POST, "/api/v1/incidents/{id}/resolve", OPERATE), .faces = FG_ON_API,
     .form = FG_FORM_NATIVE, .body_size_max = FG_BODY_SMALL, .needs_store = true,
     .audit = "incident.resolve", .handle = fg_handle_incident_resolve},
    {FG_ROUTE(POST, "/api/v1/incidents/{id}/note", OPERATE), .faces = FG_ON_API,
     .form = FG_FORM_NATIVE, .body_size_max = FG_BODY_SMALL, .needs_store = true,
     .audit = "incident.note", .handle = fg_handle_incident_note},
    {FG_ROUTE(POST, "/api/v1/incidents/import", OPERATE), .faces = FG_ON_API,
     .form = FG_FORM_NATIVE, .body_size_max = FG_BODY_IMPORT, .needs_store = true,
     .audit = "incidents.import", .handle = fg_handle_incidents_import},
    {FG_ROUTE(GET, "/api/v1/journeys/events", SUPPORT), .faces = FG_ON_API, .form = FG_FORM_NATIVE,
     .needs_store = true, .handle = fg_handle_journey_events},
    {FG_ROUTE(GET, "/api/v1/journeys/{key}/{value}/events", SUPPORT), .faces = FG_ON_API,
     .form = FG_FORM_NATIVE, .needs_store = true, .handle = fg_handle_one_journeys_events},
    {FG_ROUTE(GET, "/api/v1/incidents/events", SUPPORT), .faces = FG_ON_API, .form = FG_FORM_NATIVE,
     .needs_store = true, .handle = fg_handle_incident_events},
    {FG_ROUTE(GET, "/api/v1/scorecard", VIEW), .faces = FG_ON_API, .form = FG_FORM_NATIVE,
     .needs_store = true, .handle = fg_handle_scorecard},
    {FG_ROUTE(GET, "/flows", VIEW), .faces = FG_ON_API, .form = FG_FORM_TEXT, .is_page = true,
     .handle = fg_handle_page},
    {FG_ROUTE(GET, "/incidents", SUPPORT), .faces = FG_ON_API, .form = FG_FORM_TEXT,
     .is_page = true, .handle = fg_handle_page},
    {FG_ROUTE(GET, "/incidents/{id}", SUPPORT), .faces = FG_ON_API, .form = FG_FORM_TEXT,
     .is_page = true, .handle = fg_handle_page},
    {FG_ROUTE(GET, "/scorecard", VIEW), .faces = FG_ON_API, .form = FG_FORM_TEXT, .is_page = true,
     .handle = fg_handle_page},

    /* -- Reading, as Jaeger's UI and clients do --------------------------------------------------
     */
    {FG_ROUTE(GET, "/api/traces/{id}", VIEW), .faces = FG_ON_API, .form = FG_FORM_JAEGER,
     .needs_store = true, .audit = "trace.view", .handle = fg_handle_jaeger_trace},
    {FG_ROUTE(GET, "/api/traces", VIEW), .faces = FG_ON_API, .form = FG_FORM_JAEGER,
     .needs_store = true, .audit = "search", .handle = fg_handle_jaeger_search},
    {FG_ROUTE(GET, "/api/services", VIEW), .faces = FG_ON_API, .form = FG_FORM_JAEGER,
     .needs_store = true, .handle = fg_handle_jaeger_services},
    {FG_ROUTE(GET, "/api/services/{id}/operations", VIEW), .faces = FG_ON_API,
     .form = FG_FORM_JAEGER, .needs_store = true, .handle = fg_handle_jaeger_operation_names},
    {FG_ROUTE(GET, "/api/operations", VIEW), .faces = FG_ON_API, .form = FG_FORM_JAEGER,
     .needs_store = true, .handle = fg_handle_jaeger_operations},
    {FG_ROUTE(GET, "/api/dependencies", VIEW), .faces = FG_ON_API, .form = FG_FORM_JAEGER,
     .needs_store = true, .handle = fg_handle_jaeger_dependencies},
    {FG_ROUTE(GET, "/api/metrics/latencies", VIEW), .faces = FG_ON_API, .form = FG_FORM_JAEGER,
     .needs_store = true, .handle = fg_handle_jaeger_latencies},
    {FG_ROUTE(GET, "/api/metrics/calls", VIEW), .faces = FG_ON_API, .form = FG_FORM_JAEGER,
     .needs_store = true, .handle = fg_handle_jaeger_calls},
    {FG_ROUTE(GET, "/api/metrics/errors", VIEW), .faces = FG_ON_API, .form = FG_FORM_JAEGER,
     .needs_store = true, .handle = fg_handle_jaeger_errors},
    {FG_ROUTE(GET, "/api/metrics/minstep", VIEW), .faces = FG_ON_API, .form = FG_FORM_JAEGER,
     .handle = fg_handle_jaeger_min_step},

    {FG_ROUTE(GET, "/api/v3/traces/{id}", VIEW), .faces = FG_ON_API, .form = FG_FORM_JAEGER_V3,
     .needs_store = true, .audit = "trace.view", .handle = fg_handle_jaeger_v3_trace},
    {FG_ROUTE(GET, "/api/v3/traces", VIEW), .faces = FG_ON_API, .form = FG_FORM_JAEGER_V3,
     .needs_store = true, .audit = "search", .handle = fg_handle_jaeger_v3_traces},
    {FG_ROUTE(GET, "/api/v3/trace-summaries", VIEW), .faces = FG_ON_API, .form = FG_FORM_JAEGER_V3,
     .needs_store = true, .audit = "search", .handle = fg_handle_jaeger_v3_summaries},
    {FG_ROUTE(POST, "/api/v3/traces", VIEW), .faces = FG_ON_API, .form = FG_FORM_JAEGER_V3,
     .body_size_max = FG_BODY_SMALL, .needs_store = true, .audit = "search",
     .handle = fg_handle_jaeger_v3_traces},
    {FG_ROUTE(POST, "/api/v3/trace-summaries", VIEW), .faces = FG_ON_API, .form = FG_FORM_JAEGER_V3,
     .body_size_max = FG_BODY_SMALL, .needs_store = true, .audit = "search",
     .handle = fg_handle_jaeger_v3_summaries},
    {FG_ROUTE(GET, "/api/v3/services", VIEW), .faces = FG_ON_API, .form = FG_FORM_JAEGER_V3,
     .needs_store = true, .handle = fg_handle_jaeger_v3_services},
    {FG_ROUTE(GET, "/api/v3/operations", VIEW), .faces = FG_ON_API, .form = FG_FORM_JAEGER_V3,
     .needs_store = true, .handle = fg_handle_jaeger_v3_operations},
    {FG_ROUTE(GET, "/api/v3/dependencies", VIEW), .faces = FG_ON_API, .form = FG_FORM_JAEGER_V3,
     .needs_store = true, .handle = fg_handle_jaeger_v3_dependencies},

    /* -- Reading, as Zipkin's pages and clients do -----------------------------------------------
     */
    {FG_ROUTE(GET, "/api/v2/trace/{id}", VIEW), .faces = FG_ON_API, .form = FG_FORM_TEXT,
     .needs_store = true, .audit = "trace.view", .handle = fg_handle_zipkin_trace},
    {FG_ROUTE(GET, "/api/v2/traces", VIEW), .faces = FG_ON_API, .form = FG_FORM_TEXT,
     .needs_store = true, .audit = "search", .handle = fg_handle_zipkin_traces},
    {FG_ROUTE(GET, "/api/v2/traceMany", VIEW), .faces = FG_ON_API, .form = FG_FORM_TEXT,
     .needs_store = true, .audit = "trace.view", .handle = fg_handle_zipkin_trace_many},
    {FG_ROUTE(GET, "/api/v2/services", VIEW), .faces = FG_ON_API, .form = FG_FORM_TEXT,
     .needs_store = true, .handle = fg_handle_zipkin_services},
    {FG_ROUTE(GET, "/api/v2/spans", VIEW), .faces = FG_ON_API, .form = FG_FORM_TEXT,
     .needs_store = true, .handle = fg_handle_zipkin_span_names},
    {FG_ROUTE(GET, "/api/v2/remoteServices", VIEW), .faces = FG_ON_API, .form = FG_FORM_TEXT,
     .needs_store = true, .handle = fg_handle_zipkin_remote_services},
    {FG_ROUTE(GET, "/api/v2/dependencies", VIEW), .faces = FG_ON_API, .form = FG_FORM_TEXT,
     .needs_store = true, .handle = fg_handle_zipkin_dependencies},
    {FG_ROUTE(GET, "/api/v2/autocompleteKeys", VIEW), .faces = FG_ON_API, .form = FG_FORM_TEXT,
     .needs_store = true, .handle = fg_handle_zipkin_keys},
    {FG_ROUTE(GET, "/api/v2/autocompleteValues", VIEW), .faces = FG_ON_API, .form = FG_FORM_TEXT,
     .needs_store = true, .handle = fg_handle_zipkin_values},

    /* -- Where somebody with a browser arrives ---------------------------------------------------
     */
    {FG_ROUTE(GET, "/", SUPPORT), .faces = FG_ON_API, .form = FG_FORM_TEXT, .is_page = true,
     .handle = fg_handle_home},
    {FG_ROUTE(GET, "/board", SUPPORT), .faces = FG_ON_API, .form = FG_FORM_TEXT, .is_page = true,
     .handle = fg_handle_page},
    {FG_ROUTE(GET, "/order/{id}", SUPPORT), .faces = FG_ON_API, .form = FG_FORM_TEXT,
     .is_page = true, .handle = fg_handle_page},
    {FG_ROUTE(GET, "/order/{key}/{value}", SUPPORT), .faces = FG_ON_API, .form = FG_FORM_TEXT,
     .is_page = true, .handle = fg_handle_page},
    {FG_ROUTE(GET, "/search", VIEW), .faces = FG_ON_API, .form = FG_FORM_TEXT, .is_page = true,
     .handle = fg_handle_page},
    {FG_ROUTE(GET, "/trace/{id}", VIEW), .faces = FG_ON_API, .form = FG_FORM_TEXT, .is_page = true,
     .handle = fg_handle_page},
    {FG_ROUTE(GET, "/components", VIEW), .faces = FG_ON_API, .form = FG_FORM_TEXT, .is_page = true,
     .handle = fg_handle_page},
    {FG_ROUTE(GET, "/services", VIEW), .faces = FG_ON_API, .form = FG_FORM_TEXT, .is_page = true,
     .handle = fg_handle_page},
    {FG_ROUTE(GET, "/services/{id}", VIEW), .faces = FG_ON_API, .form = FG_FORM_TEXT,
     .is_page = true, .handle = fg_handle_page},
    {FG_ROUTE(GET, "/store", OPERATE), .faces = FG_ON_API, .form = FG_FORM_TEXT, .is_page = true,
     .handle = fg_handle_page},
    {FG_ROUTE(GET, "/app.js", NONE), .faces = FG_ON_API, .form = FG_FORM_TEXT,
     .handle = fg_handle_page_file},
    {FG_ROUTE(GET, "/app.css", NONE), .faces = FG_ON_API, .form = FG_FORM_TEXT,
     .handle = fg_handle_page_file},

    /* -- Who asks -------------------------------------------------------------------------------
     */
    {FG_ROUTE(GET, "/login", NONE), .faces = FG_ON_API, .form = FG_FORM_TEXT,
     .handle = fg_handle_page},
    {FG_ROUTE(GET, "/setup", NONE), .faces = FG_ON_API, .form = FG_FORM_TEXT,
     .handle = fg_handle_page},
    {FG_ROUTE(GET, "/account", SELF), .faces = FG_ON_API, .form = FG_FORM_TEXT, .is_page = true,
     .handle = fg_handle_page},
    {FG_ROUTE(GET, "/admin", ADMIN), .faces = FG_ON_API, .form = FG_FORM_TEXT, .is_page = true,
     .whole_server = true, .handle = fg_handle_page},
    {FG_ROUTE(GET, "/auth/oidc/start", NONE), .faces = FG_ON_API, .form = FG_FORM_TEXT,
     .needs_store = true, .handle = fg_handle_oidc_start},
    {FG_ROUTE(GET, "/auth/oidc/callback", NONE), .faces = FG_ON_API, .form = FG_FORM_TEXT,
     .needs_store = true, .handle = fg_handle_oidc_callback},
    {FG_ROUTE(GET, "/api/v1/auth/me", NONE), .faces = FG_ON_API, .form = FG_FORM_NATIVE,
     .handle = fg_handle_me},
    {FG_ROUTE(POST, "/api/v1/auth/login", NONE), .faces = FG_ON_API, .form = FG_FORM_NATIVE,
     .body_size_max = FG_BODY_SMALL, .signs_in = true, .needs_store = true,
     .handle = fg_handle_login},
    {FG_ROUTE(POST, "/api/v1/auth/setup", NONE), .faces = FG_ON_API, .form = FG_FORM_NATIVE,
     .body_size_max = FG_BODY_SMALL, .signs_in = true, .needs_store = true,
     .handle = fg_handle_setup},
    {FG_ROUTE(POST, "/api/v1/auth/logout", SELF), .faces = FG_ON_API, .form = FG_FORM_NATIVE,
     .body_size_max = FG_BODY_SMALL, .needs_store = true, .audit = "sign_out",
     .handle = fg_handle_logout},
    {FG_ROUTE(POST, "/api/v1/auth/password", SELF), .faces = FG_ON_API, .form = FG_FORM_NATIVE,
     .body_size_max = FG_BODY_SMALL, .needs_store = true, .audit = "password.change",
     .handle = fg_handle_password},
    {FG_ROUTE(GET, "/api/v1/users", ADMIN), .faces = FG_ON_API, .form = FG_FORM_NATIVE,
     .whole_server = true, .needs_store = true, .handle = fg_handle_users},
    {FG_ROUTE(POST, "/api/v1/users", ADMIN), .faces = FG_ON_API, .form = FG_FORM_NATIVE,
     .body_size_max = FG_BODY_SMALL, .whole_server = true, .needs_store = true, .audit = "user.add",
     .handle = fg_handle_user_add},
    {FG_ROUTE(POST, "/api/v1/users/{id}", ADMIN), .faces = FG_ON_API, .form = FG_FORM_NATIVE,
     .body_size_max = FG_BODY_SMALL, .whole_server = true, .needs_store = true,
     .audit = "user.change", .handle = fg_handle_user_change},
    {FG_ROUTE(POST, "/api/v1/users/{id}/remove", ADMIN), .faces = FG_ON_API, .form = FG_FORM_NATIVE,
     .body_size_max = FG_BODY_SMALL, .whole_server = true, .needs_store = true,
     .audit = "user.remove", .handle = fg_handle_user_remove},
    {FG_ROUTE(POST, "/api/v1/users/{id}/logout", ADMIN), .faces = FG_ON_API, .form = FG_FORM_NATIVE,
     .body_size_max = FG_BODY_SMALL, .whole_server = true, .needs_store = true,
     .audit = "user.logout", .handle = fg_handle_user_logout},
    {FG_ROUTE(GET, "/api/v1/tokens", ADMIN), .faces = FG_ON_API, .form = FG_FORM_NATIVE,
     .whole_server = true, .needs_store = true, .handle = fg_handle_tokens},
    {FG_ROUTE(POST, "/api/v1/tokens", ADMIN), .faces = FG_ON_API, .form = FG_FORM_NATIVE,
     .body_size_max = FG_BODY_SMALL, .whole_server = true, .needs_store = true,
     .audit = "token.add", .handle = fg_handle_token_add},
    {FG_ROUTE(POST, "/api/v1/tokens/{id}/revoke", ADMIN), .faces = FG_ON_API,
     .form = FG_FORM_NATIVE, .body_size_max = FG_BODY_SMALL, .whole_server = true,
     .needs_store = true, .audit = "token.revoke", .handle = fg_handle_token_revoke},
    {FG_ROUTE(GET, "/api/v1/tenants", ADMIN), .faces = FG_ON_API, .form = FG_FORM_NATIVE,
     .whole_server = true, .needs_store = true, .handle = fg_handle_tenants},
    {FG_ROUTE(POST, "/api/v1/tenants", ADMIN), .faces = FG_ON_API, .form = FG_FORM_NATIVE,
     .body_size_max = FG_BODY_SMALL, .whole_server = true, .needs_store = true,
     .audit = "tenant.add", .handle = fg_handle_tenant_add},
    {FG_ROUTE(POST, "/api/v1/tenants/{id}", ADMIN), .faces = FG_ON_API, .form = FG_FORM_NATIVE,
     .body_size_max = FG_BODY_SMALL, .whole_server = true, .needs_store = true,
     .audit = "tenant.change", .handle = fg_handle_tenant_change},

    {FG_ROUTE(GET, "/api/v1/audit", ADMIN), .faces = FG_ON_API, .form = FG_FORM_NATIVE,
     .whole_server = true, .needs_store = true, .audit = "audit.view", .handle = fg_handle_audit},
    {FG_ROUTE(GET, "/api/v1/audit/head", ADMIN), .faces = FG_ON_API, .form = FG_FORM_NATIVE,
     .whole_server = true, .needs_store = true, .handle = fg_handle_audit_head},

    /* -- Operating -------------------------------------------------------------------------------
     */
    {FG_ROUTE(GET, "/healthz", NONE), .faces = FG_ON_API, .form = FG_FORM_TEXT,
     .handle = fg_handle_health},
    {FG_ROUTE(GET, "/readyz", NONE), .faces = FG_ON_API, .form = FG_FORM_TEXT,
     .handle = fg_handle_ready},
    {FG_ROUTE(GET, "/api/v1/security", NONE), .faces = FG_ON_API, .form = FG_FORM_NATIVE,
     .handle = fg_handle_security},
    {FG_ROUTE(GET, "/metrics", OPERATE), .faces = FG_ON_API, .form = FG_FORM_TEXT,
     .whole_server = true, .handle = fg_handle_metrics},
    {FG_ROUTE(GET, "/api/v1/openapi.yaml", SUPPORT), .faces = FG_ON_API, .form = FG_FORM_NATIVE,
     .handle = fg_handle_openapi},
    {FG_ROUTE(GET, "/api/v1/monitors", VIEW), .faces = FG_ON_API, .form = FG_FORM_NATIVE,
     .needs_store = true, .handle = fg_handle_monitors},
    {FG_ROUTE(GET, "/api/v1/monitors/{name}", VIEW), .faces = FG_ON_API, .form = FG_FORM_NATIVE,
     .needs_store = true, .handle = fg_handle_monitor},
    {FG_ROUTE(PUT, "/api/v1/monitors/{name}", ADMIN), .faces = FG_ON_API, .form = FG_FORM_NATIVE,
     .body_size_max = FG_BODY_SMALL, .whole_server = true, .needs_store = true,
     .audit = "monitor.put", .handle = fg_handle_monitor_put},
    {FG_ROUTE(DELETE, "/api/v1/monitors/{name}", ADMIN), .faces = FG_ON_API, .form = FG_FORM_NATIVE,
     .whole_server = true, .needs_store = true, .audit = "monitor.delete",
     .handle = fg_handle_monitor_delete},
    {FG_ROUTE(POST, "/api/v1/monitors/{name}/run", OPERATE), .faces = FG_ON_API,
     .form = FG_FORM_NATIVE, .body_size_max = FG_BODY_SMALL, .needs_store = true,
     .audit = "monitor.run", .handle = fg_handle_monitor_run},
    {FG_ROUTE(POST, "/api/v1/monitors/{name}/try", ADMIN), .faces = FG_ON_API,
     .form = FG_FORM_NATIVE, .body_size_max = FG_BODY_SMALL, .whole_server = true,
     .needs_store = true, .audit = "monitor.try", .handle = fg_handle_monitor_try},
    {FG_ROUTE(GET, "/api/v1/stage", VIEW), .faces = FG_ON_API, .form = FG_FORM_NATIVE,
     .needs_store = true, .handle = fg_handle_stage},
    {FG_ROUTE(GET, "/api/v1/stats", OPERATE), .faces = FG_ON_API, .form = FG_FORM_NATIVE,
     .whole_server = true, .needs_store = true, .handle = fg_handle_stats},
    {FG_ROUTE(POST, "/api/v1/admin/seal", OPERATE), .faces = FG_ON_API, .form = FG_FORM_NATIVE,
     .whole_server = true, .body_size_max = FG_BODY_SMALL, .needs_store = true,
     .audit = "store.seal", .handle = fg_handle_seal},
    {FG_ROUTE(POST, "/api/v1/admin/merge", OPERATE), .faces = FG_ON_API, .form = FG_FORM_NATIVE,
     .whole_server = true, .body_size_max = FG_BODY_SMALL, .needs_store = true,
     .audit = "store.merge", .handle = fg_handle_merge},
    {FG_ROUTE(POST, "/api/v1/admin/reindex", OPERATE), .faces = FG_ON_API, .form = FG_FORM_NATIVE,
     .whole_server = true, .body_size_max = FG_BODY_SMALL, .needs_store = true,
     .audit = "journeys.reindex", .handle = fg_handle_reindex},
    {FG_ROUTE(POST, "/api/v1/admin/backup", ADMIN), .faces = FG_ON_API, .form = FG_FORM_NATIVE,
     .whole_server = true, .body_size_max = FG_BODY_SMALL, .needs_store = true,
     .audit = "store.backup", .handle = fg_handle_backup},
    {FG_ROUTE(POST, "/api/v1/admin/erase", ADMIN), .faces = FG_ON_API, .form = FG_FORM_NATIVE,
     .body_size_max = FG_BODY_SMALL, .needs_store = true, .audit = "erase",
     .handle = fg_handle_erase},
};

#define ROUTE_COUNT (sizeof routes / sizeof *routes)
_Static_assert(ROUTE_COUNT <= FG_ROUTES_MAX, "raise FG_ROUTES_MAX");

const struct fg_route *fg_routes(size_t *ret_count)
{
    *ret_count = ROUTE_COUNT;
    return routes;
}

/* Cuts what stands before the first '/' off *path. */
static struct fg_slice cut_segment(struct fg_slice *path)
{
    const uint8_t *slash = path->size ? memchr(path->data, '/', path->size) : NULL;
    struct fg_slice segment =
        fg_slice(path->data, slash ? (size_t)(slash - path->data) : path->size);
    *path = fg_slice(path->data + segment.size, path->size - segment.size);
    return segment;
}

/* Whether path fits the pattern; what stands for each {…} goes to params. */
static bool path_fits(const char *pattern, struct fg_slice path,
                      struct fg_slice params[FG_ROUTE_PARAMS_MAX])
{
    size_t count = 0;
    const char *brace;
    while ((brace = strchr(pattern, '{')) != NULL) {
        size_t head = (size_t)(brace - pattern);
        assert(count < FG_ROUTE_PARAMS_MAX);
        if (path.size < head || memcmp(path.data, pattern, head) != 0)
            return false;
        path = fg_slice(path.data + head, path.size - head);
        params[count] = cut_segment(&path);
        if (params[count++].size == 0)
            return false;
        pattern = strchr(brace, '}') + 1;
    }
    return fg_slice_equal(path, fg_slice_from_string(pattern));
}

struct fg_route_match fg_route_find(enum fg_method method, struct fg_slice path, int face)
{
    struct fg_route_match match = {.index = FG_ROUTES_MAX};
    if (method == FG_METHOD_HEAD)
        method = FG_METHOD_GET;
    for (size_t i = 0; i < ROUTE_COUNT; i++) {
        struct fg_slice params[FG_ROUTE_PARAMS_MAX] = {0};
        if ((routes[i].faces >> face & 1) == 0 || !path_fits(routes[i].path, path, params))
            continue;
        match.allowed_methods |= 1u << routes[i].method;
        match.cors |= routes[i].cors;
        if (routes[i].method != method)
            continue;
        match.route = &routes[i];
        match.index = i;
        memcpy(match.params, params, sizeof params);
    }
    return match;
}
