// What stands above each view: search inside the trace, the choice of view, export, clocks.
import { useEffect, useMemo, useRef, useState } from 'preact/hooks';
import { amend } from '../address';
import { formatCount, formatDuration } from '../format';
import { Copy } from '../parts';
import { words } from '../words';
import { neighbour } from './cause';
import { Trace } from './columns';
import { Hits } from './find';
import { State, VIEWS } from './state';

interface Props { trace: Trace; state: State; hits: Hits | undefined; selected: number; onSelect: (at: number) => void }

export function Tools(props: Props) {
  const { trace, state } = props;
  const off = useMemo(() => trace.shift.reduce((most, shift) => Math.max(most, Math.abs(shift)), 0), [trace]);
  const names = { waterfall: words.waterfall, flame: words.flame, table: words.table, compare: words.compare };
  return <div class="tools">
    <Find {...props} />
    <div class="views" role="group" aria-label={words.view}>{VIEWS.map((one) =>
      <button class="btn" key={one} aria-pressed={one === state.view} onClick={() => amend({ view: one === 'waterfall' ? undefined : one })}>{names[one]}</button>)}</div>
    <Export trace={trace} />
    <span class="end">
      {off > 0 && <span>{state.isRaw ? words.clocksRaw(formatDuration(off)) : words.clocksAdjusted(formatDuration(off))} · <button class="as-link" onClick={() => amend({ clock: state.isRaw ? undefined : 'raw' })}>
        {state.isRaw ? words.showAdjusted : words.showRaw}</button></span>}
      {state.view === 'waterfall' && <span>{words.criticalLegend}</span>}
    </span>
  </div>;
}

function Find({ state, hits, selected, onSelect }: Props) {
  const [text, setText] = useState(state.find);
  const sent = useRef(state.find);
  useEffect(() => { if (state.find !== sent.current) { sent.current = state.find; setText(state.find); } }, [state.find]);
  useEffect(() => {
    if (text === sent.current) return undefined;
    const timer = setTimeout(() => { sent.current = text; amend({ find: text || undefined }); }, 120);
    return () => clearTimeout(timer);
  }, [text]);
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.key === 'Enter' && hits) { event.preventDefault(); onSelect(neighbour(hits.list, selected, event.shiftKey ? -1 : 1)); }
    if (event.key === 'Escape') { event.preventDefault(); if (text) setText(''); (event.target as HTMLElement).blur(); }
  };
  const place = hits && selected >= 0 && hits.is[selected] ? hits.list.indexOf(selected) + 1 : 0;
  const said = !hits ? '' : hits.failed ? words.findFailed : hits.list.length === 0 ? (hits.isWhole ? words.findNone : '…')
    : place ? words.findPlace(formatCount(place), formatCount(hits.list.length)) : formatCount(hits.list.length);
  return <div class="find" role="search" aria-label={words.findIn}>
    <div class="field"><input id="find" aria-label={words.findIn} placeholder={words.findIn} value={text} autocomplete="off" spellcheck={false}
      onInput={(event) => setText(event.currentTarget.value)} onKeyDown={onKeyDown} />
      {said ? <span class={hits?.failed ? 'late-text small nw' : 'dim small nw'} aria-live="polite" title={hits?.failed}>{said}</span> : <kbd>f</kbd>}</div>
    {hits && hits.list.length > 0 && <>
      <button class="btn square" aria-label={words.findPrevious} title={`${words.findPrevious} (N)`} onClick={() => onSelect(neighbour(hits.list, selected, -1))}>↑</button>
      <button class="btn square" aria-label={words.findNext} title={`${words.findNext} (n)`} onClick={() => onSelect(neighbour(hits.list, selected, 1))}>↓</button></>}
  </div>;
}

function Export({ trace }: { trace: Trace }) {
  const menu = useRef<HTMLDetailsElement>(null);
  useEffect(() => {
    const away = (event: Event) => { if (menu.current?.open && !menu.current.contains(event.target as Node)) menu.current.open = false; };
    addEventListener('pointerdown', away);
    return () => removeEventListener('pointerdown', away);
  }, []);
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.key !== 'Escape' || !menu.current?.open) return;
    event.preventDefault();
    menu.current.open = false;
    menu.current.querySelector('summary')?.focus();
  };
  return <details class="menu" ref={menu} onKeyDown={onKeyDown}>
    <summary class="btn">{words.exportWord}</summary>
    <div class="list">
      <a href={`/api/v1/traces/${trace.id}`} download={`trace-${trace.id}.otlp.json`}>{words.exportOtlp}</a>
      <a href={`/api/traces/${trace.id}`} download={`trace-${trace.id}.jaeger.json`}>{words.exportJaeger}</a>
      <Copy label={words.copyThisView} text={location.href} />
    </div>
  </details>;
}
