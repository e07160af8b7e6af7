// The trace page: what is shown follows from the trace and the address (state.ts), what is pressed goes into the address.
import { useEffect, useMemo, useRef } from 'preact/hooks';
import { Address, amend, linkTo } from '../address';
import { formatCount } from '../format';
import { NoPage, Said, isTyping, useKeys, visible } from '../parts';
import { words } from '../words';
import { alongPath, firstCause, neighbour, spansOnPath } from './cause';
import { Rows, Trace, keyOf, rowsOf, spanOf, timesOf } from './columns';
import { CompareView, OnKey } from './compare';
import { useFind } from './find';
import { FlameView } from './flame';
import { Head } from './head';
import { KeyLine } from './key_list';
import { Live, useOpenUntil, useTrace } from './live';
import { SpanPanel } from './span_panel';
import { VIEWS, choosing, foldedOf, folding, stateOf, zoomTo } from './state';
import { TableView } from './table';
import { Tools } from './tools';
import { Waterfall } from './waterfall';

export function TracePage({ address }: { address: Address }) {
  const id = address.path.slice('/trace/'.length).toLowerCase();
  const live = useTrace(id || undefined);
  const trace = live.data, name = trace && visible(trace.head.root_name.slice(0, 80));
  useEffect(() => { document.title = `${name || id.slice(0, 32)} · Filigree`; }, [name, id]);
  if (id === '') return <NoPage />;
  if (live.isMissing) return <Missing id={id} />;
  // The line under the top bar is for what somebody waits for, not for reading again in silence.
  return <><Said asked={{ ...live, isWaiting: live.isWaiting && !trace, isSlow: live.isSlow && !trace }} />
    {trace && trace.count > 0 && <View trace={trace} address={address} live={live} />}</>;
}

function Missing({ id }: { id: string }) {
  return <section class="first" aria-live="polite"><h1>{words.noTrace(id.slice(0, 64))}</h1>
    <p class="dim">{words.noTraceWhy}</p><p class="dim">{words.noTraceNext}</p>
    <p><a href={linkTo('/search', { range: 'all' })}>{words.toSearch}</a></p></section>;
}

function View({ trace, address, live }: { trace: Trace; address: Address; live: Live }) {
  const state = stateOf(address.params);
  const openUntil = useOpenUntil(trace);
  const times = useMemo(() => timesOf(trace, state.isRaw, openUntil), [trace, state.isRaw, openUntil]);
  const selected = useMemo(() => (state.span ? spanOf(trace, state.span) : -1), [trace, state.span]);
  const folded = useMemo(() => foldedOf(trace, state), [trace, state.closed, state.open]);
  const rows = useMemo(() => rowsOf(trace, folded), [trace, folded]);
  const cause = useMemo(() => firstCause(trace, times), [trace, state.isRaw]);
  const walk = useMemo(() => spansOnPath(trace), [trace]);
  const hits = useFind(trace, state.find);
  const zoom = state.zoom ?? { from: 0, to: times.length };

  const select = (at: number) => { if (at >= 0) amend({ ...choosing(trace, state, folded, at), view: undefined }); };
  const fold = (at: number, to = !folded[at]) => amend(folding(trace, state, [at], to));
  useEffect(() => { if (selected >= 0 && rows.row[selected]! < 0) select(selected); }, [trace]);

  const zoomToSpan = () => {
    if (selected < 0) { amend({ zoom: undefined }); return; }
    const start = times.start[selected]!, length = Math.max(times.end[selected]! - start, 100), margin = length / 40;
    const from = Math.max(0, Math.floor(start - margin)), to = Math.min(Math.ceil(times.length), Math.ceil(start + length + margin));
    if (state.zoom && state.zoom.from === from && state.zoom.to === to) amend({ zoom: undefined });
    else zoomTo(from, to, times.length);
  };
  // Around the middle by a factor, or along by a part of what is shown.
  const zoomBy = (factor: number, along = 0) => {
    const length = zoom.to - zoom.from, wanted = Math.max(100, Math.min(times.length, length * factor));
    const from = Math.max(0, Math.min(times.length - wanted, zoom.from + (length - wanted) / 2 + along * length));
    zoomTo(from, from + wanted, times.length);
  };

  const afterG = useRef(false), onCompareKey: OnKey = useRef(undefined);
  useKeys((event) => {
    if (isTyping(event)) return;
    const wasG = afterG.current; // `g` and a letter go to other pages
    afterG.current = event.key === 'g';
    if (!wasG && !event.defaultPrevented && onKey(event)) event.preventDefault();
  });
  const onKey = (event: KeyboardEvent): boolean => {
    const { key } = event;
    if (state.view === 'compare' && onCompareKey.current?.(event)) return true;
    switch (key) {
      case 'd': amend({ view: 'compare' }); return true;
      case 'e': select(selected < 0 && cause ? cause.at : neighbour(trace.broken, selected, 1)); return true;
      case 'E': select(neighbour(trace.broken, selected, -1)); return true;
      case 'c': select(alongPath(walk, selected, 1)); return true;
      case 'C': select(alongPath(walk, selected, -1)); return true;
      case 'n': if (hits) select(neighbour(hits.list, selected, 1)); return hits !== undefined;
      case 'N': if (hits) select(neighbour(hits.list, selected, -1)); return hits !== undefined;
      case 'f': { const line = document.getElementById('find') as HTMLInputElement | null; line?.focus(); line?.select(); return line !== null; }
      case 'z': zoomToSpan(); return true;
      case 'Z': amend({ zoom: undefined }); return true;
      case '+': case '=': zoomBy(0.5); return true;
      case '-': zoomBy(2); return true;
      case ',': zoomBy(1, -0.25); return true;
      case '.': zoomBy(1, 0.25); return true;
      case 'r': if (trace.head.adjusted_count > 0) amend({ clock: state.isRaw ? undefined : 'raw' }); return true;
      case '[': case ']': {
        const next = VIEWS[(VIEWS.indexOf(state.view) + (key === ']' ? 1 : VIEWS.length - 1)) % VIEWS.length]!;
        amend({ view: next === 'waterfall' ? undefined : next });
        return true;
      }
      case 'Escape': return goBack();
      default: return state.view === 'waterfall' && onTreeKey(event);
    }
  };
  const goBack = (): boolean => {
    if (state.view === 'waterfall' && selected >= 0) amend({ span: undefined });
    else if (state.at) amend({ at: undefined });
    else if (state.zoom) amend({ zoom: undefined });
    else if (state.find) amend({ find: undefined });
    else return false;
    return true;
  };
  const onTreeKey = ({ key, shiftKey, target }: KeyboardEvent): boolean => {
    // Keys that mean something where the focus is: scrolling the panel, pressing a button.
    const near = target instanceof Element ? target : document.body;
    if (key.length > 1 && near.closest('.det, details, [role=slider]')) return false;
    if (key === 'Enter' && near.closest('a, button')) return false;
    const row = selected >= 0 ? rows.row[selected]! : -1;
    const to = (next: number) => { const at = rows.span[Math.max(0, Math.min(rows.span.length - 1, next))]; if (at !== undefined) select(at); };
    const page = Math.max(1, Math.floor(innerHeight / 26) - 8);
    switch (key) {
      case 'j': case 'ArrowDown': to(row + 1); return true;
      case 'k': case 'ArrowUp': to(row < 0 ? 0 : row - 1); return true;
      case 'Home': to(0); return true;
      case 'End': to(rows.span.length - 1); return true;
      case 'PageDown': to(row + page); return true;
      case 'PageUp': to(row - page); return true;
      case 'Enter': document.querySelector<HTMLElement>('.det')?.focus(); return selected >= 0;
      case 'ArrowRight':
        if (shiftKey) amend({ closed: undefined, open: undefined });
        else if (selected < 0) return false;
        else if (folded[selected]) fold(selected, false);
        else if (trace.size[selected]! > 1) to(row + 1);
        return true;
      case 'ArrowLeft':
        if (shiftKey) amend({ closed: 'all', open: undefined });
        else if (selected < 0) return false;
        else if (trace.size[selected]! > 1 && !folded[selected]) fold(selected, true);
        else if (trace.parent[selected]! >= 0) select(trace.parent[selected]!);
        return true;
      default: return false;
    }
  };

  const hasPanel = selected >= 0 && state.view === 'waterfall';
  return <>
    <Head trace={trace} times={times} cause={cause} live={live} onSelect={select} />
    <Tools trace={trace} state={state} hits={hits} selected={selected} onSelect={select} />
    {state.span && selected < 0 && <p class="note late-text">{words.noSpan(state.span.slice(0, 32))}</p>}
    {state.view === 'waterfall' && <div class={hasPanel ? 'split has-panel' : 'split'}>
      <Waterfall trace={trace} times={times} rows={rows} folded={folded} selected={selected} zoom={zoom} isZoomed={state.zoom !== undefined} isRaw={state.isRaw}
        hits={hits} cause={cause?.at ?? -1} closed={foldedWord(rows, trace)} onSelect={select} onFold={fold}
        onFoldAll={(to) => amend({ closed: to ? 'all' : undefined, open: undefined })} onZoom={(from, to) => zoomTo(from, to, times.length)} />
      {hasPanel && <SpanPanel key={keyOf(trace, selected)} at={selected} trace={trace} times={times} isCause={cause?.at === selected} onSelect={select}
        onClose={() => amend({ span: undefined })} />}
    </div>}
    {state.view === 'flame' && <FlameView trace={trace} times={times} state={state} hits={hits} />}
    {state.view === 'table' && <TableView trace={trace} times={times} state={state} hits={hits} />}
    {state.view === 'compare' && <CompareView trace={trace} times={times} state={state} onKey={onCompareKey} />}
    <KeyLine view={state.view} />
  </>;
}

function foldedWord(rows: Rows, trace: Trace): string {
  return words.rows(formatCount(rows.span.length), formatCount(trace.count));
}
