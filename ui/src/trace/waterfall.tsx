// The waterfall: a tree of rows, of which only those near the window are in the document. Their elements are used again for other
// rows while one scrolls (row_element.ts); the chosen row has one of its own, which the focus may stay on.
import { useEffect, useLayoutEffect, useMemo, useRef, useState } from 'preact/hooks';
import { oneLine } from '../parts';
import { slotOf } from '../slots';
import { words } from '../words';
import { Rows, Times, Trace } from './columns';
import { Hits } from './find';
import { Minimap } from './minimap';
import { Look, RowElement, makeRowElement } from './row_element';
import { Tick, ticksOf } from './ticks';
import { Window, reveal, useWindow } from './use_window';

interface Props {
  trace: Trace; times: Times; rows: Rows; folded: Uint8Array; selected: number; zoom: { from: number; to: number }; isZoomed: boolean; isRaw: boolean;
  hits: Hits | undefined; cause: number; closed: string;
  onSelect: (at: number) => void; onFold: (at: number) => void; onFoldAll: (to: boolean) => void; onZoom: (from: number, to: number) => void;
}

// Places among siblings: what somebody who can't see the whole tree is told.
function siblingsOf(trace: Trace): { place: Int32Array; of: Int32Array } {
  const place = new Int32Array(trace.count), of = new Int32Array(trace.count + 1); // of[0]: the roots
  for (let at = 0; at < trace.count; at++) place[at] = ++of[trace.parent[at]! + 1]!;
  return { place, of };
}

// The elements of the rows that are shown, in a parent. A row keeps its element while it is shown; that of one that is not is filled for
// another, and stays where it is in the document, which costs least. When it is calm they go into the order of the rows.
class Pool {
  private byRow = new Map<number, RowElement>(); // the chosen one is not among them
  private chosen: RowElement | undefined;
  private free: RowElement[] = [];               // not in the document
  private byElement = new Map<Element, RowElement>();

  constructor(private parent: HTMLElement) {}

  private take(): RowElement {
    const one = this.free.pop() ?? makeRowElement();
    this.byElement.set(one.element, one);
    this.parent.append(one.element);
    return one;
  }

  private leave(one: RowElement): void {
    this.byElement.delete(one.element);
    one.element.remove();
    this.free.push(one);
  }

  // first: the row that the Tab key comes to; shown wherever it is.
  show(look: Look, rows: Rows, shown: Window, first: number): void {
    const { from, to, topOf } = shown, spare: RowElement[] = [], before = this.byRow, at = rows.span[first], chosen = this.chosen;
    for (const [row, one] of before) if (row < from || row >= to || row === first) spare.push(one);
    this.byRow = new Map();
    for (let row = from; row < to; row++) {
      if (row === first) continue;
      const one = before.get(row) ?? spare.pop() ?? this.take();
      one.fill(look, rows.span[row]!, shown.isLeaping);
      one.place(row, topOf(row));
      one.makeFirst(false);
      this.byRow.set(row, one);
    }
    for (const one of spare) this.leave(one);
    if (at === undefined || chosen?.at !== at) this.chosen = at === undefined ? undefined : this.take();
    if (chosen && chosen !== this.chosen) this.leave(chosen);
    if (this.chosen) {
      this.chosen.fill(look, at!, false);
      this.chosen.place(first, topOf(first));
      this.chosen.makeFirst(true);
    }
    if (!shown.isScrolling) this.sort();
  }

  // The chosen one is not moved, so that it keeps the focus.
  private sort(): void {
    const ordered = [...this.byElement.values()].sort((a, b) => a.row - b.row), stay = this.chosen?.element ?? null;
    if (ordered.every((one, i) => one.element === this.parent.children[i])) return;
    let isBefore = stay !== null;
    for (const { element } of ordered)
      if (element === stay) isBefore = false;
      else this.parent.insertBefore(element, isBefore ? stay : null);
  }

  rowOf(element: Element | null): RowElement | undefined {
    return element ? this.byElement.get(element) : undefined;
  }

  focus(): void { this.chosen?.element.focus({ preventScroll: true }); }
}

export function Waterfall(props: Props) {
  const { trace, times, rows, folded, selected, zoom, isRaw, hits, cause, onSelect, onFold } = props;
  const count = rows.span.length, shown = useWindow(count), { list, height } = shown;
  // Worked out once a name, not once a row.
  const names = useMemo(() => trace.names.map((one) => oneLine(one)), [trace]), services = useMemo(() => trace.services.map((one) => oneLine(one)), [trace]);
  const siblings = useMemo(() => siblingsOf(trace), [trace]), slots = trace.services.map(slotOf), slotsKey = slots.join();
  const head = useRef<HTMLDivElement>(null), pool = useRef<Pool>();
  const [width, setWidth] = useState(800); // px of the axis
  const indent = height > 40 ? 9 : 14; // px a level
  const selectedRow = selected >= 0 ? rows.row[selected]! : -1;
  const look = useMemo<Look>(() => ({ trace, times, folded, zoom, isRaw, hits, cause, selected, names, services, slots, ...siblings, width, indent }),
    [trace, times, folded, zoom.from, zoom.to, isRaw, hits, cause, selected, slotsKey, width, indent]);

  useLayoutEffect(() => {
    const axis = head.current?.querySelector('.axis');
    if (!axis) return undefined;
    const sized = new ResizeObserver(([entry]) => setWidth(Math.round(entry!.contentRect.width) || 800));
    sized.observe(axis);
    return () => sized.disconnect();
  }, []);
  useLayoutEffect(() => {
    pool.current ??= new Pool(list.current!);
    pool.current.show(look, rows, shown, selectedRow >= 0 ? selectedRow : 0);
  });
  // The chosen row is brought into sight and takes the focus, unless somebody types or the focus is in a panel.
  useEffect(() => {
    if (selectedRow < 0) return;
    const isNarrow = innerWidth <= 1100;
    reveal(shown, count, selectedRow, (head.current?.offsetHeight ?? 0) + 4, isNarrow ? innerHeight / 2 : 8);
  }, [selected, selectedRow, height]);
  useEffect(() => {
    const focused = document.activeElement;
    if (selected >= 0 && (focused === document.body || list.current?.contains(focused))) pool.current?.focus();
  }, [selected]);

  const onClick = (event: MouseEvent) => {
    const pressed = event.target as Element, at = pool.current?.rowOf(pressed.closest('.r'))?.at;
    if (at === undefined) return;
    if (pressed.closest('.tw') && trace.size[at]! > 1) onFold(at);
    else onSelect(at);
  };
  // What scrolling does not change is not looked through again.
  const grid = useMemo(() => {
    const ticks = ticksOf(zoom.from, zoom.to, Math.max(2, Math.floor(width / 110)));
    return { axis: <Axis ticks={ticks} />, lines: <div class="ticks" aria-hidden="true"><div>{ticks.map((tick, i) => <i key={i} style={{ left: `${100 * tick.part}%` }} />)}</div></div> };
  }, [zoom.from, zoom.to, width]);
  return <div class={hits ? 'wf has-hits' : 'wf'}>
    <div class="wfhead" ref={head}>
      <div class="mini"><span><span>{props.closed}</span><span class="folds">
        <button class="as-link" onClick={() => props.onFoldAll(false)}>{words.openAll}</button>{' · '}<button class="as-link" onClick={() => props.onFoldAll(true)}>{words.closeAll}</button>
        {props.isZoomed && <>{' · '}<button class="as-link whole" onClick={() => props.onZoom(0, times.length)}>{words.wholeTrace}</button></>}</span></span>
        <Minimap trace={trace} times={times} rows={rows} zoom={zoom} isZoomed={props.isZoomed} seen={shown.seen} onZoom={props.onZoom} /></div>
      {grid.axis}
    </div>
    <div class={shown.isLeaping ? 'tree leaps' : 'tree'} style={{ height: `${shown.total}px` }}>
      {grid.lines}
      <div role="tree" aria-label={words.tree} ref={list} onClick={onClick} />
    </div>
  </div>;
}

function Axis({ ticks }: { ticks: Tick[] }) {
  return <div class="hd"><span class="label">{words.spansHead}</span><div class="axis" aria-hidden="true">{ticks.map((tick, i) =>
    <i key={i} class={tick.part < 0.02 ? 'first' : tick.part > 0.93 ? 'last' : ''} style={{ left: `${100 * tick.part}%` }}>{tick.label}</i>)}</div></div>;
}
