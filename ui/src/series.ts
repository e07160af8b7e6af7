// Figures over time as the server gives them, and what the pages make of them: rates, shares, and whether that is as usual.
import { formatDuration, formatRate, formatShare } from './format';
import { words } from './words';

export interface Totals { span_count: number; error_count: number; p50_ns: number; p95_ns: number; p99_ns: number }
export interface Series {
  service: string; name?: string; kind?: string; of: 'requests' | 'spans'; total: Totals;
  span_count: number[]; error_count: number[]; p50_ns: number[]; p95_ns: number[]; p99_ns: number[];
}
export interface SeriesPage { start_ns: string; step_ns: number; count: number; series: Series[]; left_off: number; uncounted: number }

export interface Grid { startMs: number; stepMs: number; count: number; seconds: number } // seconds: of the time that has passed

export function gridOf(page: SeriesPage, now: number): Grid {
  const startMs = Number(BigInt(page.start_ns) / 1000000n), stepMs = page.step_ns / 1e6;
  const endMs = Math.min(now, startMs + page.count * stepMs);
  return { startMs, stepMs, count: page.count, seconds: Math.max(1, (endMs - startMs) / 1000) };
}

const PASSED_MIN = 0.15; // of a step: less tells nothing of its rate

// Spans a second; the step that is not over yet is taken for what has passed of it.
export function ratesOf(counts: readonly number[], grid: Grid, now: number): number[] {
  return counts.map((count, at) => {
    const begin = grid.startMs + at * grid.stepMs, passed = Math.min(grid.stepMs, now - begin);
    return passed < grid.stepMs * PASSED_MIN ? NaN : count / (passed / 1000);
  });
}

export function sharesOf(series: Series): number[] {
  return series.span_count.map((count, at) => (count > 0 ? series.error_count[at]! / count : NaN));
}

export function durationsOf(values: readonly number[]): number[] {
  return values.map((ns) => (ns > 0 ? ns : NaN));
}

export const keyOf = (one: { service: string; name?: string; kind?: string }) => `${one.service}\u0000${one.name ?? ''}\u0000${one.kind ?? ''}`;

// -- As usual?

export type State = 'failing' | 'slow' | 'silent' | 'quiet' | 'fresh' | 'well';
export const STATES: readonly State[] = ['failing', 'silent', 'slow', 'quiet', 'fresh', 'well']; // worst first
export interface Health { state: State; why: string }

const ERRORS_MIN = 3, SHARE_MIN = 0.01, SHARE_ALONE = 0.05, SLOWER = 1.5, SLOWER_NS = 5e6, COUNT_MIN = 20, QUIETER = 0.4;

// What differs so much from the usual that chance does not explain it. Few requests say little: below COUNT_MIN only errors count.
export function healthOf(now: Totals | undefined, usual: Totals | undefined, seconds: number, usualSeconds: number): Health {
  const count = now?.span_count ?? 0, before = usual?.span_count ?? 0;
  const share = count > 0 ? now!.error_count / count : 0, usualShare = before > 0 ? usual!.error_count / before : 0;
  const expected = before * seconds / usualSeconds;
  const rate = formatRate(count, seconds), usualRate = formatRate(before, usualSeconds);
  if (count === 0) return { state: 'silent', why: words.whySilent(usualRate) };
  const isFailing = before > 0 ? share >= SHARE_MIN && share > 2 * usualShare && now!.error_count >= ERRORS_MIN : share >= SHARE_ALONE;
  if (isFailing) return { state: 'failing', why: words.whyFailing(formatShare(now!.error_count, count), before > 0 ? formatShare(usual!.error_count, before) : words.usualNone) };
  if (before === 0) return { state: 'fresh', why: words.whyFresh };
  if (count >= COUNT_MIN && before >= COUNT_MIN && now!.p95_ns > SLOWER * usual!.p95_ns && now!.p95_ns - usual!.p95_ns > SLOWER_NS)
    return { state: 'slow', why: words.whySlow(formatDuration(now!.p95_ns), formatDuration(usual!.p95_ns)) };
  if (expected >= COUNT_MIN && count < QUIETER * expected) return { state: 'quiet', why: words.whyQuiet(rate, usualRate) };
  return { state: 'well', why: words.whyWell };
}
