// The waterfall: a tree of rows, of which only those near the window are in the document.
import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks';
import { formatCount, formatDuration } from './format';
import { Cross, Name, Swatch } from './parts';
import { slotOf } from './slots';
import { Span, Trace } from './trace_model';
import { words } from './words';

const BEYOND = 20; // rows kept above and below the window
const DEPTH_SHOWN_MAX = 24; // deeper ones are not indented further

interface Props {
  trace: Trace;
  rows: number[];
  folded: ReadonlySet<string>;
  selected: number; // a place in trace.order, -1: none
  onSelect: (at: number) => void;
  onFold: (span: Span) => void;
}

// The rows that lie in the window.
function useWindow(count: number): { tree: preact.RefObject<HTMLDivElement>; from: number; to: number; height: number } {
  const tree = useRef<HTMLDivElement>(null);
  const [range, setRange] = useState({ from: 0, to: 60, height: 26 });
  useLayoutEffect(() => {
    let frame = 0;
    const measure = () => {
      frame = 0;
      if (!tree.current) return;
      const height = parseFloat(getComputedStyle(tree.current).getPropertyValue('--row-height')) || 26;
      const top = -tree.current.getBoundingClientRect().top;
      const from = Math.max(0, Math.floor(top / height) - BEYOND);
      const to = Math.min(count, Math.ceil((top + innerHeight) / height) + BEYOND);
      setRange((old) => (old.from === from && old.to === to && old.height === height ? old : { from, to, height }));
    };
    const later = () => { if (!frame) frame = requestAnimationFrame(measure); };
    measure();
    addEventListener('scroll', later, { passive: true });
    addEventListener('resize', later);
    return () => { cancelAnimationFrame(frame); removeEventListener('scroll', later); removeEventListener('resize', later); };
  }, [count]);
  return { tree, ...range };
}

export function Waterfall(props: Props) {
  const { trace, rows, folded, selected, onSelect, onFold } = props;
  const { tree, from, to, height } = useWindow(rows.length);
  const row = rows.indexOf(selected);
  // The chosen row is brought into sight, below the axis that stays at the top.
  useEffect(() => {
    if (row < 0 || !tree.current) return;
    const y = tree.current.getBoundingClientRect().top + row * height;
    const below = innerWidth < 1100 ? innerHeight / 2 : innerHeight;
    if (y < 32 || y + height > below - 8) scrollBy(0, y - below / 3);
  }, [selected, row, height]);
  const shown = rows.slice(from, to);
  return <div class="wf">
    <Axis trace={trace} rows={rows.length} />
    <div class="tree" role="tree" aria-label={words.tree} tabIndex={0} ref={tree} style={{ height: `${rows.length * height}px` }}
      aria-activedescendant={row >= from && row < to ? `row-${selected}` : undefined}>
      {shown.map((at, index) =>
        <Row key={at} at={at} top={(from + index) * height} span={trace.order[at]!} trace={trace} isSelected={at === selected}
          isFolded={folded.has(trace.order[at]!.id)} onSelect={onSelect} onFold={onFold} />)}
    </div>
  </div>;
}

function Axis({ trace, rows }: { trace: Trace; rows: number }) {
  return <div class="hd"><span>{words.rows(formatCount(rows), formatCount(trace.order.length))}</span>
    <div aria-hidden="true">{[0, 0.25, 0.5, 0.75, 1].map((part) =>
      <i key={part} style={{ left: `${100 * part}%` }}>{formatDuration(trace.length * part)}</i>)}</div></div>;
}

interface RowProps {
  at: number; top: number; span: Span; trace: Trace; isSelected: boolean; isFolded: boolean;
  onSelect: (at: number) => void; onFold: (span: Span) => void;
}

function Row({ at, top, span, trace, isSelected, isFolded, onSelect, onFold }: RowProps) {
  const all = Math.max(1, trace.length);
  const left = 100 * span.start / all, width = 100 * (span.end - span.start) / all;
  const hasChildren = span.size > 1;
  const label = span.isOpen ? words.neverEnded : formatDuration(span.end - span.start);
  const where = left + width < 80 ? 'after' : left > 20 ? 'before' : 'inside';
  const place = where === 'after' ? { left: `${left + width}%` } : where === 'before' ? { left: `${left}%` } : { left: '0%' };
  const hidden = isFolded ? span.errorsBelow : 0;
  return <div class="r" id={`row-${at}`} role="treeitem" aria-level={span.depth + 1} aria-selected={isSelected}
    aria-expanded={hasChildren ? !isFolded : undefined} style={{ top: `${top}px`, '--d': Math.min(span.depth, DEPTH_SHOWN_MAX) }} onClick={() => onSelect(at)}>
    <span class="nm">
      <span class="tw" onClick={(event) => { if (hasChildren) { event.stopPropagation(); onFold(span); } }}>{hasChildren ? (isFolded ? '▸' : '▾') : ''}</span>
      <Swatch service={span.service} /><b><Name text={span.name} /></b>
      {span.isError && <span class="broken" title={words.statusError}><Cross /><span class="vh">{words.statusError}</span></span>}
      {hidden > 0 && <span class="broken small">{formatCount(hidden)} <span class="vh">{words.errorsHead}</span></span>}
      <em><Name text={span.service} />{isFolded ? ` +${formatCount(span.size - 1)}` : ''}{span.isOrphan ? ` · ${words.missingParent}` : ''}</em>
    </span>
    <span class="ln">
      <i class={`b s${slotOf(span.service)}${span.isOpen ? ' ragged' : ''}${span.isError ? ' bad' : ''}`} style={{ left: `${left}%`, width: `${width}%` }} />
      <span class={`t ${where}`} style={place}><span>{label}</span></span>
    </span>
  </div>;
}
