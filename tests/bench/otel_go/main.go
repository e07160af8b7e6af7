// The rows of bench_sdk, of the stock OpenTelemetry SDK for Go: the same spans, made and sent in the
// same rounds, to the sink that OTEL_EXPORTER_OTLP_ENDPOINT names.
package main

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"sort"
	"sync"
	"syscall"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
)

const (
	roundSpans = 2000
	rounds     = 60
	runs       = 3
)

type row struct {
	name       string
	attributes int
	event      bool
	sampled    bool
}

var rows = []row{
	{"not sampled, under a parent", 4, false, false},
	{"recorded, no attributes", 0, false, true},
	{"recorded, 4 attributes", 4, false, true},
	{"recorded, 8 attributes", 8, false, true},
	{"recorded, 8 attributes, an event", 8, true, true},
}

func must(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "otel-go:", err)
		os.Exit(1)
	}
}

func oneSpan(tracer trace.Tracer, ctx context.Context, row *row) {
	_, span := tracer.Start(ctx, "price.calculate")
	if row.attributes >= 4 {
		span.SetAttributes(
			attribute.String("http.request.method", "POST"),
			attribute.String("url.path", "/orders/4711/price"),
			attribute.Int("http.response.status_code", 200),
			attribute.String("order.id", "ORD-4711"))
	}
	if row.attributes >= 8 {
		span.SetAttributes(
			attribute.String("server.address", "mes.example.org"),
			attribute.Int("server.port", 8080),
			attribute.Float64("price.amount", 1249.5),
			attribute.Bool("price.final", true))
	}
	if row.event {
		span.AddEvent("model.loaded", trace.WithAttributes(attribute.Int("mesh.triangles", 184211)))
	}
	span.End()
}

func contextOf(row *row) context.Context {
	if row.sampled {
		return context.Background()
	}
	parent := trace.NewSpanContext(trace.SpanContextConfig{TraceID: trace.TraceID{1}, SpanID: trace.SpanID{1}})
	return trace.ContextWithSpanContext(context.Background(), parent)
}

// The median of some rounds, of each thread; between rounds all is sent, unmeasured.
func runOnce(provider *sdktrace.TracerProvider, row *row, threads int) float64 {
	tracer := provider.Tracer("bench")
	sums := make([]float64, threads)
	var group sync.WaitGroup
	for i := 0; i < threads; i++ {
		group.Add(1)
		go func(i int) {
			defer group.Done()
			runtime.LockOSThread()
			ctx := contextOf(row)
			times := make([]float64, rounds)
			for round := range times {
				if row.sampled {
					must(provider.ForceFlush(context.Background()))
				}
				begin := time.Now()
				for k := 0; k < roundSpans; k++ {
					oneSpan(tracer, ctx, row)
				}
				times[round] = float64(time.Since(begin).Nanoseconds()) / roundSpans
			}
			sort.Float64s(times)
			sums[i] = times[rounds/2]
		}(i)
	}
	group.Wait()
	sum := 0.0
	for _, one := range sums {
		sum += one
	}
	return sum / float64(threads)
}

func best(provider *sdktrace.TracerProvider, row *row, threads int) float64 {
	least := runOnce(provider, row, threads)
	for i := 1; i < runs; i++ {
		if one := runOnce(provider, row, threads); one < least {
			least = one
		}
	}
	return least
}

func allocated(provider *sdktrace.TracerProvider, row *row) uint64 {
	var before, after runtime.MemStats
	tracer, ctx := provider.Tracer("bench"), contextOf(row)
	runtime.ReadMemStats(&before)
	for k := 0; k < 400; k++ {
		oneSpan(tracer, ctx, row)
	}
	runtime.ReadMemStats(&after)
	return (after.TotalAlloc - before.TotalAlloc) / 400
}

func cpuTime() time.Duration {
	var usage syscall.Rusage
	must(syscall.Getrusage(syscall.RUSAGE_SELF, &usage))
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

func main() {
	ctx := context.Background()
	// A busy machine is no failure: its ten seconds are made a minute.
	exporter, err := otlptracehttp.New(ctx, otlptracehttp.WithInsecure(), otlptracehttp.WithTimeout(time.Minute))
	must(err)
	provider := sdktrace.NewTracerProvider(sdktrace.WithBatcher(exporter, sdktrace.WithMaxQueueSize(16384), sdktrace.WithExportTimeout(time.Minute)))
	name := "Go " + otel.Version()
	for i := range rows {
		row := &rows[i]
		fmt.Printf("%-34s %-9s %6.1fns %7.1fns %7s %7d %7s\n", row.name, name, best(provider, row, 1), best(provider, row, 2), "-",
			allocated(provider, row), "-")
	}
	begin := cpuTime()
	for i := 0; i < 60; i++ {
		for k := 0; k < roundSpans; k++ {
			oneSpan(provider.Tracer("bench"), ctx, &rows[2])
		}
		must(provider.ForceFlush(ctx))
	}
	fmt.Printf("%-34s %-9s %6.1fns\n", "process time, export included", name, float64(cpuTime()-begin)/60/roundSpans)
	must(provider.Shutdown(ctx))
}
