// A trace as its page needs it: typed columns, decoded once from /api/v1/traces/{id}/view. A span is an index into all of
// them; spans stand in depth-first pre-order, so that the subtree of one is [at, at + size[at]). No object a span is made.

export const ORPHAN = 2, OPEN = 4, CRITICAL = 8, ASYNC = 16; // of flags
export const INTERRUPTED = 4; // of marks
export const ERROR = 2; // of status
export const PRODUCER = 4, CONSUMER = 5; // of kind

type Column = number[] | number;

export interface ViewJson {
  trace_id: string; start_ns: string; duration_ns: string; root_service: string; root_name: string; has_root: boolean; root_count: number;
  orphan_count: number; span_count: number; error_count: number; open_count: number; adjusted_count: number;
  names: string[]; services: string[];
  spans: { id: string; parent: Column; depth: Column; service: Column; name: Column; start_ns: Column; duration_ns: Column; kind: Column;
    status: Column; flags: Column; marks: Column; shift_ns: Column };
  critical_path: [span: number, start: number, duration: number, isQueue: number][];
  truncated: boolean; partial: boolean;
}

export interface Trace {
  id: string;
  count: number;
  head: Omit<ViewJson, 'spans' | 'critical_path' | 'names' | 'services'>;
  base: bigint;      // ns since 1970 that all times are relative to
  last: number;      // the last moment that any span tells of, raw
  names: string[];
  services: string[];
  ids: string;       // 16 digits a span
  parent: Int32Array; // -1: none
  depth: Int32Array;
  service: Int32Array;
  name: Int32Array;
  start: Float64Array; // ns, raw
  duration: Float64Array;
  shift: Float64Array; // ns to be added for the adjusted clock
  kind: Uint8Array;
  status: Uint8Array;
  flags: Uint8Array;
  marks: Uint16Array;
  size: Int32Array;         // rows of the subtree, itself included
  brokenBelow: Int32Array;  // failed spans of the subtree, itself not
  open: number[];           // spans without an end, interrupted ones not
  broken: number[];         // spans with an error, and interrupted ones
  path: Path;
}

// The critical path: piece i is of span[i]. Pieces of one span are order[begin[span]] to order[begin[span + 1] - 1], in time.
export interface Path {
  count: number;
  span: Int32Array;
  start: Float64Array; // adjusted
  end: Float64Array;
  isQueue: Uint8Array;
  begin: Int32Array;
  order: Int32Array;
}

interface Numbers { fill(value: number): unknown }

function decode<T extends Numbers>(Kind: { new(from: number | ArrayLike<number>): T }, column: Column, count: number): T {
  if (typeof column !== 'number') return new Kind(column);
  const all = new Kind(count);
  all.fill(column);
  return all;
}

function decodePath(pieces: ViewJson['critical_path'], spans: number): Path {
  const count = pieces.length;
  const path: Path = { count, span: new Int32Array(count), start: new Float64Array(count), end: new Float64Array(count),
    isQueue: new Uint8Array(count), begin: new Int32Array(spans + 1), order: new Int32Array(count) };
  pieces.forEach(([span, start, duration, isQueue], i) => {
    path.span[i] = span;
    path.start[i] = start;
    path.end[i] = start + duration;
    path.isQueue[i] = isQueue;
    path.begin[span + 1]!++;
  });
  for (let i = 0; i < spans; i++) path.begin[i + 1]! += path.begin[i]!;
  const next = path.begin.slice();
  for (let i = 0; i < count; i++) path.order[next[path.span[i]!]!++] = i;
  return path;
}

export function makeTrace(view: ViewJson): Trace {
  const { spans, critical_path: pieces, names, services, ...head } = view;
  const count = spans.id.length / 16;
  const parent = decode(Int32Array, spans.parent, count), status = decode(Uint8Array, spans.status, count);
  const start = decode(Float64Array, spans.start_ns, count), duration = decode(Float64Array, spans.duration_ns, count);
  const flags = decode(Uint8Array, spans.flags, count), marks = decode(Uint16Array, spans.marks, count);
  const size = new Int32Array(count).fill(1), brokenBelow = new Int32Array(count), open: number[] = [], broken: number[] = [];
  let last = 0;
  for (let i = 0; i < count; i++) {
    last = Math.max(last, start[i]! + duration[i]!);
    const isInterrupted = (marks[i]! & INTERRUPTED) !== 0;
    if (flags[i]! & OPEN && !isInterrupted) open.push(i);
    if (status[i] === ERROR || isInterrupted) broken.push(i);
  }
  for (const at of broken) brokenBelow[at]!++;
  for (let i = count - 1; i >= 0; i--) {
    const above = parent[i]!;
    if (above >= 0) {
      size[above]! += size[i]!;
      brokenBelow[above]! += brokenBelow[i]!;
    }
  }
  for (const at of broken) brokenBelow[at]!--;
  return { id: head.trace_id, count, head, base: BigInt(head.start_ns), last, names, services, ids: spans.id, parent, status, start, duration, flags, marks,
    depth: decode(Int32Array, spans.depth, count), service: decode(Int32Array, spans.service, count), name: decode(Int32Array, spans.name, count),
    shift: decode(Float64Array, spans.shift_ns, count), kind: decode(Uint8Array, spans.kind, count), size, brokenBelow, open, broken,
    path: decodePath(pieces, count) };
}

// -- Names of spans in addresses: the id; of the second that has it (Zipkin's halves of a call) the id and `.2`

export function idOf(trace: Trace, at: number): string {
  return trace.ids.slice(16 * at, 16 * at + 16);
}

// The first place of the id from a place on; -1: none.
function findId(trace: Trace, id: string, from: number): number {
  let at = trace.ids.indexOf(id, 16 * from);
  while (at >= 0 && at % 16 !== 0) at = trace.ids.indexOf(id, at + 1);
  return at < 0 ? -1 : at / 16;
}

export function keyOf(trace: Trace, at: number): string {
  const id = idOf(trace, at);
  let nth = 1;
  for (let other = findId(trace, id, 0); other >= 0 && other < at; other = findId(trace, id, other + 1)) nth++;
  return nth === 1 ? id : `${id}.${nth}`;
}

export function spanOf(trace: Trace, key: string): number {
  const [, id, nth] = /^([0-9a-f]{1,16})(?:\.(\d+))?$/.exec(key.toLowerCase()) ?? [];
  if (!id) return -1;
  let at = findId(trace, id.padStart(16, '0'), 0);
  for (let i = 1; i < Number(nth ?? 1) && at >= 0; i++) at = findId(trace, id.padStart(16, '0'), at + 1);
  return at;
}

// -- Times, by either clock

export interface Times {
  start: Float64Array; // ns after origin
  end: Float64Array;
  origin: number;      // ns after trace.base
  length: number;      // of the whole
}

// openUntil: how far spans without an end are drawn, ns after trace.base.
export function timesOf(trace: Trace, isRaw: boolean, openUntil: number): Times {
  const { count } = trace, start = trace.start.slice(), end = new Float64Array(count);
  let origin = Infinity, length = 0;
  for (let i = 0; i < count; i++) {
    if (!isRaw) start[i]! += trace.shift[i]!;
    origin = Math.min(origin, start[i]!);
  }
  for (let i = 0; i < count; i++) {
    const until = trace.flags[i]! & OPEN ? Math.max(start[i]!, (trace.marks[i]! & INTERRUPTED ? trace.last : openUntil)) : start[i]! + trace.duration[i]!;
    start[i]! -= origin;
    end[i] = until - origin;
    length = Math.max(length, end[i]!);
  }
  return { start, end, origin: count ? origin : 0, length };
}

// What a message waited before a span took it: [from, to]; undefined where it did not, or nothing is known.
export function waitOf(trace: Trace, times: Times, at: number): [number, number] | undefined {
  const above = trace.parent[at]!;
  if (above < 0 || !(trace.flags[at]! & ASYNC) || (trace.kind[at] !== CONSUMER && trace.kind[above] !== PRODUCER)) return undefined;
  const from = times.end[above]!, to = times.start[at]!;
  return to > from && !(trace.flags[above]! & OPEN) ? [from, to] : undefined;
}

// -- Rows: the spans that are not folded away

export interface Rows {
  span: Int32Array; // by row
  row: Int32Array;  // by span; -1: folded away
}

export function rowsOf(trace: Trace, folded: Uint8Array): Rows {
  const span = new Int32Array(trace.count), row = new Int32Array(trace.count).fill(-1);
  let rows = 0;
  for (let at = 0; at < trace.count;) {
    row[at] = rows;
    span[rows++] = at;
    at += folded[at] ? trace.size[at]! : 1;
  }
  return { span: span.subarray(0, rows), row };
}

// Those above a span, the nearest first.
export function forebears(trace: Trace, at: number): number[] {
  const found: number[] = [];
  for (let above = trace.parent[at] ?? -1; above >= 0; above = trace.parent[above]!) found.push(above);
  return found;
}
