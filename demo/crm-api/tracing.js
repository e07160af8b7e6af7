// OpenTelemetry for the CRM API, as any company would set it up: the stock Node SDK with its automatic instrumentations. Loaded before
// everything else: node --require ./tracing.js index.js
//
// Where spans go is said by OpenTelemetry's own environment: OTEL_EXPORTER_OTLP_ENDPOINT and its like. Two things are the company's own:
// the order's number, which travels as baggage, is copied onto every span (a stock span processor does it); and what only asks whether
// there is work (health checks, the polling of the outbox) makes no spans.
"use strict";
process.env.OTEL_METRICS_EXPORTER ??= "none";
process.env.OTEL_LOGS_EXPORTER ??= "none";
process.env.OTEL_SEMCONV_STABILITY_OPT_IN ??= "http,database";

const { getNodeAutoInstrumentations } = require("@opentelemetry/auto-instrumentations-node");
const { BaggageSpanProcessor } = require("@opentelemetry/baggage-span-processor");
const { OTLPTraceExporter } = require("@opentelemetry/exporter-trace-otlp-proto");
const { NodeSDK } = require("@opentelemetry/sdk-node");
const { BatchSpanProcessor } = require("@opentelemetry/sdk-trace-base");
const { version } = require("./package.json");

process.env.OTEL_RESOURCE_ATTRIBUTES ??= `service.version=${version}`;

const sdk = new NodeSDK({
  serviceName: process.env.OTEL_SERVICE_NAME || "crm-api",
  spanProcessors: [
    new BaggageSpanProcessor((key) => key === "order.id"),
    new BatchSpanProcessor(new OTLPTraceExporter()),
  ],
  instrumentations: [
    getNodeAutoInstrumentations({
      "@opentelemetry/instrumentation-dns": { enabled: false },
      "@opentelemetry/instrumentation-fs": { enabled: false },
      "@opentelemetry/instrumentation-net": { enabled: false },
      "@opentelemetry/instrumentation-express": { ignoreLayersType: ["middleware", "router", "request_handler"] },
      "@opentelemetry/instrumentation-http": { ignoreIncomingRequestHook: (request) => request.url === "/healthz" },
      "@opentelemetry/instrumentation-pg": { requireParentSpan: true },
    }),
  ],
});
sdk.start();

// When the program has nothing more to do, what waits to be sent is sent; the loop goes on for as long as that takes.
process.once("beforeExit", () => sdk.shutdown().catch((error) => console.error(`the last spans were not sent: ${error.message}`)));
