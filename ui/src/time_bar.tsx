// The time of the services' pages, what it is compared with, and the clock.
import { Asked } from './ask';
import { amend, go, linkTo } from './address';
import { formatTime } from './format';
import { Ranges } from './parts';
import { Clock } from './refresh';
import { Times, VERSUS, Versus, timeParams } from './times';
import { words } from './words';

const VERSUS_WORDS: Record<Versus, string> = { before: words.versusBefore, day: words.versusDay, week: words.versusWeek };

function spanWords(startMs: number, endMs: number): string {
  const start = formatTime(startMs), end = formatTime(endMs), [day] = start.split(', ');
  return start.includes(',') && end.startsWith(`${day}, `) ? `${start}–${end.slice(day!.length + 2)}` : `${start}–${end}`;
}

export function TimeBar({ times, params, path, asked, moment, children }:
  { times: Times; params: URLSearchParams; path: string; asked: Asked<unknown>; moment: number; children?: preact.ComponentChildren }) {
  return <div class="time-bar">
    {times.isFixed
      ? <div class="ranges"><span class="btn is-fixed" aria-current="true">{spanWords(times.startMs, times.endMs)}</span>
        <button class="btn" onClick={() => go(linkTo(path, { ...others(params), range: params.get('range') ?? undefined }))}>{words.wholeTime}</button></div>
      : <Ranges chosen={times.range} otherwise="1h" without="all" />}
    <label class="versus small"><span class="dim">{words.versus}</span>{' '}
      <select value={times.versus} onChange={(event) => amend({ vs: event.currentTarget.value === 'before' ? undefined : event.currentTarget.value })}>
        {VERSUS.map((one) => <option key={one} value={one}>{VERSUS_WORDS[one]}</option>)}</select></label>
    <span class="bar-end small">{children}<Clock asked={asked} moment={moment} isFixed={times.isFixed} /></span>
  </div>;
}

function others(params: URLSearchParams): Record<string, string | undefined> {
  const times = new Set(Object.keys(timeParams(params)).filter((name) => name !== 'vs'));
  return Object.fromEntries([...params].filter(([name]) => !times.has(name)));
}
