// The time that the services' pages show: a length of time up to now, by word, or a fixed one, as a drag on a chart chooses it; and
// the time that it is compared with. All of it stands in the address.
import { Range, go, linkTo, rangeOf, rangeSeconds } from './address';

export type Versus = 'before' | 'day' | 'week';
export const VERSUS: readonly Versus[] = ['before', 'day', 'week'];

export interface Times {
  range: Range;            // the word, also while a fixed time is shown
  startMs: number;
  endMs: number;
  isFixed: boolean;
  versus: Versus;
  shiftMs: number;         // how much earlier the usual is
}

const DAY_MS = 86400e3;

function moment(text: string | null): number | undefined {
  if (!text) return undefined;
  const ms = /^\d{10,13}$/.test(text) ? Number(text) * (text.length <= 10 ? 1000 : 1) : Date.parse(text);
  return Number.isFinite(ms) && ms > 0 && ms < 8e15 ? ms : undefined;
}

export function timesOf(params: URLSearchParams, now: number): Times {
  const given = rangeOf(params, '1h'), range: Range = given === 'all' ? '7d' : given;
  const from = moment(params.get('from')), to = moment(params.get('to'));
  const isFixed = from !== undefined && to !== undefined && from < to;
  const endMs = isFixed ? to : now, startMs = isFixed ? from : now - rangeSeconds(range) * 1000;
  const versus = VERSUS.find((one) => one === params.get('vs')) ?? 'before';
  const length = endMs - startMs;
  const shiftMs = versus === 'before' ? length : versus === 'day' ? DAY_MS * Math.ceil(length / DAY_MS) : 7 * DAY_MS * Math.ceil(length / (7 * DAY_MS));
  return { range, startMs, endMs, isFixed, versus, shiftMs };
}

// What the present time is rounded to, so that the points of a chart do not shift with each second.
export function stepSeconds(times: { startMs: number; endMs: number }): number {
  const minutes = [1, 2, 5, 10, 15, 30, 60, 120, 180, 360, 720, 1440];
  const length = (times.endMs - times.startMs) / 60e3;
  return 60 * (minutes.find((one) => length / one <= 60) ?? 1440 * (Math.floor(length / 1440 / 60) + 1));
}

function iso(ms: number): string {
  return new Date(ms).toISOString().replace('.000Z', 'Z');
}

// The parameters that carry the time from page to page.
export function timeParams(params: URLSearchParams): Record<string, string | undefined> {
  return { range: params.get('range') ?? undefined, from: params.get('from') ?? undefined, to: params.get('to') ?? undefined, vs: params.get('vs') ?? undefined };
}

export function choose(params: URLSearchParams, path: string, startMs: number, endMs: number): void {
  const next = new URLSearchParams(params);
  next.set('from', iso(startMs));
  next.set('to', iso(endMs));
  go(`${path}?${next}`);
}

export function query(times: { startMs: number; endMs: number }, shiftMs = 0): Record<string, string> {
  return { start: String(Math.round(times.startMs - shiftMs)), end: String(Math.round(times.endMs - shiftMs)), step: `${stepSeconds(times)}s` };
}

// The search for the traces of a time; a time up to now stays one.
export function tracesLink(q: string, times: Times, startMs?: number, endMs?: number): string {
  if (startMs !== undefined && endMs !== undefined) return linkTo('/search', { q, from: iso(startMs), to: iso(endMs) });
  if (times.isFixed) return linkTo('/search', { q, from: iso(times.startMs), to: iso(times.endMs) });
  return linkTo('/search', { q, range: times.range === '24h' ? undefined : times.range });
}
