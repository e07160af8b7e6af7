// A trace as its page needs it: spans in the order of a tree, made from OTLP JSON.
//
// order: parents before their children, siblings by start. A span's subtree is order[at] to order[at + size - 1], so that
// folding is a step over `size` rows. A span whose parent is not there, or that is its own forebear, stands at the top.

interface Value {
  stringValue?: string; intValue?: string | number; doubleValue?: number | string; boolValue?: boolean; bytesValue?: string;
  arrayValue?: { values?: Value[] }; kvlistValue?: { values?: Pair[] };
}
interface Pair { key: string; value?: Value }
interface RawEvent { timeUnixNano?: string; name?: string; attributes?: Pair[] }
interface RawLink { traceId?: string; spanId?: string; attributes?: Pair[] }
interface RawSpan {
  traceId: string; spanId: string; parentSpanId?: string; name?: string; kind?: number | string; startTimeUnixNano?: string;
  endTimeUnixNano?: string; attributes?: Pair[]; events?: RawEvent[]; links?: RawLink[];
  status?: { code?: number | string; message?: string }; droppedAttributesCount?: number; droppedEventsCount?: number; droppedLinksCount?: number;
}
interface Scope { name?: string; version?: string }
export interface OtlpTrace {
  resourceSpans?: { resource?: { attributes?: Pair[] }; scopeSpans?: { scope?: Scope; spans?: RawSpan[] }[] }[];
}

export interface Span {
  id: string; parentId: string; name: string; service: string; raw: RawSpan; scope?: Scope; resource: Pair[];
  start: number; // ns after the trace's start
  end: number;   // of an open one: the trace's end
  isOpen: boolean; isError: boolean; isOrphan: boolean;
  depth: number; size: number; // rows of its subtree, itself included
  errorsBelow: number;
}

export interface Trace {
  order: Span[];
  base: bigint; // ns since 1970
  length: number; // ns
  services: string[];
  errors: number;
  open: number;
  at: Map<string, number>; // a span's place in order
}

export interface Attribute { key: string; text: string; filter?: string }

const KINDS = ['unspecified', 'internal', 'server', 'client', 'producer', 'consumer'];

export function kindOf(kind: number | string | undefined): string {
  if (typeof kind === 'string') return kind.replace('SPAN_KIND_', '').toLowerCase();
  return KINDS[kind ?? 0] ?? String(kind);
}

export function statusOf(span: Span): 'error' | 'ok' | 'unset' {
  if (span.isError) return 'error';
  const code = span.raw.status?.code;
  return code === 1 || code === 'STATUS_CODE_OK' ? 'ok' : 'unset';
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

export function quoted(text: string): string {
  return `"${text.replace(/\\/g, '\\\\').replace(/"/g, '\\"').replace(/\n/g, '\\n').replace(/\t/g, '\\t')}"`;
}

// A value as a condition writes it: bare where it can't be misread.
export function written(text: string): string {
  return /^[\p{L}\p{N}_][\p{L}\p{N}_.\-/@+]*$/u.test(text) ? text : quoted(text);
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

function flatten(raw: OtlpTrace): Span[] {
  const spans: Span[] = [];
  for (const { resource, scopeSpans } of raw.resourceSpans ?? []) {
    const attributes = resource?.attributes ?? [];
    const service = textOf(attributes.find((pair) => pair.key === 'service.name')?.value);
    for (const { scope, spans: raws } of scopeSpans ?? [])
      for (const one of raws ?? [])
        spans.push({ id: one.spanId, parentId: one.parentSpanId ?? '', name: one.name ?? '', service, raw: one, scope,
          resource: attributes, start: 0, end: 0, isOpen: !one.endTimeUnixNano || one.endTimeUnixNano === '0',
          isError: one.status?.code === 2 || one.status?.code === 'STATUS_CODE_ERROR', isOrphan: false, depth: 0, size: 1, errorsBelow: 0 });
  }
  return spans;
}

// Sets the times relative to the first start. Returns that, and the length.
function place(spans: Span[]): { base: bigint; length: number } {
  const starts = spans.map((span) => BigInt(span.raw.startTimeUnixNano ?? '0'));
  const base = starts.reduce((least, start) => (start < least ? start : least), starts[0] ?? 0n);
  let length = 0;
  spans.forEach((span, index) => {
    span.start = Number(starts[index]! - base);
    span.end = span.isOpen ? span.start : Math.max(span.start, Number(BigInt(span.raw.endTimeUnixNano!) - base));
    length = Math.max(length, span.end);
  });
  for (const span of spans) if (span.isOpen) span.end = length;
  return { base, length };
}

function childrenOf(spans: Span[], byId: Map<string, Span>): { roots: Span[]; children: Map<Span, Span[]> } {
  const roots: Span[] = [], children = new Map<Span, Span[]>();
  for (const span of spans) {
    // Both ends of a Zipkin call may share one id: the second stands under the first.
    const twin = byId.get(span.id);
    const parent = twin && twin !== span ? twin : byId.get(span.parentId);
    span.isOrphan = span.parentId !== '' && !parent;
    if (!parent || parent === span) roots.push(span);
    else if (children.has(parent)) children.get(parent)!.push(span);
    else children.set(parent, [span]);
  }
  return { roots, children };
}

function inOrder(spans: Span[]): Span[] {
  spans.sort((a, b) => a.start - b.start || b.end - a.end);
  const byId = new Map<string, Span>();
  for (const span of spans) if (!byId.has(span.id)) byId.set(span.id, span);
  const { roots, children } = childrenOf(spans, byId);
  const order: Span[] = [], seen = new Set<Span>();
  const walk = (root: Span) => {
    const waiting = [root];
    root.depth = 0;
    for (let span = waiting.pop(); span; span = waiting.pop()) {
      if (seen.has(span)) continue;
      seen.add(span);
      order.push(span);
      const below = children.get(span) ?? [];
      for (let i = below.length - 1; i >= 0; i--) {
        if (seen.has(below[i]!)) continue;
        below[i]!.depth = span.depth + 1;
        waiting.push(below[i]!);
      }
    }
  };
  roots.forEach(walk);
  for (const span of spans) if (!seen.has(span)) walk(span); // rings of parents
  return order;
}

// Sizes and errors of subtrees, from the last row up.
function sum(order: Span[]): void {
  const path: number[] = [];
  const close = (depth: number) => {
    while (path.length > depth) {
      const span = order[path.pop()!]!, parent = path.length ? order[path[path.length - 1]!] : undefined;
      if (!parent) continue;
      parent.size += span.size;
      parent.errorsBelow += span.errorsBelow + (span.isError ? 1 : 0);
    }
  };
  order.forEach((span, at) => { close(span.depth); path.push(at); });
  close(0);
}

export function makeTrace(raw: OtlpTrace): Trace {
  const spans = flatten(raw);
  const { base, length } = place(spans);
  const order = inOrder(spans);
  sum(order);
  const at = new Map<string, number>();
  order.forEach((span, index) => { if (!at.has(span.id)) at.set(span.id, index); });
  return { order, base, length, at, services: [...new Set(order.map((span) => span.service))],
    errors: order.filter((span) => span.isError).length, open: order.filter((span) => span.isOpen).length };
}

// The error that ended first among those that have no error below them.
export function firstError(trace: Trace): Span | undefined {
  let found: Span | undefined;
  for (const span of trace.order)
    if (span.isError && span.errorsBelow === 0 && (!found || span.end < found.end)) found = span;
  return found;
}

// Places in order of the rows that are not folded away.
export function visibleRows(trace: Trace, folded: ReadonlySet<string>): number[] {
  const rows: number[] = [];
  for (let at = 0; at < trace.order.length;) {
    const span = trace.order[at]!;
    rows.push(at);
    at += folded.has(span.id) ? span.size : 1;
  }
  return rows;
}

// The places of a row's forebears.
export function forebears(trace: Trace, at: number): Span[] {
  const found: Span[] = [];
  let depth = trace.order[at]?.depth ?? 0;
  for (let i = at - 1; i >= 0 && depth > 0; i--)
    if (trace.order[i]!.depth < depth) { found.push(trace.order[i]!); depth = trace.order[i]!.depth; }
  return found;
}
