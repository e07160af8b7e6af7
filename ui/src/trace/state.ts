// What the address says of the trace page, and what it says after a change. Everything that is shown follows from it.
import { amend } from '../address';
import { Trace, forebears, keyOf, spanOf } from './columns';

export const VIEWS = ['waterfall', 'flame', 'table', 'compare'] as const;
export type View = typeof VIEWS[number];

export interface State {
  view: View;
  span: string;                          // key of the chosen one
  zoom?: { from: number; to: number };   // ns after the trace's begin
  isRaw: boolean;                        // the clocks as sent
  find: string;
  closed: string;                        // keys of folded spans, or `all`, of which `open` has the exceptions
  open: string;
  sort: string;                          // table: column; with `-` before it the smallest first
  by: 'operation' | 'service';
  at: string;                            // flame: the span whose path is the widest
  with: string;                          // compare: the other trace
  diff: 'merged' | 'sides';
}

function zoomOf(text: string | null): State['zoom'] {
  const [, from, to] = /^(\d{1,18})-(\d{1,18})$/.exec(text ?? '') ?? [];
  return from && to && Number(to) > Number(from) ? { from: Number(from), to: Number(to) } : undefined;
}

export function stateOf(params: URLSearchParams): State {
  const text = (name: string) => params.get(name) ?? '';
  return { view: VIEWS.find((one) => one === params.get('view')) ?? 'waterfall', span: text('span'), zoom: zoomOf(params.get('zoom')),
    isRaw: params.get('clock') === 'raw', find: text('find'), closed: text('closed'), open: text('open'), sort: text('sort'),
    by: params.get('by') === 'service' ? 'service' : 'operation', at: text('at'), with: text('with'), diff: params.get('diff') === 'sides' ? 'sides' : 'merged' };
}

export function zoomTo(from: number, to: number, length: number): void {
  const least = Math.max(0, Math.floor(from)), most = Math.min(Math.ceil(length), Math.ceil(to));
  amend({ zoom: (least <= 0 && most >= length) || most <= least ? undefined : `${least}-${most}` });
}

const LISTED_MAX = 100; // keys in an address, which stays shorter than a server takes; the oldest are forgotten

function listed(text: string): string[] {
  return text ? text.split(',') : [];
}

export function foldedOf(trace: Trace, state: State): Uint8Array {
  const folded = new Uint8Array(trace.count), isAll = state.closed === 'all';
  if (isAll) for (let at = 0; at < trace.count; at++) folded[at] = trace.size[at]! > 1 ? 1 : 0;
  for (const key of listed(isAll ? state.open : state.closed)) {
    const at = spanOf(trace, key);
    if (at >= 0 && trace.size[at]! > 1) folded[at] = isAll ? 0 : 1;
  }
  return folded;
}

// What the address says when these are folded or opened.
export function folding(trace: Trace, state: State, spans: number[], to: boolean): Record<string, string> {
  const isAll = state.closed === 'all', list = new Set(listed(isAll ? state.open : state.closed));
  for (const at of spans) {
    const key = keyOf(trace, at);
    list.delete(key);
    if (isAll !== to) list.add(key);
  }
  return { [isAll ? 'open' : 'closed']: [...list].slice(-LISTED_MAX).join(',') };
}

// A span that is chosen is shown: what hides it opens.
export function choosing(trace: Trace, state: State, folded: Uint8Array, at: number): Record<string, string | undefined> {
  const hiding = forebears(trace, at).filter((above) => folded[above]);
  return { span: keyOf(trace, at), ...(hiding.length > 0 ? folding(trace, state, hiding, false) : {}) };
}
