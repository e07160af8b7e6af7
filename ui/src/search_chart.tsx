// The picture above the list: a heat map of any number of spans, or a dot for each trace. Selecting in it narrows the search.
import { useEffect, useMemo, useState } from 'preact/hooks';
import { linkTo } from './address';
import { useAsk } from './ask';
import { writtenDuration } from './axes';
import { Box } from './chart';
import { Dots } from './dots';
import { Heat, HeatMap } from './heat_map';
import { formatCount } from './format';
import { openTraces } from './open_traces';
import { asksTraces, narrowed } from './query';
import { Chart, SearchState, Times, nsText } from './search_address';
import { Found, Page, Summary, pathOf } from './traces';
import { words } from './words';

const DOTS_MAX = 500;

interface Props { state: SearchState; times: Times; found: Found; rows: Summary[]; to: (changes: Partial<SearchState>) => void; onListed: () => void }

// Which kind is drawn: what the address says; else dots, as long as all traces that fit are in the list.
export function chartOf(state: SearchState, found: Found): Chart {
  if (state.chart !== undefined && (state.chart !== 'heat' || !asksTraces(state.q))) return state.chart;
  return found.next === null || asksTraces(state.q) ? 'dots' : 'heat';
}

// A window's width decides how many columns it is worth asking for; steps, so that a narrower one is not asked anew all the time.
function columnCount(): number {
  return Math.max(24, Math.min(160, Math.round((document.documentElement.clientWidth - 120) / 9 / 8) * 8));
}

export function SearchChart({ state, times, found, rows, to, onListed }: Props) {
  const kind = chartOf(state, found);
  const [read, setRead] = useState('');
  const isTraces = asksTraces(state.q);
  // Without a query the roots stand for their traces.
  const q = state.q || 'root=true';
  const columns = useMemo(columnCount, []);
  const heat = useAsk<Heat>(kind === 'heat' ? linkTo('/api/v1/heatmap', { q, start: nsText(times.startMs), end: nsText(times.endMs), columns: String(columns) }) : undefined);
  const wantsMore = kind === 'dots' && found.isOfQuestion && found.next !== null && rows.length < DOTS_MAX;
  const more = useAsk<Page>(wantsMore ? pathOf(state.q, times, { limit: String(DOTS_MAX) }) : undefined);
  useEffect(() => setRead(''), [kind, state.q]);
  const dots = useMemo(() => (wantsMore && more.data && more.data.traces.length > rows.length ? more.data.traces : rows), [rows, more.data, wantsMore]);
  const isCut = found.next !== null && (!(wantsMore && more.data) || more.data.next !== null);

  const changesFor = (box: Box): Partial<SearchState> => {
    const changes: Partial<SearchState> = { isLive: false };
    if (box.startMs !== undefined && box.endMs !== undefined) {
      changes.fromMs = Math.floor(box.startMs);
      changes.toMs = Math.max(Math.ceil(box.endMs), Math.floor(box.startMs) + 1);
    }
    if (box.minNs !== undefined && box.maxNs !== undefined) {
      const key = kind === 'heat' ? 'duration' : 'trace.duration';
      const low = writtenDuration(box.minNs), high = writtenDuration(box.maxNs);
      changes.q = narrowed(kind === 'heat' ? q : state.q, [...(box.minNs > 1 ? [`${key}>=${low}`] : []), `${key}<${high}`]);
    }
    return changes;
  };
  const onBox = (box: Box) => to(changesFor(box));
  const onCell = (box: Required<Box>) => {
    const changes = changesFor(box);
    void openTraces(changes.q ?? q, box, () => { onListed(); to(changes); });
  };
  const kinds: [Chart, string][] = [['heat', words.chartHeat], ['dots', words.chartDots], ['none', words.chartNone]];
  return <figure class="search-chart" aria-label={words.chartLabel}>
    <figcaption>
      <span class="tabs" role="group" aria-label={words.chartKind}>{kinds.map(([one, label]) =>
        <button class="tab" key={one} aria-pressed={one === kind} disabled={one === 'heat' && isTraces} title={one === 'heat' && isTraces ? words.heatNotTraces : undefined}
          onClick={() => to({ chart: one })}>{label}</button>)}</span>
      {kind !== 'none' && <span class="read small" aria-live="polite">{read || <span class="faint">
        {kind === 'heat' ? (state.q ? words.heatOfSpans : words.heatOfRoots) : isCut ? words.dotsCut(formatCount(dots.length)) : words.dotsOf}</span>}</span>}
    </figcaption>
    {isTraces && state.chart === 'heat' && <p class="note small dim">{words.heatNotTraces}</p>}
    {kind === 'heat' && heat.refusal && <p class="note small dim">{words.notRead} {heat.refusal.message}</p>}
    {kind === 'heat' && heat.data?.partial && <p class="note small late-text">{words.heatPartial[heat.data.partial_reason ?? ''] ?? words.partialOther}</p>}
    {kind === 'heat' && !heat.refusal && <HeatMap asked={heat} onBox={onBox} onCell={onCell} onRead={setRead} />}
    {kind === 'dots' && <Dots rows={dots} window={times} isCut={isCut} onBox={onBox} onRead={setRead} />}
  </figure>;
}
