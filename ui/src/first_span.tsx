// The first page while nothing is stored: how to send the first span. It moves on by itself, see search.tsx.
import { useMemo } from 'preact/hooks';
import { Copy } from './parts';
import { words } from './words';

function hex(bytes: number): string {
  return [...crypto.getRandomValues(new Uint8Array(bytes))].map((byte) => byte.toString(16).padStart(2, '0')).join('');
}

function curlCommand(): string {
  const now = BigInt(Date.now()) * 1000000n;
  const body = { resourceSpans: [{ resource: { attributes: [{ key: 'service.name', value: { stringValue: 'hello' } }] }, scopeSpans: [{ spans: [
    { traceId: hex(16), spanId: hex(8), name: 'first span', kind: 2, startTimeUnixNano: String(now - 42000000n), endTimeUnixNano: String(now) }] }] }] };
  return `curl ${location.origin}/v1/traces -H 'content-type: application/json' -d '${JSON.stringify(body)}'`;
}

// This port takes OTLP over HTTP too, so what is shown is right wherever the page was opened.
function environment(): string {
  return [`export OTEL_SERVICE_NAME=shop-api`, `export OTEL_TRACES_EXPORTER=otlp`, `export OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf`,
    `export OTEL_EXPORTER_OTLP_ENDPOINT=${location.origin}`].join('\n');
}

function Command({ title, text, hint }: { title: string; text: string; hint?: string }) {
  return <div class="command">
    <h2>{title}</h2>
    <div class="code"><pre class="id" tabIndex={0} aria-label={title}>{text}</pre><span class="copy"><Copy text={text} /></span></div>
    {hint && <p class="small dim">{hint}</p>}
  </div>;
}

export function FirstSpan() {
  const curl = useMemo(curlCommand, []), sdk = useMemo(environment, []);
  return <section class="first">
    <h1>{words.emptyTitle}</h1>
    <p class="dim" role="status"><span class="waits" aria-hidden="true" />{words.emptyNext}</p>
    <Command title={words.firstCurl} text={curl} />
    <Command title={words.firstSdk} text={sdk} hint={words.firstSdkHint} />
    <Command title={words.firstCollector} text={`exporters:\n  otlphttp/filigree:\n    endpoint: ${location.origin}`} hint={words.emptySdk(location.hostname)} />
  </section>;
}
