// OpenTelemetry in the page: the stock web SDK. Fetches are spans by the stock instrumentation and carry traceparent and baggage to the
// page's own API; what a person does is a span of act.ts. Spans go to the address of /config.json as OTLP/HTTP JSON.
import { propagation, trace, type Context } from "@opentelemetry/api";
import { OTLPTraceExporter } from "@opentelemetry/exporter-trace-otlp-http";
import { registerInstrumentations } from "@opentelemetry/instrumentation";
import { FetchInstrumentation } from "@opentelemetry/instrumentation-fetch";
import { defaultResource, resourceFromAttributes } from "@opentelemetry/resources";
import type { ReadableSpan, Span, SpanProcessor } from "@opentelemetry/sdk-trace-base";
import { BatchSpanProcessor, StackContextManager, WebTracerProvider } from "@opentelemetry/sdk-trace-web";

const VERSION = "2.3.0";

/** The company's own hook: the order's number, which travels as baggage, stands on every span. */
class OrderOnSpans implements SpanProcessor {
  onStart(span: Span, parent: Context): void {
    const entry = propagation.getBaggage(parent)?.getEntry("order.id");
    if (entry) span.setAttribute("order.id", entry.value);
  }
  onEnd(_: ReadableSpan): void {}
  forceFlush(): Promise<void> {
    return Promise.resolve();
  }
  shutdown(): Promise<void> {
    return Promise.resolve();
  }
}

/** Begins tracing, unless `endpoint` is empty: then the page works without. */
export function startTracing(service: string, endpoint: string): void {
  if (!endpoint) return;
  // Headers, if only an empty set, make the exporter use requests rather than beacons: those bring credentials along, and tell of no failure.
  const exporter = new OTLPTraceExporter({ url: `${endpoint.replace(/\/$/, "")}/v1/traces`, headers: {} });
  const provider = new WebTracerProvider({
    resource: defaultResource().merge(resourceFromAttributes({ "service.name": service, "service.version": VERSION })),
    spanProcessors: [new OrderOnSpans(), new BatchSpanProcessor(exporter, { scheduledDelayMillis: 500 })],
  });
  // Contexts are passed on by hand (act.ts), so the simplest manager will do.
  provider.register({ contextManager: new StackContextManager() });
  registerInstrumentations({
    instrumentations: [new FetchInstrumentation({ semconvStabilityOptIn: "http", ignoreUrls: [/\.json$/] })],
  });
  document.addEventListener("visibilitychange", () => {
    if (document.visibilityState === "hidden") void provider.forceFlush();
  });
}

export const tracer = trace.getTracer("page", VERSION);
