/* Zipkin's v2 JSON (zipkin.io/zipkin-api, zipkin2-api.yaml: the body of POST /api/v2/spans), handed
 * to a visitor of OTLP, so that it goes the way of all spans. */
#pragma once

#include "wire/otlp.h"

/* body is an array of spans. As fg_otlp_decode_traces_json(); neighbours of one service and scope
 * come under one resource and scope. What becomes of a span:
 *
 *     traceId, id, parentId       left-padded with zeroes to 16 and 8 bytes; a parentId of zero, or
 *                                 of the span itself, is none
 *     kind                        client, server, producer, consumer; none: unspecified
 *     timestamp, duration (µs)    start and end. No duration: the span is open. No timestamp: the
 *                                 earliest annotation's, or else 0, and the visitor judges
 *     localEndpoint               serviceName: the resource's service.name; net.host.ip and .port
 *     remoteEndpoint              peer.service, net.peer.ip and .port
 *     annotations                 events
 *     tags                        attributes that are strings, but for the next ones
 *     error                       status error, and its value the status message. Stays an
 *                                 attribute unless it is empty or "true"; "false" is no error
 *     otel.status_code, otel.status_description, w3c.tracestate, span.kind
 *                                 what OpenTelemetry's exporters put there goes back
 *     otel.scope.name and .version, otel.library.name and .version
 *                                 the scope
 *     shared                      fg_otlp_span.shared
 *     debug                       the attribute zipkin.debug */
FG_MUST_CHECK int fg_zipkin_decode_spans(struct fg_slice body,
                                         const struct fg_otlp_visitor *visitor, void *arg,
                                         struct fg_wire_error *error);
