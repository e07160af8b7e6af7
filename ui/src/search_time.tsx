// The times of a search: by word, or from one moment to another. The chart's selection goes the same way.
import { useEffect, useState } from 'preact/hooks';
import { formatTime, zone } from './format';
import { SearchState, TIME_WORDS, TimeWord, isFixed, momentText, timesOf, typedMoment } from './search_address';
import { words } from './words';

const LABELS: Record<TimeWord, string> = {
  '15m': words.range15m, '1h': words.range1h, today: words.rangeToday, yesterday: words.rangeYesterday, '24h': words.range24h,
  '7d': words.range7d, all: words.rangeAll,
};

// A span of times in words: the day is not said twice.
export function spanText(startMs: number | undefined, endMs: number | undefined, now = Date.now()): string {
  if (startMs === undefined) return endMs === undefined ? words.rangeAll : words.until(formatTime(endMs, now));
  if (endMs === undefined) return words.since(formatTime(startMs, now));
  const start = new Date(startMs), end = new Date(endMs);
  const two = (value: number) => String(value).padStart(2, '0');
  const short = endMs - startMs < 600e3;
  const clock = (date: Date) => `${two(date.getHours())}:${two(date.getMinutes())}${short ? `:${two(date.getSeconds())}` : ''}`;
  const day = (date: Date) => `${words.days[date.getDay()]} ${date.getDate()} ${words.months[date.getMonth()]}`;
  if (start.toDateString() === end.toDateString()) return `${day(start)}, ${clock(start)}–${clock(end)}`;
  return `${day(start)}, ${clock(start)} – ${day(end)}, ${clock(end)}`;
}

export function TimeBar({ state, to }: { state: SearchState; to: (changes: Partial<SearchState>) => void }) {
  const fixed = isFixed(state);
  const [isOpen, setOpen] = useState(false);
  useEffect(() => setOpen(false), [state.fromMs, state.toMs, state.range]);
  const choose = (range: TimeWord) => to({ range, fromMs: undefined, toMs: undefined, isLive: state.isLive && range !== 'yesterday' });
  const widen = () => {
    const now = Date.now(), { startMs = now, endMs = now } = timesOf(state, now);
    const length = Math.max(1000, endMs - startMs);
    to({ fromMs: Math.max(1, Math.round(startMs - length)), toMs: Math.min(Math.round(endMs + length), Math.max(now, endMs)) });
  };
  return <>
    <div class="ranges" role="group" aria-label={words.rangeLabel}>
      {TIME_WORDS.map((one) => <button class="btn" key={one} aria-pressed={!fixed && one === state.range} onClick={() => choose(one)}>{LABELS[one]}</button>)}
      <button class="btn fixed-times" aria-pressed={fixed} aria-expanded={isOpen} title={`${words.zone}: ${zone}`} onClick={() => setOpen(!isOpen)}>
        {fixed ? spanText(state.fromMs, state.toMs) : words.fromTo}</button>
      {fixed && state.fromMs !== undefined && state.toMs !== undefined && <button class="btn" onClick={widen}>{words.widen}</button>}
    </div>
    {isOpen && <FromTo state={state} to={to} onClose={() => setOpen(false)} />}
  </>;
}

function FromTo({ state, to, onClose }: { state: SearchState; to: (changes: Partial<SearchState>) => void; onClose: () => void }) {
  const now = Date.now(), times = timesOf(state, now);
  const [from, setFrom] = useState(momentText(Math.floor((times.startMs ?? now - 3600e3) / 1000) * 1000));
  const [until, setUntil] = useState(times.endMs === undefined ? words.now : momentText(times.endMs));
  const [wrong, setWrong] = useState('');
  const apply = () => {
    const at = Date.now(), fromMs = typedMoment(from, at), untilMs = typedMoment(until, at);
    if (fromMs === undefined || untilMs === undefined) setWrong(words.noMoment(fromMs === undefined ? from : until));
    else if (fromMs >= untilMs) setWrong(words.addressBackwards);
    else to({ fromMs: Math.max(1, fromMs), toMs: untilMs, isLive: false });
  };
  return <form class="from-to" onSubmit={(event) => { event.preventDefault(); apply(); }}
    onKeyDown={(event) => { if (event.key === 'Escape') { event.stopPropagation(); onClose(); } }}>
    <label><span>{words.from}</span><span class="field"><input id="from" value={from} autocomplete="off" spellcheck={false} ref={focusOnce}
      aria-invalid={wrong !== ''} aria-describedby="from-to-hint" onInput={(event) => setFrom(event.currentTarget.value)} /></span></label>
    <label><span>{words.to}</span><span class="field"><input id="to" value={until} autocomplete="off" spellcheck={false}
      aria-invalid={wrong !== ''} aria-describedby="from-to-hint" onInput={(event) => setUntil(event.currentTarget.value)} /></span></label>
    <button class="btn main" type="submit">{words.apply}</button>
    <p id="from-to-hint" class={`small ${wrong ? 'broken' : 'faint'}`} role={wrong ? 'alert' : undefined}>{wrong || words.momentHint(zone)}</p>
  </form>;
}

function focusOnce(input: HTMLInputElement | null): void {
  input?.focus();
  input?.select();
}
