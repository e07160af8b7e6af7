// Numbers, times and durations as people of each language write them; see the tables of the words.
import { language, words } from './words';

const NBSP = '\u00a0', NARROW = '\u202f';

function decimal(text: string): string {
  return language === 'ru' ? text.replace('.', ',') : text;
}

export function formatCount(count: number): string {
  return String(Math.round(count)).replace(/\B(?=(\d{3})+$)/g, language === 'ru' ? NARROW : ',');
}

// Three significant digits at most, no zeros at the end.
function significant(value: number): string {
  if (value >= 100) return formatCount(value);
  return decimal(String(Number(value.toPrecision(3))));
}

export function formatDuration(ns: number): string {
  const units = words.units;
  if (ns === 0) return `0${NBSP}${units.ms}`;
  if (ns < 999.5) return `${Math.round(ns)}${NBSP}${units.ns}`;
  if (ns < 999.5e3) return `${significant(ns / 1e3)}${NBSP}${units.us}`;
  if (ns < 999.5e6) return `${significant(ns / 1e6)}${NBSP}${units.ms}`;
  if (ns < 99.95e9) return `${significant(ns / 1e9)}${NBSP}${units.s}`;
  const seconds = Math.round(ns / 1e9);
  return twoUnits(seconds, [[86400, units.d], [3600, units.h], [60, units.min], [1, units.s]]);
}

function twoUnits(seconds: number, steps: [number, string][]): string {
  const at = steps.findIndex(([size]) => seconds >= size);
  const [size, unit] = steps[at]!, next = steps[at + 1];
  const whole = Math.floor(seconds / size);
  const rest = next ? Math.floor((seconds - whole * size) / next[0]) : 0;
  const first = `${formatCount(whole)}${NBSP}${unit}`;
  return next && rest > 0 ? `${first} ${rest}${NBSP}${next[1]}` : first;
}

export function formatShare(part: number, whole: number): string {
  if (whole === 0) return '·';
  const share = 100 * part / whole;
  if (part > 0 && share < 0.01) return `<${NARROW}${decimal('0.01')}${NARROW}%`;
  return `${decimal(String(Number(share.toPrecision(share >= 10 ? 3 : 2))))}${NARROW}%`;
}

export function formatRate(count: number, seconds: number): string {
  if (count === 0) return `0${words.units.perS}`;
  const rate = count / seconds;
  if (rate >= 1) return significant(rate) + words.units.perS;
  if (rate * 60 >= 1) return significant(rate * 60) + words.units.perMin;
  return significant(rate * 3600) + words.units.perH;
}

// Bytes in steps of a thousand.
export function formatBytes(bytes: number): string {
  const names = words.byteUnits, at = bytes < 1000 ? 0 : Math.min(names.length - 1, Math.floor(Math.log10(bytes) / 3 + 1e-9));
  return `${significant(bytes / 1000 ** at)}${NBSP}${names[at]}`;
}

function two(value: number): string {
  return String(value).padStart(2, '0');
}

function clock(date: Date): string {
  return `${two(date.getHours())}:${two(date.getMinutes())}`;
}

// Today: the time; this week: the day too; older: the date.
export function formatTime(ms: number, now = Date.now()): string {
  const date = new Date(ms), today = new Date(now);
  if (date.toDateString() === today.toDateString()) return `${clock(date)}:${two(date.getSeconds())}`;
  const day = words.days[date.getDay()]!;
  if (Math.abs(now - ms) < 6 * 86400e3) return `${day}, ${clock(date)}`;
  return `${formatDate(date)}, ${clock(date)}`;
}

function formatDate(date: Date): string {
  const year = date.getFullYear() === new Date().getFullYear() ? '' : ` ${date.getFullYear()}`;
  return `${words.days[date.getDay()]} ${date.getDate()} ${words.months[date.getMonth()]}${year}`;
}

// With the milliseconds of the clock: for a trace and its spans.
export function formatMoment(ns: bigint): string {
  const date = new Date(Number(ns / 1000000n));
  return `${formatDate(date)}, ${clock(date)}:${two(date.getSeconds())}.${String(date.getMilliseconds()).padStart(3, '0')}`;
}

export const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
