"""Emits one part of scenario.json with the stock OpenTelemetry SDK. Prints the ids that the SDK chose."""
import json
import os
import sys

from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import (Link, NonRecordingSpan, SpanContext, SpanKind, Status, StatusCode, TraceFlags, TraceState,
                                 set_span_in_context)


def exporter():
    if os.environ["OTEL_EXPORTER_OTLP_PROTOCOL"] == "grpc":
        from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
    else:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    return OTLPSpanExporter()


def plain(value):
    (kind, content), = value.items()
    if kind == "intValue":
        return int(content)
    if kind == "arrayValue":
        return [plain(item) for item in content["values"]]
    return content


def attributes_of(items):
    return {item["key"]: plain(item["value"]) for item in items if "python" not in item.get("not_in", [])}


def state_of(text):
    return TraceState([tuple(pair.split("=", 1)) for pair in text.split(",")]) if text else None


def link_of(link):
    context = SpanContext(int(link["traceId"], 16), int(link["spanId"], 16), is_remote=False, trace_flags=TraceFlags(1),
                          trace_state=state_of(link["traceState"]))
    return Link(context, attributes_of(link["attributes"]))


def remote_parent():
    _, trace_id, span_id, flags = os.environ["TRACEPARENT"].split("-")
    context = SpanContext(int(trace_id, 16), int(span_id, 16), is_remote=True, trace_flags=TraceFlags(int(flags, 16)),
                          trace_state=state_of(os.environ["TRACESTATE"]))
    return set_span_in_context(NonRecordingSpan(context))


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        scenario = json.load(file)
    plans = scenario["parts"][sys.argv[2]]
    base = int(os.environ["CONFORMANCE_BASE_NS"])
    resource, scope = scenario["resource"], scenario["scope"]
    provider = TracerProvider(resource=Resource(attributes_of(resource["attributes"]), resource["schema_url"]))
    provider.add_span_processor(BatchSpanProcessor(exporter()))
    tracer = provider.get_tracer(scope["name"], scope["version"], schema_url=scope["schema_url"])
    spans = {}
    for plan in plans:
        parent = plan.get("parent")
        context = remote_parent() if parent == "remote" else set_span_in_context(spans[parent]) if parent else None
        span = tracer.start_span(plan["name"], context=context, kind=SpanKind[plan["kind"]],
                                 attributes=attributes_of(plan["attributes"]), start_time=base + plan["start"],
                                 links=[link_of(link) for link in plan["links"]])
        for event in plan["events"]:
            span.add_event(event["name"], attributes_of(event["attributes"]), timestamp=base + event["time"])
        if plan["status"]["code"] != "UNSET":
            span.set_status(Status(StatusCode[plan["status"]["code"]], plan["status"].get("message")))
        spans[plan["id"]] = span
    for plan in plans:
        spans[plan["id"]].end(end_time=base + plan["end"])
    if not provider.force_flush():
        sys.exit("the spans could not be sent")
    provider.shutdown()
    print(json.dumps({key: {"traceId": f"{span.get_span_context().trace_id:032x}",
                            "spanId": f"{span.get_span_context().span_id:016x}"} for key, span in spans.items()}))


main()
