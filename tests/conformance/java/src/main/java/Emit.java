import io.opentelemetry.api.common.AttributeKey;
import io.opentelemetry.api.common.Attributes;
import io.opentelemetry.api.common.AttributesBuilder;
import io.opentelemetry.api.trace.Span;
import io.opentelemetry.api.trace.SpanBuilder;
import io.opentelemetry.api.trace.SpanContext;
import io.opentelemetry.api.trace.SpanKind;
import io.opentelemetry.api.trace.StatusCode;
import io.opentelemetry.api.trace.TraceFlags;
import io.opentelemetry.api.trace.TraceState;
import io.opentelemetry.api.trace.TraceStateBuilder;
import io.opentelemetry.api.trace.Tracer;
import io.opentelemetry.context.Context;
import io.opentelemetry.sdk.autoconfigure.AutoConfiguredOpenTelemetrySdk;
import io.opentelemetry.sdk.resources.Resource;
import io.opentelemetry.sdk.trace.SdkTracerProvider;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import org.json.JSONArray;
import org.json.JSONObject;

/** Emits one part of scenario.json with the stock OpenTelemetry SDK. Prints the ids that the SDK chose. */
public final class Emit {
  private static final long BASE_NS = Long.parseLong(System.getenv("CONFORMANCE_BASE_NS"));

  private static void putList(AttributesBuilder all, String key, JSONArray values) {
    List<String> texts = new ArrayList<>();
    List<Long> numbers = new ArrayList<>();
    List<Double> doubles = new ArrayList<>();
    List<Boolean> flags = new ArrayList<>();
    for (int i = 0; i < values.length(); i++) {
      JSONObject value = values.getJSONObject(i);
      if (value.has("stringValue")) {
        texts.add(value.getString("stringValue"));
      } else if (value.has("intValue")) {
        numbers.add(Long.parseLong(value.getString("intValue")));
      } else if (value.has("doubleValue")) {
        doubles.add(value.getDouble("doubleValue"));
      } else {
        flags.add(value.getBoolean("boolValue"));
      }
    }
    if (!texts.isEmpty()) {
      all.put(AttributeKey.stringArrayKey(key), texts);
    } else if (!numbers.isEmpty()) {
      all.put(AttributeKey.longArrayKey(key), numbers);
    } else if (!doubles.isEmpty()) {
      all.put(AttributeKey.doubleArrayKey(key), doubles);
    } else {
      all.put(AttributeKey.booleanArrayKey(key), flags);
    }
  }

  private static Attributes attributes(JSONArray items) {
    AttributesBuilder all = Attributes.builder();
    for (int i = 0; i < items.length(); i++) {
      JSONObject item = items.getJSONObject(i);
      if (item.has("not_in") && item.getJSONArray("not_in").toList().contains("java")) {
        continue;
      }
      String key = item.getString("key");
      JSONObject value = item.getJSONObject("value");
      if (value.has("stringValue")) {
        all.put(key, value.getString("stringValue"));
      } else if (value.has("intValue")) {
        all.put(key, Long.parseLong(value.getString("intValue")));
      } else if (value.has("doubleValue")) {
        all.put(key, value.getDouble("doubleValue"));
      } else if (value.has("boolValue")) {
        all.put(key, value.getBoolean("boolValue"));
      } else {
        putList(all, key, value.getJSONObject("arrayValue").getJSONArray("values"));
      }
    }
    return all.build();
  }

  private static TraceState state(String text) {
    TraceStateBuilder builder = TraceState.builder();
    String[] pairs = text.isEmpty() ? new String[0] : text.split(",");
    for (int i = pairs.length - 1; i >= 0; i--) { // what is put last stands first
      builder.put(pairs[i].substring(0, pairs[i].indexOf('=')), pairs[i].substring(pairs[i].indexOf('=') + 1));
    }
    return builder.build();
  }

  private static Span start(Tracer tracer, JSONObject plan, Map<String, Span> open) {
    SpanBuilder builder = tracer.spanBuilder(plan.getString("name"))
        .setSpanKind(SpanKind.valueOf(plan.getString("kind")))
        .setStartTimestamp(BASE_NS + plan.getLong("start"), TimeUnit.NANOSECONDS)
        .setAllAttributes(attributes(plan.getJSONArray("attributes")));
    String parent = plan.optString("parent");
    if (parent.equals("remote")) {
      String[] parts = System.getenv("TRACEPARENT").split("-");
      builder.setParent(Context.root().with(Span.wrap(SpanContext.createFromRemoteParent(
          parts[1], parts[2], TraceFlags.fromHex(parts[3], 0), state(System.getenv("TRACESTATE"))))));
    } else if (parent.isEmpty()) {
      builder.setNoParent();
    } else {
      builder.setParent(Context.root().with(open.get(parent)));
    }
    for (Object item : plan.getJSONArray("links")) {
      JSONObject link = (JSONObject) item;
      builder.addLink(SpanContext.create(link.getString("traceId"), link.getString("spanId"), TraceFlags.getSampled(),
          state(link.getString("traceState"))), attributes(link.getJSONArray("attributes")));
    }
    Span span = builder.startSpan();
    for (Object item : plan.getJSONArray("events")) {
      JSONObject event = (JSONObject) item;
      span.addEvent(event.getString("name"), attributes(event.getJSONArray("attributes")),
          BASE_NS + event.getLong("time"), TimeUnit.NANOSECONDS);
    }
    JSONObject status = plan.getJSONObject("status");
    if (!status.getString("code").equals("UNSET")) {
      span.setStatus(StatusCode.valueOf(status.getString("code")), status.optString("message"));
    }
    return span;
  }

  public static void main(String[] arguments) throws Exception {
    JSONObject scenario = new JSONObject(Files.readString(Path.of(arguments[0])));
    JSONArray plans = scenario.getJSONObject("parts").getJSONArray(arguments[1]);
    JSONObject resource = scenario.getJSONObject("resource");
    JSONObject scope = scenario.getJSONObject("scope");
    SdkTracerProvider provider = AutoConfiguredOpenTelemetrySdk.builder()
        .addPropertiesSupplier(() -> Map.of("otel.metrics.exporter", "none", "otel.logs.exporter", "none"))
        .addResourceCustomizer((own, config) -> Resource.create(attributes(resource.getJSONArray("attributes")), resource.getString("schema_url")))
        .disableShutdownHook()
        .build()
        .getOpenTelemetrySdk()
        .getSdkTracerProvider();
    Tracer tracer = provider.tracerBuilder(scope.getString("name"))
        .setInstrumentationVersion(scope.getString("version"))
        .setSchemaUrl(scope.getString("schema_url"))
        .build();
    Map<String, Span> open = new LinkedHashMap<>();
    JSONObject ids = new JSONObject();
    for (Object item : plans) {
      JSONObject plan = (JSONObject) item;
      Span span = start(tracer, plan, open);
      open.put(plan.getString("id"), span);
      ids.put(plan.getString("id"), Map.of(
          "traceId", span.getSpanContext().getTraceId(), "spanId", span.getSpanContext().getSpanId()));
    }
    for (Object item : plans) {
      JSONObject plan = (JSONObject) item;
      open.get(plan.getString("id")).end(BASE_NS + plan.getLong("end"), TimeUnit.NANOSECONDS);
    }
    boolean sent = provider.forceFlush().join(30, TimeUnit.SECONDS).isSuccess();
    provider.shutdown().join(30, TimeUnit.SECONDS);
    System.out.println(ids);
    if (!sent) {
      System.err.println("the spans could not be sent");
      System.exit(1);
    }
    System.exit(0); // the exporters' threads would live on for a while
  }
}
