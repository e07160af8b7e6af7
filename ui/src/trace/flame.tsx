// The flame graph: spans of one way are one box, as wide as the time in which it or something below it worked. Boxes too
// narrow to be seen are drawn as one grey rest. A click makes a box the widest; so it stands in the address.
import { useLayoutEffect, useMemo, useRef, useState } from 'preact/hooks';
import { amend, linkTo } from '../address';
import { formatCount, formatDuration, formatShare } from '../format';
import { Cross, Name, Swatch } from '../parts';
import { slotOf } from '../slots';
import { quoted } from '../query';
import { plural, words } from '../words';
import { Times, Trace, keyOf, spanOf } from './columns';
import { Hits } from './find';
import { Node, PathTree, pathsOf } from './paths';
import { State } from './state';

const ROW = 24, NARROW = 4; // px
const BOXES_MAX = 1500;

interface Box { node: number; left: number; width: number; row: number } // parts of the whole width; node -1: a rest

// Boxes from a node down, and its forebears over it, in full width.
function layOut({ nodes, roots }: PathTree, top: number, width: number): Box[] {
  const boxes: Box[] = [], least = NARROW / Math.max(1, width);
  const above: number[] = [];
  for (let i = top; i >= 0; i = nodes[i]!.parent) above.unshift(i);
  above.forEach((node, row) => boxes.push({ node, left: 0, width: 1, row }));
  const whole = top >= 0 ? nodes[top]!.side[0].busy : roots.reduce((sum, root) => sum + nodes[root]!.side[0].busy, 0);
  if (whole <= 0) return boxes;
  const queue: { list: number[]; left: number; row: number }[] = [{ list: top >= 0 ? nodes[top]!.children : roots, left: 0, row: above.length }];
  for (let i = 0; i < queue.length && boxes.length < BOXES_MAX; i++) {
    const { list, row } = queue[i]!;
    let { left } = queue[i]!, rest = 0;
    for (const node of list) {
      const part = nodes[node]!.side[0].busy / whole;
      if (part < least) { rest += part; continue; }
      boxes.push({ node, left, width: part, row });
      if (nodes[node]!.children.length > 0) queue.push({ list: nodes[node]!.children, left, row: row + 1 });
      left += part;
    }
    if (rest >= least) boxes.push({ node: -1, left, width: rest, row });
  }
  return boxes;
}

interface Props { trace: Trace; times: Times; state: State; hits: Hits | undefined }

export function FlameView({ trace, times, state, hits }: Props) {
  const tree = useMemo(() => pathsOf([{ trace, times }]), [trace, times]), { nodes } = tree;
  const box = useRef<HTMLDivElement>(null);
  const [width, setWidth] = useState(1000), [focused, setFocused] = useState(-1);
  const topSpan = state.at ? spanOf(trace, state.at) : -1, top = topSpan >= 0 ? tree.of[0][topSpan]! : -1;
  useLayoutEffect(() => {
    if (!box.current) return undefined;
    const sized = new ResizeObserver(([entry]) => setWidth(Math.round(entry!.contentRect.width)));
    sized.observe(box.current);
    return () => sized.disconnect();
  }, []);
  const boxes = useMemo(() => layOut(tree, top, width), [tree, top, width]);
  const found = useMemo(() => {
    if (!hits) return undefined;
    const is = new Set<number>();
    for (const at of hits.list) is.add(tree.of[0][at]!);
    return is;
  }, [hits, tree]);
  const whole = tree.roots.reduce((sum, root) => sum + nodes[root]!.side[0].busy, 0);
  const stop = focused >= 0 && boxes.some((one) => one.node === focused) ? focused : boxes.find((one) => one.node >= 0)?.node ?? -1;
  const widen = (node: number) => amend({ at: node >= 0 && node !== top ? keyOf(trace, nodes[node]!.side[0].first) : undefined });
  const focus = (node: number) => {
    setFocused(node);
    requestAnimationFrame(() => document.getElementById(`box-${node}`)?.focus());
  };
  const onKeyDown = (event: KeyboardEvent) => {
    const drawn = boxes.filter((one) => one.node >= 0), here = drawn.find((one) => one.node === stop);
    if (!here) return;
    const row = drawn.filter((one) => one.row === here.row), place = row.indexOf(here);
    const next: Box | undefined = { ArrowUp: drawn.find((one) => one.node === nodes[stop]!.parent), ArrowDown: drawn.find((one) => nodes[one.node]!.parent === stop && one.row === here.row + 1),
      ArrowLeft: row[place - 1], ArrowRight: row[place + 1] }[event.key];
    if (/^Arrow/.test(event.key)) { event.preventDefault(); if (next) focus(next.node); }
  };
  const said = nodes[stop];
  const deepest = boxes.reduce((most, one) => Math.max(most, one.row), 0);
  return <section class="flame">
    <p class="dim small">{words.flameHow}{top >= 0 && <>{' '}<button class="as-link" onClick={() => amend({ at: undefined })}>{words.wholeTrace}</button></>}</p>
    {said && <Told node={said} trace={trace} whole={whole} />}
    <div class="boxes" ref={box} role="tree" aria-label={words.flame} style={{ height: `${(deepest + 1) * ROW}px` }} onKeyDown={onKeyDown}>
      {boxes.map((one, i) => one.node < 0
        ? <i key={`rest${i}`} class="rest" style={{ left: `${100 * one.left}%`, width: `calc(${100 * one.width}% - 1px)`, top: `${one.row * ROW}px` }} />
        : <Drawn key={one.node} one={one} node={nodes[one.node]!} whole={whole} isTop={one.node === top} isStop={one.node === stop} isFaint={found !== undefined && !found.has(one.node)}
            onFocus={() => setFocused(one.node)} onClick={() => { setFocused(one.node); widen(one.node); }} />)}
    </div>
  </section>;
}

interface DrawnProps { one: Box; node: Node; whole: number; isTop: boolean; isStop: boolean; isFaint: boolean; onFocus: () => void; onClick: () => void }

function Drawn({ one, node, whole, isTop, isStop, isFaint, onFocus, onClick }: DrawnProps) {
  const sums = node.side[0];
  return <div id={`box-${one.node}`} class={`box s${slotOf(node.service)}${isFaint ? ' faint-box' : ''}${isTop ? ' top-box' : ''}`} role="treeitem" aria-level={node.depth + 1} aria-selected={isTop}
    tabIndex={isStop ? 0 : -1} style={{ left: `${100 * one.left}%`, width: `calc(${100 * one.width}% - 1px)`, top: `${one.row * ROW}px` }} onFocus={onFocus} onClick={onClick}
    onMouseEnter={onFocus} onKeyDown={(event) => { if (event.key === 'Enter' || event.key === ' ') { event.preventDefault(); event.stopPropagation(); onClick(); } }}>
    <span><Name text={node.name} /> <em>{sums.count > 1 ? `${formatCount(sums.count)} × · ` : ''}{formatShare(sums.busy, whole)}</em>{sums.errors > 0 && <span class="broken"><Cross /><span class="vh">{words.errorsHead}</span></span>}</span>
  </div>;
}

// What the box under the pointer or the focus is, in words, with where it leads.
function Told({ node, trace, whole }: { node: Node; trace: Trace; whole: number }) {
  const sums = node.side[0];
  return <p class="told" aria-live="polite"><Swatch service={node.service} /><b><Name text={node.name} /></b> <span class="dim"><Name text={node.service} /></span>
    <span>{formatCount(sums.count)} {plural(sums.count, words.spanWord)}</span><span>{words.totalTime} {formatDuration(sums.total)}</span>
    <span>{words.selfTime} {formatDuration(sums.self)}</span><span>{formatShare(sums.busy, whole)}</span>
    {sums.errors > 0 && <span class="st broken"><Cross />{formatCount(sums.errors)}</span>}
    <a href={linkTo(`/trace/${trace.id}`, { span: keyOf(trace, sums.longest) })}>{words.toLongest}</a>
    <a href={linkTo('/search', { q: `service:${quoted(node.service)} name:${quoted(node.name)}` })}>{words.onlyName}</a></p>;
}
