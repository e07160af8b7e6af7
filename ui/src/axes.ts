// Scales and their ticks: time from left to right, durations upwards on a log scale.
import { words } from './words';

export interface Tick { at: number; text: string }

const DURATIONS: [ns: number, of: number, unit: keyof typeof words.units][] = [
  [1e2, 100, 'ns'], [1e3, 1, 'us'], [1e4, 10, 'us'], [1e5, 100, 'us'], [1e6, 1, 'ms'], [1e7, 10, 'ms'], [1e8, 100, 'ms'], [1e9, 1, 's'],
  [1e10, 10, 's'], [6e10, 1, 'min'], [6e11, 10, 'min'], [3600e9, 1, 'h'], [36000e9, 10, 'h'], [86400e9, 1, 'd'], [864000e9, 10, 'd'],
];

// Powers of ten, or of the clock; where these are few, twice and five times as much too.
export function durationTicks(minNs: number, maxNs: number): Tick[] {
  const within = (times: number[]) => DURATIONS.flatMap(([ns, of, unit], index) => times.filter((one) => ns * one < (DURATIONS[index + 1]?.[0] ?? Infinity))
    .map((one) => ({ at: ns * one, text: `${of * one}\u00a0${words.units[unit]}` }))).filter(({ at }) => at >= minNs && at <= maxNs);
  const plain = within([1]);
  return plain.length >= 3 ? plain : within([1, 2, 5]);
}

const S = 1000, M = 60 * S, H = 60 * M, D = 24 * H;
const STEPS = [1, 10, 100, S, 2 * S, 5 * S, 10 * S, 30 * S, M, 2 * M, 5 * M, 10 * M, 30 * M, H, 2 * H, 3 * H, 6 * H, 12 * H, D, 2 * D, 7 * D, 14 * D, 30 * D, 90 * D, 365 * D];

const two = (value: number) => String(value).padStart(2, '0');

function timeText(ms: number, step: number): string {
  const date = new Date(ms), isDay = date.getHours() === 0 && date.getMinutes() === 0 && date.getSeconds() === 0 && date.getMilliseconds() === 0;
  if (step >= D || (isDay && step >= M)) return `${date.getDate()} ${words.months[date.getMonth()]}`;
  if (step >= M) return `${two(date.getHours())}:${two(date.getMinutes())}`;
  const clock = `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
  return step >= S ? clock : `${clock}.${String(date.getMilliseconds()).padStart(3, '0')}`;
}

// At most countMax of them, on round times of the reader's zone.
export function timeTicks(startMs: number, endMs: number, countMax: number): Tick[] {
  const step = STEPS.find((one) => (endMs - startMs) / one <= countMax + 0.5) ?? (endMs - startMs) / Math.max(1, countMax);
  const offset = new Date(startMs).getTimezoneOffset() * M;
  const ticks: Tick[] = [];
  for (let at = Math.ceil((startMs - offset) / step) * step + offset; at <= endMs && ticks.length <= countMax; at += step)
    ticks.push({ at, text: timeText(at, step) });
  return ticks;
}

// A duration as a query writes it, three digits of it at most.
export function writtenDuration(ns: number): string {
  const digits = Math.max(0, Math.floor(Math.log10(Math.max(1, ns))) - 2);
  const whole = BigInt(Math.max(0, Math.round(ns / 10 ** digits))) * 10n ** BigInt(digits);
  for (const [size, unit] of [[1000000000n, 's'], [1000000n, 'ms'], [1000n, 'us']] as const) if (whole >= size && whole % size === 0n) return `${whole / size}${unit}`;
  return `${whole}ns`;
}
