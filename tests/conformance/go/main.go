// Emits one part of scenario.json with the stock OpenTelemetry SDK. Prints the ids that the SDK chose.
package main

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracegrpc"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
)

type value struct {
	StringValue *string  `json:"stringValue"`
	IntValue    *string  `json:"intValue"`
	DoubleValue *float64 `json:"doubleValue"`
	BoolValue   *bool    `json:"boolValue"`
	ArrayValue  *struct {
		Values []value `json:"values"`
	} `json:"arrayValue"`
}

type keyValue struct {
	Key   string   `json:"key"`
	Value value    `json:"value"`
	NotIn []string `json:"not_in"`
}

type span struct {
	ID, Name, Kind, Parent string
	Start, End             int64
	Status                 struct{ Code, Message string }
	Attributes             []keyValue
	Events                 []struct {
		Name       string
		Time       int64
		Attributes []keyValue
	}
	Links []struct {
		TraceID, SpanID, TraceState string
		Attributes                  []keyValue
	}
}

type scenario struct {
	Resource struct {
		SchemaURL  string `json:"schema_url"`
		Attributes []keyValue
	}
	Scope struct {
		Name, Version string
		SchemaURL     string `json:"schema_url"`
	}
	Parts map[string][]span
}

type ids struct {
	TraceID string `json:"traceId"`
	SpanID  string `json:"spanId"`
}

var kinds = map[string]trace.SpanKind{"INTERNAL": trace.SpanKindInternal, "SERVER": trace.SpanKindServer,
	"CLIENT": trace.SpanKindClient, "PRODUCER": trace.SpanKindProducer, "CONSUMER": trace.SpanKindConsumer}

func must(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func integer(text string) int64 {
	number, err := strconv.ParseInt(text, 10, 64)
	must(err)
	return number
}

func list(key string, values []value) attribute.KeyValue {
	var texts []string
	var numbers []int64
	var doubles []float64
	var flags []bool
	for _, item := range values {
		switch {
		case item.StringValue != nil:
			texts = append(texts, *item.StringValue)
		case item.IntValue != nil:
			numbers = append(numbers, integer(*item.IntValue))
		case item.DoubleValue != nil:
			doubles = append(doubles, *item.DoubleValue)
		default:
			flags = append(flags, *item.BoolValue)
		}
	}
	switch {
	case texts != nil:
		return attribute.StringSlice(key, texts)
	case numbers != nil:
		return attribute.Int64Slice(key, numbers)
	case doubles != nil:
		return attribute.Float64Slice(key, doubles)
	}
	return attribute.BoolSlice(key, flags)
}

func attributes(items []keyValue) []attribute.KeyValue {
	var all []attribute.KeyValue
	for _, item := range items {
		if strings.Contains(strings.Join(item.NotIn, " "), "go") {
			continue
		}
		switch v := item.Value; {
		case v.StringValue != nil:
			all = append(all, attribute.String(item.Key, *v.StringValue))
		case v.IntValue != nil:
			all = append(all, attribute.Int64(item.Key, integer(*v.IntValue)))
		case v.DoubleValue != nil:
			all = append(all, attribute.Float64(item.Key, *v.DoubleValue))
		case v.BoolValue != nil:
			all = append(all, attribute.Bool(item.Key, *v.BoolValue))
		default:
			all = append(all, list(item.Key, v.ArrayValue.Values))
		}
	}
	return all
}

func spanContext(traceID, spanID, state string, remote bool) trace.SpanContext {
	config := trace.SpanContextConfig{TraceFlags: trace.FlagsSampled, Remote: remote}
	_, err := hex.Decode(config.TraceID[:], []byte(traceID))
	must(err)
	_, err = hex.Decode(config.SpanID[:], []byte(spanID))
	must(err)
	config.TraceState, err = trace.ParseTraceState(state)
	must(err)
	return trace.NewSpanContext(config)
}

func exporter(ctx context.Context) sdktrace.SpanExporter {
	if os.Getenv("OTEL_EXPORTER_OTLP_PROTOCOL") == "grpc" {
		exporter, err := otlptracegrpc.New(ctx)
		must(err)
		return exporter
	}
	exporter, err := otlptracehttp.New(ctx)
	must(err)
	return exporter
}

func start(ctx context.Context, tracer trace.Tracer, plan span, base int64, open map[string]trace.Span) trace.Span {
	at := func(offset int64) trace.SpanEventOption { return trace.WithTimestamp(time.Unix(0, base+offset)) }
	if plan.Parent == "remote" {
		parent := strings.Split(os.Getenv("TRACEPARENT"), "-")
		ctx = trace.ContextWithRemoteSpanContext(ctx, spanContext(parent[1], parent[2], os.Getenv("TRACESTATE"), true))
	} else if plan.Parent != "" {
		ctx = trace.ContextWithSpan(ctx, open[plan.Parent])
	}
	var links []trace.Link
	for _, link := range plan.Links {
		links = append(links, trace.Link{SpanContext: spanContext(link.TraceID, link.SpanID, link.TraceState, false),
			Attributes: attributes(link.Attributes)})
	}
	_, started := tracer.Start(ctx, plan.Name, at(plan.Start), trace.WithSpanKind(kinds[plan.Kind]),
		trace.WithAttributes(attributes(plan.Attributes)...), trace.WithLinks(links...))
	for _, event := range plan.Events {
		started.AddEvent(event.Name, at(event.Time), trace.WithAttributes(attributes(event.Attributes)...))
	}
	switch plan.Status.Code {
	case "OK":
		started.SetStatus(codes.Ok, "")
	case "ERROR":
		started.SetStatus(codes.Error, plan.Status.Message)
	}
	return started
}

func main() {
	ctx := context.Background()
	text, err := os.ReadFile(os.Args[1])
	must(err)
	var plan scenario
	must(json.Unmarshal(text, &plan))
	base := integer(os.Getenv("CONFORMANCE_BASE_NS"))
	provider := sdktrace.NewTracerProvider(sdktrace.WithBatcher(exporter(ctx)),
		sdktrace.WithResource(resource.NewWithAttributes(plan.Resource.SchemaURL, attributes(plan.Resource.Attributes)...)))
	tracer := provider.Tracer(plan.Scope.Name, trace.WithInstrumentationVersion(plan.Scope.Version),
		trace.WithSchemaURL(plan.Scope.SchemaURL))
	open := map[string]trace.Span{}
	said := map[string]ids{}
	for _, one := range plan.Parts[os.Args[2]] {
		open[one.ID] = start(ctx, tracer, one, base, open)
		context := open[one.ID].SpanContext()
		said[one.ID] = ids{context.TraceID().String(), context.SpanID().String()}
	}
	for _, one := range plan.Parts[os.Args[2]] {
		open[one.ID].End(trace.WithTimestamp(time.Unix(0, base+one.End)))
	}
	must(provider.ForceFlush(ctx))
	must(provider.Shutdown(ctx))
	must(json.NewEncoder(os.Stdout).Encode(said))
}
