// The marks of a time axis: round numbers, written so that neighbours differ.
import { formatDuration } from '../format';
import { language, words } from '../words';

export interface Tick { at: number; part: number; label: string } // part: 0 to 1 of the window

// The round step of which about `most` fit into a length: 1, 2 or 5 times a power of ten ns; above a second by the clock.
export function stepOf(length: number, most: number): number {
  const least = length / most;
  if (least > 20e9) {
    for (const seconds of [30, 60, 120, 300, 600, 1800, 3600, 7200, 21600, 43200, 86400, 172800, 604800])
      if (seconds * 1e9 >= least) return seconds * 1e9;
    return Math.ceil(least / 604800e9) * 604800e9;
  }
  const power = 10 ** Math.floor(Math.log10(Math.max(least, 1e-3)));
  return power * ([1, 2, 5].find((one) => one * power >= least) ?? 10);
}

function precise(ns: number, step: number): string {
  const { units } = words;
  const [size, unit] = ns >= 1e9 ? [1e9, units.s] : ns >= 1e6 ? [1e6, units.ms] : ns >= 1e3 ? [1e3, units.us] : [1, units.ns];
  const digits = Math.max(0, Math.ceil(Math.log10(size / step) - 1e-9));
  const text = String(Number((ns / size).toFixed(Math.min(9, digits))));
  return `${language === 'ru' ? text.replace('.', ',') : text}\u00a0${unit}`;
}

export function ticksOf(from: number, to: number, most: number): Tick[] {
  const length = Math.max(to - from, 1), step = stepOf(length, most), ticks: Tick[] = [];
  for (let n = Math.ceil(from / step - 1e-9); n * step <= to * (1 + 1e-12); n++) {
    const at = n * step;
    const label = at === 0 ? `0\u00a0${words.units[to >= 1e9 ? 's' : to >= 1e6 ? 'ms' : to >= 1e3 ? 'us' : 'ns']}` : at >= 100e9 && step >= 1e9 ? formatDuration(at) : precise(at, step);
    ticks.push({ at, part: (at - from) / length, label });
  }
  return ticks;
}
