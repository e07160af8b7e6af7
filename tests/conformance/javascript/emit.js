// Emits one part of scenario.json with the stock OpenTelemetry SDK. Prints the ids that the SDK chose.
'use strict';

const fs = require('fs');
const { ROOT_CONTEXT, SpanKind, SpanStatusCode, createTraceState, trace } = require('@opentelemetry/api');
const { BasicTracerProvider, BatchSpanProcessor } = require('@opentelemetry/sdk-trace-base');
const { resourceFromAttributes } = require('@opentelemetry/resources');

const EXPORTERS = {
  grpc: '@opentelemetry/exporter-trace-otlp-grpc',
  'http/protobuf': '@opentelemetry/exporter-trace-otlp-proto',
  'http/json': '@opentelemetry/exporter-trace-otlp-http',
};

function plain(value) {
  if ('stringValue' in value) return value.stringValue;
  if ('intValue' in value) return Number(value.intValue);
  if ('doubleValue' in value) return value.doubleValue;
  if ('boolValue' in value) return value.boolValue;
  return value.arrayValue.values.map(plain);
}

function attributesOf(list) {
  const attributes = {};
  for (const { key, value, not_in: not } of list) {
    if (!not || !not.includes('javascript')) attributes[key] = plain(value);
  }
  return attributes;
}

function timeOf(base, offset) {
  const ns = base + BigInt(offset);
  return [Number(ns / 1000000000n), Number(ns % 1000000000n)];
}

function remoteParent() {
  const [, traceId, spanId, flags] = process.env.TRACEPARENT.split('-');
  return trace.setSpanContext(ROOT_CONTEXT, {
    traceId, spanId, traceFlags: parseInt(flags, 16), isRemote: true, traceState: createTraceState(process.env.TRACESTATE),
  });
}

async function main() {
  const [scenarioPath, part] = process.argv.slice(2);
  const scenario = JSON.parse(fs.readFileSync(scenarioPath, 'utf8'));
  const base = BigInt(process.env.CONFORMANCE_BASE_NS);
  const { OTLPTraceExporter } = require(EXPORTERS[process.env.OTEL_EXPORTER_OTLP_PROTOCOL]);
  const processor = new BatchSpanProcessor(new OTLPTraceExporter());
  const provider = new BasicTracerProvider({
    resource: resourceFromAttributes(attributesOf(scenario.resource.attributes)), spanProcessors: [processor],
  });
  const { name, version, schema_url: schemaUrl } = scenario.scope;
  const tracer = provider.getTracer(name, version, { schemaUrl });
  const spans = {};
  for (const plan of scenario.parts[part]) {
    let context = ROOT_CONTEXT;
    if (plan.parent === 'remote') context = remoteParent();
    else if (plan.parent) context = trace.setSpan(ROOT_CONTEXT, spans[plan.parent]);
    const span = tracer.startSpan(plan.name, {
      kind: SpanKind[plan.kind],
      startTime: timeOf(base, plan.start),
      attributes: attributesOf(plan.attributes),
      links: plan.links.map((link) => ({
        context: {
          traceId: link.traceId, spanId: link.spanId, traceFlags: 1,
          traceState: link.traceState ? createTraceState(link.traceState) : undefined,
        },
        attributes: attributesOf(link.attributes),
      })),
    }, context);
    for (const event of plan.events) span.addEvent(event.name, attributesOf(event.attributes), timeOf(base, event.time));
    if (plan.status.code !== 'UNSET') span.setStatus({ code: SpanStatusCode[plan.status.code], message: plan.status.message });
    spans[plan.id] = span;
  }
  for (const plan of scenario.parts[part]) spans[plan.id].end(timeOf(base, plan.end));
  await processor.forceFlush();
  await provider.shutdown();
  const ids = {};
  for (const [id, span] of Object.entries(spans)) {
    ids[id] = { traceId: span.spanContext().traceId, spanId: span.spanContext().spanId };
  }
  console.log(JSON.stringify(ids));
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
