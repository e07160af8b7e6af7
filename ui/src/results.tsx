// The traces that were found, one a row. While live, what comes waits as long as the pointer or the focus is in the list, so that
// nothing moves under them.
import { useEffect, useMemo, useRef, useState } from 'preact/hooks';
import { formatCount, formatDuration, formatTime, zone } from './format';
import { Cross, Name, Swatch, isTyping, oneLine, useKeys } from './parts';
import { slotOf } from './slots';
import { Summary, startMs } from './traces';
import { plural, words } from './words';

// How long ago, in one unit.
export function age(ms: number, now = Date.now()): string {
  const seconds = Math.max(0, Math.round((now - ms) / 1000)), units = words.units;
  const [size, unit] = seconds < 60 ? [1, units.s] : seconds < 3600 ? [60, units.min] : seconds < 86400 ? [3600, units.h] : [86400, units.d];
  return words.ago(`${formatCount(Math.floor(seconds / size))}\u00a0${unit}`);
}

// Renders again now and then, for ages.
function useNow(everyMs: number): number {
  const [now, setNow] = useState(Date.now());
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), everyMs);
    return () => clearInterval(timer);
  }, []);
  return now;
}

interface Props { rows: Summary[]; isLive: boolean; onEscape: () => void }

export function Results({ rows, isLive, onEscape }: Props) {
  const list = useRef<HTMLOListElement>(null), shown = useRef<string[]>([]), held = useRef(false);
  const [, draw] = useState(0);
  const now = useNow(isLive ? 1000 : 15000);
  const byId = useMemo(() => new Map(rows.map((one) => [one.trace_id, one])), [rows]);
  const hold = (on: boolean) => {
    if (held.current === on) return;
    held.current = on;
    if (!on) draw((old) => old + 1);
  };
  // Pointer and focus: who leaves with the one may still be there with the other.
  const look = () => hold(list.current !== null && (list.current.matches(':hover') || list.current.contains(document.activeElement)));
  const isHolding = isLive && held.current && shown.current.some((id) => byId.has(id));
  if (!isHolding) shown.current = rows.map((one) => one.trace_id);
  const seen = shown.current.map((id) => byId.get(id)).filter((one): one is Summary => one !== undefined);
  const waiting = rows.length - seen.length;
  const longest = seen.reduce((most, one) => Math.max(most, Number(one.duration_ns)), 1);
  useKeys((event) => {
    if (isTyping(event) || document.querySelector('dialog[open]')) return;
    const links = [...list.current?.querySelectorAll<HTMLAnchorElement>('a') ?? []];
    const at = links.indexOf(document.activeElement as HTMLAnchorElement);
    if (event.key === 'j' || event.key === 'k') links[Math.max(0, Math.min(links.length - 1, at + (event.key === 'j' ? 1 : -1)))]?.focus();
    else if (event.key === 'Escape' && at >= 0) {
      links[at]!.blur();
      onEscape();
    }
  });
  return <>
    {waiting > 0 && <button class="btn waiting" onClick={() => { held.current = false; draw((old) => old + 1); }}>{words.waitingRows(formatCount(waiting))}</button>}
    <div class="res head-row" aria-hidden="true">
      <span>{words.when}</span><span>{words.trace}</span><span class="c-services">{words.inServices}</span><span class="n">{words.spansHead}</span>
      <span class="n">{words.errorsHead}</span><span>{words.duration}</span>
    </div>
    <ol ref={list} class="rows" onPointerEnter={() => hold(true)} onPointerLeave={look} onFocusIn={() => hold(true)}
      onFocusOut={() => setTimeout(look, 0)}>{seen.map((one) => <Row key={one.trace_id} one={one} longest={longest} now={now} />)}</ol>
  </>;
}

const OTHERS_SHOWN = 4;

function Row({ one, longest, now }: { one: Summary; longest: number; now: number }) {
  const duration = Number(one.duration_ns), ms = startMs(one);
  const others = one.services.filter(({ service }) => service !== one.root_service);
  const failing = one.services.filter(({ error_count }) => error_count > 0).map(({ service }) => service);
  return <li><a class="res" href={`/trace/${one.trace_id}`}>
    <span class="c-when nw" title={`${new Date(ms).toISOString()} · ${zone}`}><span class="dim">{formatTime(ms, now)}</span> <span class="faint small">{age(ms, now)}</span></span>
    <span class="c-name"><Swatch service={one.root_service} /><b><Name text={one.root_name} /></b>{' '}
      <span class="faint small"><Name text={one.root_service} />{one.has_root ? '' : ` · ${words.noRoot}`}</span></span>
    <span class="c-services small dim">{others.slice(0, OTHERS_SHOWN).map(({ service }) =>
      <span class="svc" key={service}><Swatch service={service} /><Name text={service} /></span>)}{others.length > OTHERS_SHOWN ? `+${others.length - OTHERS_SHOWN}` : ''}</span>
    <span class="c-count n dim">{formatCount(one.span_count)}<span class="unit"> {plural(one.span_count, words.spanWord)}</span></span>
    <span class="c-errors n" title={failing.length > 0 ? words.failsIn(failing.slice(0, OTHERS_SHOWN).map((name) => oneLine(name, 60)).join(', ')) : undefined}>{one.error_count > 0
      ? <span class="st broken"><Cross />{formatCount(one.error_count)}<span class="unit">{plural(one.error_count, words.errorWord)}</span></span>
      : <span class="faint zero">0</span>}</span>
    <span class="c-time"><span class="track"><i class={`len s${slotOf(one.root_service)}${one.open_count > 0 ? ' ragged' : ''}`} style={{ width: `${Math.max(0.5, 100 * duration / longest)}%` }} /></span>
      <span class="n">{formatDuration(duration)}{one.open_count > 0 ? `, ${words.openSpans}` : ''}</span></span>
  </a></li>;
}
