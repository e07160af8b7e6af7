// The waterfall: a tree of rows, of which only those near the window are in the document. Elements are used again for
// other rows while one scrolls; the chosen row has one of its own, which the focus may stay on.
import { useEffect, useLayoutEffect, useMemo, useRef, useState } from 'preact/hooks';
import { formatCount, formatDuration } from '../format';
import { Cross, visible } from '../parts';
import { slotOf } from '../slots';
import { words } from '../words';
import { isBroken } from './cause';
import { INTERRUPTED, OPEN, ORPHAN, Rows, Times, Trace, waitOf } from './columns';
import { Hits } from './find';
import { Minimap } from './minimap';
import { Tick, ticksOf } from './ticks';
import { reveal, useWindow } from './use_window';

const DEPTH_SHOWN_MAX = 24; // deeper ones are not indented further
const NAME_MAX = 200;
const PIECES_MAX = 24;      // marks of the critical path under one bar; nearer ones become one

interface Props {
  trace: Trace; times: Times; rows: Rows; folded: Uint8Array; selected: number; zoom: { from: number; to: number }; isZoomed: boolean; isRaw: boolean;
  hits: Hits | undefined; cause: number; closed: string;
  onSelect: (at: number) => void; onFold: (at: number) => void; onFoldAll: (to: boolean) => void; onZoom: (from: number, to: number) => void;
}

// A name on one line, cut; worked out once a name, not once a row.
function shownNames(names: string[]): string[] {
  return names.map((name) => {
    const shown = visible(name.slice(0, NAME_MAX)).replace(/[\n\t]/g, ' ');
    return (shown === '' ? '·' : shown) + (name.length > NAME_MAX ? '…' : '');
  });
}

// Places among siblings: what somebody who can't see the whole tree is told.
function siblingsOf(trace: Trace): { place: Int32Array; of: Int32Array } {
  const place = new Int32Array(trace.count), of = new Int32Array(trace.count + 1); // of[0]: the roots
  for (let at = 0; at < trace.count; at++) place[at] = ++of[trace.parent[at]! + 1]!;
  return { place, of };
}

export function Waterfall(props: Props) {
  const { trace, times, rows, folded, selected, zoom, isRaw, hits, cause, onSelect, onFold } = props;
  const count = rows.span.length, shown = useWindow(count), { list, from, to, height, topOf } = shown;
  const names = useMemo(() => shownNames(trace.names), [trace]), services = useMemo(() => shownNames(trace.services), [trace]);
  const slots = trace.services.map(slotOf), siblings = useMemo(() => siblingsOf(trace), [trace]);
  const head = useRef<HTMLDivElement>(null);
  const [width, setWidth] = useState(800); // px of the axis
  const ticks = useMemo(() => ticksOf(zoom.from, zoom.to, Math.max(2, Math.floor(width / 110))), [zoom.from, zoom.to, width]);
  const indent = height > 40 ? 9 : 14; // px a level
  const selectedRow = selected >= 0 ? rows.row[selected]! : -1;

  useLayoutEffect(() => {
    const axis = head.current?.querySelector('.axis');
    if (!axis) return undefined;
    const sized = new ResizeObserver(([entry]) => setWidth(Math.round(entry!.contentRect.width) || 800));
    sized.observe(axis);
    return () => sized.disconnect();
  }, []);
  // The chosen row is brought into sight and takes the focus, unless somebody types or the focus is in a panel.
  useEffect(() => {
    if (selectedRow < 0) return;
    const isNarrow = innerWidth <= 1100;
    reveal(shown, count, selectedRow, (head.current?.offsetHeight ?? 0) + 4, isNarrow ? innerHeight / 2 : 8);
  }, [selected, selectedRow, height]);
  useEffect(() => {
    const focused = document.activeElement;
    if (selected >= 0 && (focused === document.body || list.current?.contains(focused)))
      document.getElementById(`row-${selected}`)?.focus({ preventScroll: true });
  }, [selected]);

  const drawn: { at: number; row: number; key: string; slot: number }[] = [], stop = selectedRow >= 0 ? selectedRow : 0;
  const slotCount = shown.slots;
  for (let row = from; row < to; row++) if (row !== stop) drawn.push({ at: rows.span[row]!, row, key: `slot${row % slotCount}`, slot: row % slotCount });
  if (stop < count) drawn.push({ at: rows.span[stop]!, row: stop, key: `at${rows.span[stop]}`, slot: -1 });
  // While one scrolls elements stay where they are in the document, which costs least; then they go into the order of the rows.
  if (!shown.isScrolling) drawn.sort((a, b) => a.row - b.row);
  else drawn.sort((a, b) => a.slot - b.slot);

  const onClick = (event: MouseEvent) => {
    const row = (event.target as Element).closest<HTMLElement>('.r');
    if (!row) return;
    const at = Number(row.dataset.at);
    if ((event.target as Element).closest('.tw') && trace.size[at]! > 1) onFold(at);
    else onSelect(at);
  };
  return <div class={hits ? 'wf has-hits' : 'wf'}>
    <div class="wfhead" ref={head}>
      <div class="mini"><span><span>{props.closed}</span><span class="folds">
        <button class="as-link" onClick={() => props.onFoldAll(false)}>{words.openAll}</button>{' · '}<button class="as-link" onClick={() => props.onFoldAll(true)}>{words.closeAll}</button>
        {props.isZoomed && <>{' · '}<button class="as-link whole" onClick={() => props.onZoom(0, times.length)}>{words.wholeTrace}</button></>}</span></span>
        <Minimap trace={trace} times={times} rows={rows} zoom={zoom} isZoomed={props.isZoomed} seen={shown.seen} onZoom={props.onZoom} /></div>
      <Axis ticks={ticks} />
    </div>
    <div class="tree" role="tree" aria-label={words.tree} ref={list} style={{ height: `${shown.total}px` }} onClick={onClick}>
      <div class="ticks" aria-hidden="true"><div>{ticks.map((tick, i) => <i key={i} style={{ left: `${100 * tick.part}%` }} />)}</div></div>
      {drawn.map(({ at, row, key }) => {
        const hasChildren = trace.size[at]! > 1, isFolded = folded[at] === 1, failed = isBroken(trace, at), hidden = isFolded ? trace.brokenBelow[at]! : 0;
        const service = trace.service[at]!;
        return <div class={hits?.is[at] ? 'r hit' : 'r'} key={key} id={`row-${at}`} data-at={at} role="treeitem" tabIndex={row === stop ? 0 : -1} aria-level={trace.depth[at]! + 1}
          aria-posinset={siblings.place[at]} aria-setsize={siblings.of[trace.parent[at]! + 1]} aria-selected={at === selected}
          aria-expanded={hasChildren ? !isFolded : undefined} style={{ transform: `translateY(${topOf(row)}px)` }}>
          <span class="nm" style={{ paddingLeft: `${indent * Math.min(trace.depth[at]!, DEPTH_SHOWN_MAX)}px` }}><span class="tw" aria-hidden="true">{hasChildren ? (isFolded ? '▸' : '▾') : ''}</span><i class={`sw s${slots[service]}`} aria-hidden="true" />
            <bdi>{names[trace.name[at]!]}</bdi>
            {failed && <span class="broken" title={words.statusError}><Cross /><span class="vh">{words.statusError}</span></span>}
            {hidden > 0 && <span class="broken small nw"><Cross />{formatCount(hidden)}<span class="vh">{words.errorsHead}</span></span>}
            <em><bdi>{services[service]}</bdi>{isFolded ? ` +${formatCount(trace.size[at]! - 1)}` : ''}{trace.flags[at]! & ORPHAN ? ` · ${words.missingParent}` : ''}</em></span>
          <Line trace={trace} times={times} at={at} zoom={zoom} slot={slots[service]!} isRaw={isRaw} isCause={at === cause} width={width} />
        </div>;
      })}
    </div>
  </div>;
}

function Axis({ ticks }: { ticks: Tick[] }) {
  return <div class="hd"><span class="label">{words.spansHead}</span><div class="axis" aria-hidden="true">{ticks.map((tick, i) =>
    <i key={i} class={tick.part < 0.02 ? 'first' : tick.part > 0.93 ? 'last' : ''} style={{ left: `${100 * tick.part}%` }}>{tick.label}</i>)}</div></div>;
}

// The marks of the critical path under one bar, in percent of the window.
function marksOf(trace: Trace, times: Times, at: number, zoom: Props['zoom'], isRaw: boolean): [number, number][] {
  const { path } = trace, marks: [number, number][] = [], length = Math.max(1, zoom.to - zoom.from), near = 0.4;
  const off = times.origin + (isRaw ? trace.shift[at]! : 0);
  for (let i = path.begin[at]!; i < path.begin[at + 1]!; i++) {
    const piece = path.order[i]!, from = Math.max(0, 100 * (path.start[piece]! - off - zoom.from) / length), to = Math.min(100, 100 * (path.end[piece]! - off - zoom.from) / length);
    if (to <= 0 || from >= 100) continue;
    const last = marks[marks.length - 1];
    if (last && (from - last[1] < near || marks.length >= PIECES_MAX)) last[1] = Math.max(last[1], to);
    else marks.push([from, to]);
  }
  return marks;
}

interface LineProps { trace: Trace; times: Times; at: number; zoom: Props['zoom']; slot: number; isRaw: boolean; isCause: boolean; width: number }

function Line({ trace, times, at, zoom, slot, isRaw, isCause, width }: LineProps) {
  const length = Math.max(1, zoom.to - zoom.from), part = (ns: number) => 100 * (ns - zoom.from) / length;
  const isOpen = (trace.flags[at]! & OPEN) !== 0, isDead = (trace.marks[at]! & INTERRUPTED) !== 0;
  const left = Math.max(0, part(times.start[at]!)), right = Math.min(100, part(times.end[at]!)), isShown = left <= 100 && right >= 0;
  const wait = waitOf(trace, times, at), waitLeft = wait ? Math.max(0, part(wait[0])) : 0, waitRight = wait ? Math.min(100, part(wait[1])) : 0;
  const lasts = formatDuration(times.end[at]! - times.start[at]!);
  const said = isDead ? words.died(lasts) : isOpen ? words.openFor(lasts) : lasts, waited = wait ? words.waited(formatDuration(wait[1] - wait[0])) : '';
  // A label stands where there is room: that of the wait on its lines, or else with the other; that after the bar, before
  // all that is drawn, or on the bar.
  const room = (letters: number) => 100 * (16 + 6.8 * letters) / Math.max(60, width), fitsWait = wait !== undefined && waitRight - waitLeft > room(waited.length);
  const whole = wait && waitRight > 0 && !fitsWait ? `${said} · ${waited}` : said, need = room(whole.length + (isCause ? words.firstCause.length + 5 : 0));
  const begin = wait && waitRight > 0 ? Math.min(left, waitLeft) : left;
  const where = right + need < 100 ? 'after' : begin > need ? 'before' : 'inside';
  const place = where === 'after' ? { left: `${Math.max(0, right)}%` } : where === 'before' ? { left: `${begin}%` } : { left: `${Math.max(0, Math.min(left, 100 - need))}%` };
  return <span class="ln">
    {wait && waitRight > 0 && waitLeft < 100 && <i class="b q" style={{ left: `${waitLeft}%`, width: `${waitRight - waitLeft}%` }} />}
    {fitsWait && <span class="t inside w" style={{ left: `${waitLeft}%` }}>{waited}</span>}
    {isShown && <i class={`b s${slot}${(isOpen || isDead) && part(times.end[at]!) <= 100 + 1e-6 ? ' ragged' : ''}`} style={{ left: `${Math.min(left, 99.9)}%`, width: `${Math.max(0, right - left)}%` }} />}
    {marksOf(trace, times, at, zoom, isRaw).map(([from, to], i) => <i class="crit" key={i} style={{ left: `${from}%`, width: `${to - from}%` }} />)}
    {isShown ? <span class={`t ${where}`} style={place}>{isCause ? <b class="broken"><Cross /> {words.firstCause} · {whole}</b> : whole}</span>
      : <span class={left > 100 ? 't off right' : 't off'} aria-hidden="true">{left > 100 ? '→' : '←'}</span>}
  </span>;
}
