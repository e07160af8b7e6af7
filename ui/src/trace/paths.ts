// The spans of a trace by their way from the root: those that have the same service and name, under the same, are one node.
// Flame graph and comparison are pictures of this tree; two traces may be put into one.
import { ASYNC, OPEN, Times, Trace } from './columns';
import { isBroken } from './cause';

export interface Node {
  service: string;
  name: string;
  depth: number;
  parent: number;     // index, -1: none
  children: number[]; // by total time, the longest first
  side: [Sums, Sums]; // of the first and the second trace
}

export interface Sums {
  count: number;
  total: number;  // ns of the spans, one after another
  self: number;   // ns in which they did not wait for a child
  busy: number;   // self of the node and all below it
  errors: number;
  open: number;
  first: number;  // a span of it, the earliest; -1: there is none
  longest: number; // the span that took longest
  start: number;  // ns, of the earliest
  end: number;    // ns, of the latest
}

function noSums(): Sums {
  return { count: 0, total: 0, self: 0, busy: 0, errors: 0, open: 0, first: -1, longest: -1, start: Infinity, end: 0 };
}

// By span: the ns in which no child of it ran that it waited for. Children stand in order of their starts.
export function selfTimes(trace: Trace, times: Times): Float64Array {
  const self = new Float64Array(trace.count), covered = times.start.slice();
  for (let at = 0; at < trace.count; at++) {
    self[at]! += times.end[at]! - times.start[at]!;
    const above = trace.parent[at]!;
    if (above < 0 || trace.flags[at]! & ASYNC) continue;
    const from = Math.max(times.start[at]!, covered[above]!), to = Math.min(times.end[at]!, times.end[above]!);
    if (to > from) {
      self[above]! -= to - from;
      covered[above] = to;
    }
  }
  return self;
}

export interface PathTree {
  nodes: Node[];
  roots: number[];
  of: [Int32Array, Int32Array]; // by span of each trace: its node
}

export function pathsOf(traces: { trace: Trace; times: Times }[]): PathTree {
  const nodes: Node[] = [], known = new Map<string, number>(), roots: number[] = [], of: [Int32Array, Int32Array] = [new Int32Array(0), new Int32Array(0)];
  traces.forEach(({ trace, times }, side) => {
    const self = selfTimes(trace, times), nodeOf = new Int32Array(trace.count);
    of[side as 0 | 1] = nodeOf;
    // Numbers stand for the texts while one trace is read; a map by text joins the traces.
    const seen = new Map<number, number>(), width = trace.services.length * trace.names.length;
    for (let at = 0; at < trace.count; at++) {
      const above = trace.parent[at]!, parent = above < 0 ? -1 : nodeOf[above]!;
      const number = (parent + 1) * width + trace.service[at]! * trace.names.length + trace.name[at]!;
      let index = seen.get(number);
      if (index === undefined) {
        const service = trace.services[trace.service[at]!]!, name = trace.names[trace.name[at]!]!;
        const key = traces.length > 1 ? `${parent}\u0000${service}\u0000${name}` : '';
        index = key ? known.get(key) : undefined;
        if (index === undefined) {
          index = nodes.length;
          if (key) known.set(key, index);
          nodes.push({ service, name, depth: parent < 0 ? 0 : nodes[parent]!.depth + 1, parent, children: [], side: [noSums(), noSums()] });
          (parent < 0 ? roots : nodes[parent]!.children).push(index);
        }
        seen.set(number, index);
      }
      nodeOf[at] = index;
      const sums = nodes[index]!.side[side as 0 | 1], length = times.end[at]! - times.start[at]!;
      if (sums.longest < 0 || length > times.end[sums.longest]! - times.start[sums.longest]!) sums.longest = at;
      if (sums.first < 0 || times.start[at]! < sums.start) sums.first = at;
      sums.count++;
      sums.total += length;
      sums.self += self[at]!;
      sums.start = Math.min(sums.start, times.start[at]!);
      sums.end = Math.max(sums.end, times.end[at]!);
      if (isBroken(trace, at)) sums.errors++;
      if (trace.flags[at]! & OPEN) sums.open++;
    }
  });
  for (let i = nodes.length - 1; i >= 0; i--) {
    const node = nodes[i]!;
    for (const side of [0, 1] as const) {
      node.side[side].busy += node.side[side].self;
      if (node.parent >= 0) nodes[node.parent]!.side[side].busy += node.side[side].busy;
    }
  }
  const longestFirst = (a: number, b: number) => nodes[b]!.side[0].busy + nodes[b]!.side[1].busy - nodes[a]!.side[0].busy - nodes[a]!.side[1].busy;
  for (const node of nodes) node.children.sort(longestFirst);
  roots.sort(longestFirst);
  return { nodes, roots, of };
}
