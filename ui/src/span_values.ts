// What a span holds, as OTLP JSON has it: values as text, and the conditions that find them again.

import { quoted, written } from './query';

export { quoted, written };

interface Value {
  stringValue?: string; intValue?: string | number; doubleValue?: number | string; boolValue?: boolean; bytesValue?: string;
  arrayValue?: { values?: Value[] }; kvlistValue?: { values?: Pair[] };
}
export interface Pair { key: string; value?: Value }
interface RawEvent { timeUnixNano?: string; name?: string; attributes?: Pair[] }
interface RawLink { traceId?: string; spanId?: string; attributes?: Pair[] }
export interface RawSpan {
  traceId: string; spanId: string; parentSpanId?: string; name?: string; kind?: number | string; startTimeUnixNano?: string;
  endTimeUnixNano?: string; attributes?: Pair[]; events?: RawEvent[]; links?: RawLink[];
  status?: { code?: number | string; message?: string }; droppedAttributesCount?: number; droppedEventsCount?: number; droppedLinksCount?: number;
}
export interface Scope { name?: string; version?: string }
export interface OtlpTrace {
  resourceSpans?: { resource?: { attributes?: Pair[] }; scopeSpans?: { scope?: Scope; spans?: RawSpan[] }[] }[];
}

export interface Attribute { key: string; text: string; filter?: string }

const KINDS = ['unspecified', 'internal', 'server', 'client', 'producer', 'consumer'];

export function kindOf(kind: number | string | undefined): string {
  if (typeof kind === 'string') return kind.replace('SPAN_KIND_', '').toLowerCase();
  return KINDS[kind ?? 0] ?? String(kind);
}

function textOf(value: Value | undefined): string {
  if (!value) return '';
  if (value.stringValue !== undefined) return value.stringValue;
  if (value.intValue !== undefined) return String(value.intValue);
  if (value.doubleValue !== undefined) return String(value.doubleValue);
  if (value.boolValue !== undefined) return String(value.boolValue);
  if (value.bytesValue !== undefined) return value.bytesValue;
  if (value.arrayValue) return `[${(value.arrayValue.values ?? []).map(textOf).join(', ')}]`;
  if (value.kvlistValue) return `{${(value.kvlistValue.values ?? []).map((pair) => `${pair.key}: ${textOf(pair.value)}`).join(', ')}}`;
  return '';
}

const FILTER_MAX = 300; // longer values make no condition that one would send to somebody

// Keys that are fields of the search language: a dot before them means the attribute.
const FIELDS = /^(service|name|operation|kind|status(\.message)?|duration|open|root(\.(service|name))?|(trace|span|parent)_id|scope(\.version)?|event|trace\.(duration|spans|errors))$/;

// The condition that finds this value. owner: `event.` or `link.`; empty for spans and resources.
function filterOf(pair: Pair, owner: string): string | undefined {
  const value = pair.value;
  if (!value || !/^[\p{L}_][\p{L}\p{N}_.\-/]*$/u.test(pair.key)) return undefined;
  const key = (owner || (FIELDS.test(pair.key) ? '.' : '')) + pair.key;
  if (value.stringValue !== undefined)
    return value.stringValue.length <= FILTER_MAX ? `${key}=${quoted(value.stringValue)}` : undefined;
  if (value.intValue !== undefined || value.doubleValue !== undefined || value.boolValue !== undefined)
    return `${key}=${textOf(value)}`;
  return undefined;
}

export function attributesOf(pairs: Pair[] | undefined, owner = ''): Attribute[] {
  return (pairs ?? []).map((pair) => ({ key: pair.key, text: textOf(pair.value), filter: filterOf(pair, owner) }));
}

export interface WholeSpan { span: RawSpan; scope?: Scope; resource: Pair[]; service: string }

// All that an answer holds.
export function spansOf(raw: OtlpTrace): WholeSpan[] {
  const found: WholeSpan[] = [];
  for (const { resource, scopeSpans } of raw.resourceSpans ?? []) {
    const attributes = resource?.attributes ?? [];
    const service = textOf(attributes.find((pair) => pair.key === 'service.name')?.value);
    for (const { scope, spans } of scopeSpans ?? [])
      for (const span of spans ?? []) found.push({ span, scope, resource: attributes, service });
  }
  return found;
}

// Of the first of them that tells why it failed: the status's words, or else the exception's.
export function messageOf(raw: OtlpTrace): string {
  for (const { span } of spansOf(raw)) {
    if (span.status?.message) return span.status.message;
    for (const event of span.events ?? [])
      for (const pair of event.attributes ?? [])
        if (pair.key === 'exception.message' && textOf(pair.value)) return textOf(pair.value);
  }
  return '';
}

// What is known of the end of a process that died.
export function deathOf(raw: OtlpTrace): string {
  for (const { span } of spansOf(raw))
    for (const pair of span.attributes ?? []) if (pair.key === 'filigree.interrupted.cause') return textOf(pair.value);
  return '';
}
