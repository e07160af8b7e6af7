// What failed first, and what is below or after it.
import { ERROR, INTERRUPTED, Times, Trace } from './columns';

export function isBroken(trace: Trace, at: number): boolean {
  return trace.status[at] === ERROR || (trace.marks[at]! & INTERRUPTED) !== 0;
}

// How far up, without a gap, those above a span failed too.
function failedAbove(trace: Trace, at: number): { count: number; top: number } {
  let count = 0, top = at;
  for (let above = trace.parent[at]!; above >= 0 && isBroken(trace, above); above = trace.parent[above]!) {
    count++;
    top = above;
  }
  return { count, top };
}

export interface Cause { at: number; above: number }

// Of the failed spans that have none below them the one that ended first; one whose failure reached a root goes before one
// that somebody above it took care of, such as a call that was tried again.
export function firstCause(trace: Trace, times: Times): Cause | undefined {
  let best: Cause | undefined, bestReaches = false;
  for (const at of trace.broken) {
    if (trace.brokenBelow[at]! > 0) continue;
    const { count, top } = failedAbove(trace, at), reaches = trace.parent[top] === -1;
    if (!best || (reaches && !bestReaches) || (reaches === bestReaches && times.end[at]! < times.end[best.at]!)) {
      best = { at, above: count };
      bestReaches = reaches;
    }
  }
  return best;
}

// The next or previous of a list of spans in order, round and round; -1: there is none.
export function neighbour(list: ArrayLike<number>, at: number, step: 1 | -1): number {
  if (list.length === 0) return -1;
  if (step > 0) {
    for (let i = 0; i < list.length; i++) if (list[i]! > at) return list[i]!;
    return list[0]!;
  }
  for (let i = list.length - 1; i >= 0; i--) if (list[i]! < at || at < 0) return list[i]!;
  return list[list.length - 1]!;
}

// The spans of the critical path, each once, in the order in which the trace came to them.
export function spansOnPath(trace: Trace): number[] {
  return [...new Set(trace.path.span)];
}

// The next of them; from elsewhere: the first, or the last.
export function alongPath(walk: number[], at: number, step: 1 | -1): number {
  const place = walk.indexOf(at);
  if (place < 0) return walk[step > 0 ? 0 : walk.length - 1] ?? -1;
  return walk[(place + step + walk.length) % walk.length]!;
}

// Where the time went: the critical path by service, and what waited in queues, the longest first.
export interface Share { service: number; isQueue: boolean; total: number; longest: number }

export function sharesOf(trace: Trace): Share[] {
  const byKey = new Map<number, Share & { most: number }>();
  const { path } = trace;
  for (let i = 0; i < path.count; i++) {
    const length = path.end[i]! - path.start[i]!, service = trace.service[path.span[i]!]!, key = path.isQueue[i] ? -1 : service;
    const share = byKey.get(key);
    if (!share) byKey.set(key, { service, isQueue: path.isQueue[i] === 1, total: length, longest: path.span[i]!, most: length });
    else {
      share.total += length;
      if (length > share.most) { share.most = length; share.longest = path.span[i]!; }
    }
  }
  return [...byKey.values()].filter((share) => share.total > 0).sort((a, b) => b.total - a.total);
}
