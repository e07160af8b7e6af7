// What the search page's address says, and how it is written. Nothing in an address is fatal: what can't be understood, as from
// an older version or a typing error, is left out and said.
import { linkTo } from './address';
import { visible } from './parts';
import { words } from './words';

export const TIME_WORDS = ['15m', '1h', 'today', 'yesterday', '24h', '7d', 'all'] as const;
export type TimeWord = typeof TIME_WORDS[number];
export const CHARTS = ['heat', 'dots', 'none'] as const;
export type Chart = typeof CHARTS[number];

export interface SearchState {
  q: string;
  range: TimeWord;
  fromMs?: number; // with toMs: in the place of range
  toMs?: number;
  limit: number;   // traces in the list
  chart?: Chart;   // undefined: what suits the answer
  sort: 'newest' | 'longest';
  isLive: boolean; hasBuilder: boolean; isExplained: boolean;
  notes: string[]; // what of the address was left out
}

export const RANGE_DEFAULT: TimeWord = '24h';
export const LIMIT_DEFAULT = 50, LIMIT_MAX = 5000;
// Letters of a query: a request's URL has a bound, and a letter may take nine bytes of it.
export const QUERY_MAX = 2000;
const KNOWN = ['q', 'range', 'from', 'to', 'limit', 'chart', 'sort', 'live', 'build', 'explain', 'tenant'];
const SHOWN_MAX = 60;

// A moment in an address: RFC 3339, a date, or a count since 1970, told apart by its digits.
export function momentOf(text: string): number | undefined {
  if (/^\d{1,19}$/.test(text)) {
    const digits = text.length;
    const ms = Number(text) * (digits <= 10 ? 1000 : digits <= 13 ? 1 : digits <= 16 ? 1e-3 : 1e-6);
    return ms > 0 && ms < 8e15 ? ms : undefined;
  }
  if (!/^\d{4}-\d{2}-\d{2}/.test(text)) return undefined;
  const ms = Date.parse(text);
  return Number.isNaN(ms) || ms <= 0 ? undefined : ms;
}

export function readAddress(params: URLSearchParams): SearchState {
  const notes: string[] = [];
  const said = (name: string) => notes.push(words.addressWrong(name, visible((params.get(name) ?? '').slice(0, SHOWN_MAX))));
  const oneOf = <T extends string>(name: string, all: readonly T[]): T | undefined => {
    const given = params.get(name), found = all.find((one) => one === given);
    if (given !== null && found === undefined) said(name);
    return found;
  };
  const moment = (name: string): number | undefined => {
    const given = params.get(name);
    if (given === null) return undefined;
    const ms = momentOf(given);
    if (ms === undefined) said(name);
    return ms;
  };
  const limitText = params.get('limit');
  const isCount = limitText === null || (/^\d{1,6}$/.test(limitText) && Number(limitText) > 0);
  if (!isCount) said('limit');
  let fromMs = moment('from'), toMs = moment('to');
  if (fromMs !== undefined && toMs !== undefined && fromMs >= toMs) {
    notes.push(words.addressBackwards);
    fromMs = toMs = undefined;
  }
  const unknown = [...new Set([...params.keys()].filter((name) => !KNOWN.includes(name)))];
  if (unknown.length > 0) notes.push(words.addressUnknown(unknown.slice(0, 5).map((name) => visible(name.slice(0, SHOWN_MAX))).join(', ')));
  return {
    q: params.get('q') ?? '', range: oneOf('range', TIME_WORDS) ?? RANGE_DEFAULT, fromMs, toMs,
    limit: limitText !== null && isCount ? Math.min(LIMIT_MAX, Number(limitText)) : LIMIT_DEFAULT,
    chart: oneOf('chart', CHARTS), sort: oneOf('sort', ['newest', 'longest'] as const) ?? 'newest',
    isLive: oneOf('live', ['1'] as const) === '1', hasBuilder: oneOf('build', ['1'] as const) === '1',
    isExplained: oneOf('explain', ['1'] as const) === '1', notes,
  };
}

function iso(ms: number | undefined): string | undefined {
  return ms === undefined ? undefined : new Date(ms).toISOString().replace('.000Z', 'Z');
}

export function addressOf(state: SearchState): string {
  return linkTo('/search', {
    q: state.q, range: isFixed(state) || state.range === RANGE_DEFAULT ? undefined : state.range, from: iso(state.fromMs), to: iso(state.toMs),
    limit: state.limit === LIMIT_DEFAULT ? undefined : String(state.limit), chart: state.chart, sort: state.sort === 'newest' ? undefined : state.sort,
    live: state.isLive ? '1' : undefined, build: state.hasBuilder ? '1' : undefined, explain: state.isExplained ? '1' : undefined,
  });
}

export function isFixed(state: SearchState): boolean {
  return state.fromMs !== undefined || state.toMs !== undefined;
}

export interface Times { startMs?: number; endMs?: number }

const SECONDS: Record<string, number> = { '15m': 900, '1h': 3600, '24h': 86400, '7d': 604800 };

export function midnight(ms: number, days = 0): number {
  const date = new Date(ms);
  return new Date(date.getFullYear(), date.getMonth(), date.getDate() + days).getTime();
}

// [start, end) in milliseconds; undefined: from the beginning, up to now.
export function timesOf(state: SearchState, now: number): Times {
  if (isFixed(state)) return { startMs: state.fromMs, endMs: state.toMs };
  if (state.range === 'all') return {};
  if (state.range === 'today') return { startMs: midnight(now) };
  if (state.range === 'yesterday') return { startMs: midnight(now, -1), endMs: midnight(now) };
  return { startMs: now - SECONDS[state.range]! * 1000 };
}

// A moment as the server reads it: nanoseconds, so that no digit is lost.
export function nsText(ms: number | undefined): string | undefined {
  return ms === undefined ? undefined : String(BigInt(Math.round(ms * 1000)) * 1000n);
}

// A moment as people type it: 14:05, 14:05:10, -2h, yesterday 9:30, 2026-11-24, 2026-11-24 14:05:10, now.
export function typedMoment(text: string, now: number): number | undefined {
  const given = text.trim().toLowerCase();
  if (given === 'now' || given === words.now) return now;
  const back = /^[-−]\s*(\d+(?:\.\d+)?)\s*(s|m|min|h|d)$/.exec(given);
  if (back) return now - Number(back[1]) * { s: 1, m: 60, min: 60, h: 3600, d: 86400 }[back[2]!]! * 1000;
  let day = midnight(now), rest = given;
  const word = [[words.todayTyped, 0], ['today', 0], [words.yesterdayTyped, -1], ['yesterday', -1]].find(([one]) => given.startsWith(one as string));
  const date = /^(\d{4})-(\d{1,2})-(\d{1,2})(?:[t ]|$)/.exec(given);
  if (word) {
    day = midnight(now, word[1] as number);
    rest = given.slice((word[0] as string).length).trim();
  } else if (date) {
    const at = new Date(Number(date[1]), Number(date[2]) - 1, Number(date[3]));
    if (at.getMonth() !== Number(date[2]) - 1) return undefined;
    day = at.getTime();
    rest = given.slice(date[0].length).trim();
  }
  if (rest === '') return word || date ? day : undefined;
  if (date && /(z|[+-]\d{2}:?\d{2})$/.test(rest)) return momentOf(text.trim().toUpperCase());
  const clock = /^(\d{1,2}):(\d{2})(?::(\d{2})(?:\.(\d{1,3}))?)?$/.exec(rest);
  if (!clock || Number(clock[1]) > 24 || Number(clock[2]) > 59 || Number(clock[3] ?? 0) > 59) return undefined;
  const at = new Date(day);
  at.setHours(Number(clock[1]), Number(clock[2]), Number(clock[3] ?? 0), Number((clock[4] ?? '0').padEnd(3, '0')));
  return at.getTime();
}

// The same way round: what typedMoment() reads back.
export function momentText(ms: number): string {
  const date = new Date(ms), two = (value: number) => String(value).padStart(2, '0');
  const seconds = ms % 60000 === 0 ? '' : `:${two(date.getSeconds())}${ms % 1000 === 0 ? '' : `.${String(date.getMilliseconds()).padStart(3, '0')}`}`;
  return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())} ${two(date.getHours())}:${two(date.getMinutes())}${seconds}`;
}
