// Two traces held together: their spans by way from the root, counts and durations of each, and what changed.
import { RefObject } from 'preact';
import { useEffect, useMemo, useRef, useState } from 'preact/hooks';
import { amend, linkTo } from '../address';
import { useAsk } from '../ask';
import { formatCount, formatDuration, formatTime } from '../format';
import { Cross, Name, Said, Swatch } from '../parts';
import { slotOf } from '../slots';
import { quoted } from '../query';
import { plural, words } from '../words';
import { Times, Trace, keyOf, timesOf } from './columns';
import { useTrace } from './live';
import { Node, PathTree, Sums, pathsOf } from './paths';
import { onCompareKey } from './compare_keys';
import { State } from './state';

const SHOWN_FIRST = 300, OTHERS_MAX = 20;

export type OnKey = RefObject<((event: KeyboardEvent) => boolean) | undefined>;

interface Props { trace: Trace; times: Times; state: State; onKey: OnKey }

// onKey is given what takes the keys while this is shown.
export function CompareView({ trace, times, state, onKey }: Props) {
  const other = useTrace(state.with || undefined), [onlyChanged, setOnlyChanged] = useState(false), first = useRef(state.with);
  const swap = other.data && linkTo(`/trace/${other.data.id}`, { view: 'compare', with: trace.id, diff: state.diff === 'sides' ? 'sides' : undefined });
  onKey.current = (event) => onCompareKey(event, state, { swap, toggleChanged: () => setOnlyChanged(!onlyChanged) });
  useEffect(() => () => { onKey.current = undefined; }, []);
  // Who chose one by a key goes on in what it is compared with: the list that had the focus is closed.
  useEffect(() => {
    const focused = document.activeElement;
    if (other.data && state.with !== first.current && (focused === document.body || focused?.closest('.others'))) document.querySelector<HTMLElement>('.diff tbody a')?.focus({ preventScroll: true });
  }, [other.data?.id]);
  return <section class="cmp">
    <p class="dim small">{words.compareHow}</p>
    <Chooser trace={trace} state={state} />
    {state.with !== '' && other.isMissing && <p class="note late-text">{words.noTrace(state.with.slice(0, 64))}</p>}
    {state.with !== '' && !other.isMissing && <Said asked={other} />}
    {state.with !== '' && other.data && <Difference trace={trace} times={times} other={other.data} state={state} swap={swap!} onlyChanged={onlyChanged} setOnlyChanged={setOnlyChanged} />}
  </section>;
}

interface Summary { trace_id: string; start_ns: string; duration_ns: string; span_count: number; error_count: number }

// Others that began the same way, and a field for the id of any.
function Chooser({ trace, state }: { trace: Trace; state: State }) {
  const [text, setText] = useState('');
  const query = `root.service:${quoted(trace.head.root_service)} root.name:${quoted(trace.head.root_name)}`;
  const asked = useAsk<{ traces: Summary[] }>(linkTo('/api/v1/traces', { q: query, limit: String(OTHERS_MAX + 1) }));
  const others = (asked.data?.traces ?? []).filter((one) => one.trace_id !== trace.id).slice(0, OTHERS_MAX);
  const byLength = [...others].sort((a, b) => Number(a.duration_ns) - Number(b.duration_ns));
  const marks = new Map<string, string>();
  if (byLength.length > 2) {
    marks.set(byLength[Math.floor(byLength.length / 2)]!.trace_id, words.median);
    marks.set(byLength[0]!.trace_id, words.fastest);
    marks.set(byLength[byLength.length - 1]!.trace_id, words.slowest);
  }
  const id = /([0-9a-f]{1,32})\/?(?:\?.*)?$/i.exec(text.trim())?.[1];
  return <details class="others" open={state.with === ''}>
    <summary class="as-link">{state.with ? words.chooseAnother : words.chooseOther}</summary>
    <form onSubmit={(event) => { event.preventDefault(); if (id) amend({ with: id.toLowerCase() }); }}>
      <div class="field"><input aria-label={words.otherId} placeholder={words.otherId} value={text} spellcheck={false} autocomplete="off" onInput={(event) => setText(event.currentTarget.value)} /></div>
      <button class="btn" disabled={!id}>{words.compare}</button></form>
    <Said asked={asked} />
    {asked.data && others.length === 0 && <p class="dim">{words.noOthers}</p>}
    {others.length > 0 && <ul>{others.map((one) => <li key={one.trace_id}>
      <button class="as-link" aria-pressed={one.trace_id === state.with} onClick={() => amend({ with: one.trace_id })}>{formatTime(Number(BigInt(one.start_ns) / 1000000n))}</button>
      <span class="n">{formatDuration(Number(one.duration_ns))}</span><span class="n dim">{formatCount(one.span_count)} {plural(one.span_count, words.spanWord)}</span>
      <span>{one.error_count > 0 && <span class="st broken"><Cross />{formatCount(one.error_count)}</span>}</span>
      <span class="dim">{marks.get(one.trace_id) ?? ''}</span></li>)}</ul>}
  </details>;
}

interface Line { node: Node; here: Sums; there: Sums }

// The tree from the top down, siblings by their first start in either trace.
function linesOf({ nodes, roots }: PathTree): Line[] {
  const lines: Line[] = [], begin = (i: number) => Math.min(nodes[i]!.side[0].start, nodes[i]!.side[1].start);
  const sorted = (list: number[]) => [...list].sort((a, b) => begin(b) - begin(a));
  const waiting = sorted(roots);
  for (let i = waiting.pop(); i !== undefined; i = waiting.pop()) {
    const node = nodes[i]!;
    lines.push({ node, here: node.side[0], there: node.side[1] });
    waiting.push(...sorted(node.children));
  }
  return lines;
}

function isSame({ here, there }: Line): boolean {
  return here.count === there.count && here.errors === there.errors;
}

interface DifferenceProps { trace: Trace; times: Times; other: Trace; state: State; swap: string; onlyChanged: boolean; setOnlyChanged: (to: boolean) => void }

function Difference({ trace, times, other, state, swap, onlyChanged, setOnlyChanged }: DifferenceProps) {
  const [limit, setLimit] = useState(SHOWN_FIRST);
  const otherTimes = useMemo(() => timesOf(other, state.isRaw, other.last), [other, state.isRaw]);
  const lines = useMemo(() => linesOf(pathsOf([{ trace, times }, { trace: other, times: otherTimes }])), [trace, times, other, otherTimes]);
  const shown = onlyChanged ? lines.filter((line) => !isSame(line)) : lines;
  const most = Math.max(1, ...lines.slice(0, 5000).map(({ here, there }) => Math.abs(there.total - here.total))), length = Math.max(times.length, otherTimes.length, 1);
  const added = lines.filter(({ here }) => here.count === 0).length, gone = lines.filter(({ there }) => there.count === 0).length;
  const link = (of: Trace, at: number) => linkTo(`/trace/${of.id}`, { span: keyOf(of, at) });
  return <>
    <div class="pair">
      <p><b>{words.thisTrace}</b> {formatDuration(times.length)}, {formatCount(trace.count)} {plural(trace.count, words.spanWord)}{trace.head.error_count > 0 && <>, {formatCount(trace.head.error_count)} {plural(trace.head.error_count, words.errorWord)}</>}</p>
      <p><b>{words.otherTrace}</b> {formatDuration(otherTimes.length)}, {formatCount(other.count)} {plural(other.count, words.spanWord)}{other.head.error_count > 0 && <>, {formatCount(other.head.error_count)} {plural(other.head.error_count, words.errorWord)}</>} · <a href={`/trace/${other.id}`} class="id">{other.id.slice(0, 12)}…</a> · <a href={swap}>{words.swap}</a></p>
      <p class="dim">{words.differenceSaid(formatCount(added), formatCount(gone))}</p>
    </div>
    <div class="ranges" role="group" aria-label={words.view}>{(['merged', 'sides'] as const).map((one) =>
      <button class="btn" key={one} aria-pressed={one === state.diff} onClick={() => amend({ diff: one === 'merged' ? undefined : one })}>{one === 'merged' ? words.merged : words.sideBySide}</button>)}
      <button class="btn" aria-pressed={onlyChanged} onClick={() => setOnlyChanged(!onlyChanged)}>{words.onlyChanged}</button></div>
    <table class={`diff ${state.diff}`}><thead>{state.diff === 'merged'
      ? <tr><th>{words.operation}</th><th class="n">{words.countHead}</th><th class="n">{words.thisTrace}</th><th class="n">{words.otherTrace}</th><th class="n">{words.change}</th><th class="o-bar"><span class="vh">{words.change}</span></th></tr>
      : <tr><th>{words.operation}</th><th>{words.thisTrace}</th><th>{words.otherTrace}</th></tr>}</thead>
      <tbody>{shown.slice(0, limit).map((line, i) => {
        const { node, here, there } = line, marks = `${isSame(line) ? '' : 'is-changed'}${here.errors + there.errors > 0 ? ' is-failing' : ''}`;
        const name = <td class="o-name" style={{ '--d': Math.min(node.depth, 20) }}><span class="nm"><Swatch service={node.service} /><b><Name text={node.name} /></b><em class="faint small"><Name text={node.service} /></em>
          {here.count === 0 ? <em class="only">{words.onlyThere}</em> : there.count === 0 ? <em class="only">{words.onlyHere}</em> : null}</span></td>;
        const cell = (of: Trace, sums: Sums) => (sums.count === 0 ? <span class="faint">·</span> : <a href={link(of, sums.longest)} data-side={of === trace ? 0 : 1}>{formatDuration(sums.total)}</a>);
        const failed = (sums: Sums) => sums.errors > 0 && <span class="broken"><Cross /><span class="vh">{words.errorsHead}</span></span>;
        if (state.diff === 'sides') {
          const bar = (of: Trace, sums: Sums) => <td class="o-side"><span class="line">{sums.count > 0 && <><i class={`b s${slotOf(node.service)}`} style={{ left: `${100 * sums.start / length}%`, width: `${100 * (sums.end - sums.start) / length}%` }} />
            </>}</span><span class="nw">{cell(of, sums)}{sums.count > 1 ? <span class="faint"> × {formatCount(sums.count)}</span> : ''} {failed(sums)}</span></td>;
          return <tr key={i} class={marks}>{name}{bar(trace, here)}{bar(other, there)}</tr>;
        }
        const change = there.total - here.total;
        return <tr key={i} class={marks}>{name}
          <td class="n">{here.count === there.count ? formatCount(here.count) : <b>{formatCount(here.count)} → {formatCount(there.count)}</b>}</td>
          <td class="n">{failed(here)} {cell(trace, here)}</td><td class="n">{failed(there)} {cell(other, there)}</td>
          <td class="n">{change === 0 ? <span class="faint">0</span> : `${change > 0 ? '+' : '−'}${formatDuration(Math.abs(change))}`}</td>
          <td class="o-bar"><span class="both"><i class={change < 0 ? 'shorter' : 'longer'} style={{ width: `${50 * Math.min(1, Math.abs(change) / most)}%` }} /></span></td></tr>;
      })}</tbody></table>
    {shown.length === 0 && <p class="dim">{words.sameShape}</p>}
    {shown.length > limit && <p class="more"><button class="btn" onClick={() => setLimit(4 * limit)}>{words.moreRows(formatCount(limit), formatCount(shown.length))}</button></p>}
  </>;
}
