// An HTTP service on the stock SDK, between two others: service.js NEXT_URL
//
// Takes the context of a request from its headers, makes a server span with the journey that it finds in the baggage, asks NEXT_URL in a
// client span, whose context it puts into that request's headers, and answers with what it got. Prints its port; ends with standard input.
"use strict";
const http = require("http");
const { ROOT_CONTEXT, SpanKind, propagation, trace } = require("@opentelemetry/api");
const { CompositePropagator, W3CBaggagePropagator, W3CTraceContextPropagator } = require("@opentelemetry/core");
const { OTLPTraceExporter } = require("@opentelemetry/exporter-trace-otlp-proto");
const { resourceFromAttributes } = require("@opentelemetry/resources");
const { BasicTracerProvider, SimpleSpanProcessor } = require("@opentelemetry/sdk-trace-base");

const provider = new BasicTracerProvider({
  resource: resourceFromAttributes({ "service.name": "node-service" }),
  spanProcessors: [new SimpleSpanProcessor(new OTLPTraceExporter())],
});
propagation.setGlobalPropagator(
  new CompositePropagator({ propagators: [new W3CTraceContextPropagator(), new W3CBaggagePropagator()] }),
);
const tracer = provider.getTracer("service");

function ask(context, next) {
  const span = tracer.startSpan("ask the next", { kind: SpanKind.CLIENT }, context);
  const headers = {};
  propagation.inject(trace.setSpan(context, span), headers);
  return new Promise((resolve, reject) => {
    http.get(next, { headers }, (answer) => {
      const parts = [];
      answer.on("data", (part) => parts.push(part));
      answer.on("end", () => {
        span.end();
        resolve(Buffer.concat(parts).toString());
      });
    }).on("error", reject);
  });
}

const server = http.createServer(async (request, response) => {
  const context = propagation.extract(ROOT_CONTEXT, request.headers);
  const span = tracer.startSpan("serve", { kind: SpanKind.SERVER }, context);
  const entry = (propagation.getBaggage(context) || propagation.createBaggage()).getEntry("order.id");
  if (entry) span.setAttribute("order.id", entry.value);
  const said = await ask(trace.setSpan(context, span), process.argv[2]);
  span.end();
  await provider.forceFlush();
  response.end(said);
});
server.listen(0, "127.0.0.1", () => process.stdout.write(`${server.address().port}\n`));
process.stdin.on("end", () => process.exit(0)).resume();
