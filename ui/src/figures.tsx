// Figures of services and operations: cells of tables, each with its usual and a link to the traces behind it.
import { formatCount, formatDuration, formatRate, formatShare } from './format';
import { Spark } from './rate_chart';
import { Grid, Health, Series, durationsOf, ratesOf, sharesOf } from './series';
import { Times, tracesLink } from './times';
import { quoted } from './query';
import { words } from './words';

export interface Row { key: string; service: string; name?: string; kind?: string; now?: Series; before?: Series; health: Health }

// The query that finds the spans that a series counts.
export function queryOf(series: { service: string; name?: string; kind?: string; of?: string }): string {
  const parts = [`service=${quoted(series.service)}`];
  if (series.name !== undefined) parts.push(`name=${quoted(series.name)}`);
  if (series.kind !== undefined) parts.push(`kind:${series.kind}`);
  if (series.of === 'requests' && series.name === undefined) parts.push('(kind:server or kind:consumer)');
  return parts.join(' ');
}

// Durations of the rollups are at most 5 % off: what is asked for begins a little below.
export function slowerThan(ns: number): string {
  return ` duration>=${Math.floor(ns / 1.06)}ns`;
}

function Usual({ text }: { text: string }) {
  return <span class="usual"><span class="vh">, </span>{words.usual(text)}</span>;
}

interface CellsProps { row: Row; times: Times; grid: Grid; usualGrid?: Grid; moment: number; withSparks?: boolean }

export function FigureCells({ row, times, grid, usualGrid, moment, withSparks = true }: CellsProps) {
  const { now, before, health } = row, query = queryOf(now ?? before ?? row), total = now?.total, usual = before?.total;
  const link = (more: string) => tracesLink(query + more, times);
  const duration = (ns: number | undefined, usualNs: number | undefined, tone = '') => <td class={`n ${tone}`}>
    {ns ? <a href={link(slowerThan(ns))}>{formatDuration(ns)}</a> : '·'}{usualNs ? <Usual text={formatDuration(usualNs)} /> : null}</td>;
  const failing = health.state === 'failing' ? 'broken' : '', late = health.state === 'slow' ? 'late' : '';
  const quiet = health.state === 'silent' ? 'stuck' : health.state === 'quiet' ? 'late' : '';
  const zeros = Array.from({ length: grid.count }, () => 0);
  const rates = ratesOf(now?.span_count ?? zeros, grid, moment), usualRates = before && usualGrid ? ratesOf(before.span_count, usualGrid, Infinity) : undefined;
  return <>
    {withSparks && <td class="sp c-spark"><Spark points={rates} usual={usualRates} tone={quiet} /></td>}
    <td class={`n c-rate ${quiet}`}><a href={link('')}>{formatRate(total?.span_count ?? 0, grid.seconds)}</a>
      {usual && usualGrid && <Usual text={formatRate(usual.span_count, usualGrid.seconds)} />}</td>
    {withSparks && <td class="sp c-spark"><Spark points={now ? sharesOf(now) : []} usual={before ? sharesOf(before) : undefined} tone={failing} top={0.01} /></td>}
    <td class={`n c-errors ${failing}`}>{total && total.error_count > 0
      ? <a href={link(' status:error')} title={`${formatCount(total.error_count)} / ${formatCount(total.span_count)}`}>{formatShare(total.error_count, total.span_count)}</a>
      : <span class="zero">{total ? formatShare(0, 1) : '·'}</span>}
      {usual && usual.span_count > 0 && <Usual text={formatShare(usual.error_count, usual.span_count)} />}</td>
    {duration(total?.p50_ns, usual?.p50_ns, 'c-p50')}
    {withSparks && <td class="sp c-spark"><Spark points={now ? durationsOf(now.p95_ns) : []} usual={before ? durationsOf(before.p95_ns) : undefined} tone={late} /></td>}
    {duration(total?.p95_ns, usual?.p95_ns, `c-p95 ${late}`)}
    {duration(total?.p99_ns, usual?.p99_ns, 'c-p99')}
  </>;
}

// -- Sorting: by the head of a column, in the address

export type SortKey = 'state' | 'name' | 'rate' | 'errors' | 'p50' | 'p95' | 'p99';
const SORT_KEYS: readonly SortKey[] = ['state', 'name', 'rate', 'errors', 'p50', 'p95', 'p99'];

export function sortOf(params: URLSearchParams, otherwise: SortKey): { key: SortKey; isRising: boolean } {
  const given = params.get('sort') ?? '', isTurned = given.startsWith('-');
  const key = SORT_KEYS.find((one) => one === given.replace('-', '')) ?? otherwise;
  return { key, isRising: (key === 'name') !== isTurned };
}

const share = (row: Row) => (row.now && row.now.total.span_count > 0 ? row.now.total.error_count / row.now.total.span_count : 0);

export function sortRows(rows: readonly Row[], key: SortKey, isRising: boolean, rank: (row: Row) => number): Row[] {
  const value = (row: Row): number => {
    switch (key) {
      case 'state': return -rank(row);
      case 'rate': return row.now?.total.span_count ?? 0;
      case 'errors': return share(row);
      case 'p50': return row.now?.total.p50_ns ?? 0;
      case 'p95': return row.now?.total.p95_ns ?? 0;
      case 'p99': return row.now?.total.p99_ns ?? 0;
      case 'name': return 0;
    }
  };
  const nameOf = (row: Row) => row.name ?? row.service;
  const byName = (a: Row, b: Row) => (nameOf(a) < nameOf(b) ? -1 : nameOf(a) > nameOf(b) ? 1 : 0);
  const turn = isRising ? 1 : -1;
  return [...rows].sort((a, b) => {
    if (key === 'name') return turn * byName(a, b);
    return turn * (value(a) - value(b)) || (key === 'state' ? share(b) - share(a) : 0) || (b.now?.total.span_count ?? 0) - (a.now?.total.span_count ?? 0) || byName(a, b);
  });
}

interface HeadProps { id: SortKey; label: string; sort: { key: SortKey; isRising: boolean }; onSort: (to: string) => void; otherwise: SortKey; number?: boolean; withSpark?: boolean; cls?: string }

export function SortHead({ id, label, sort, onSort, otherwise, number = true, withSpark = false, cls = '' }: HeadProps) {
  const isSorted = sort.key === id, isFirstRising = id === 'name';
  const press = () => onSort(isSorted && sort.isRising === isFirstRising ? `-${id}` : id === otherwise ? '' : id);
  return <>{withSpark && <td class="c-spark head-spark" />}<th class={`${number ? 'n' : ''} ${cls}`} aria-sort={isSorted ? (sort.isRising ? 'ascending' : 'descending') : undefined}>
    <button class="head-sort" onClick={press}>{label}<span class="turn" aria-hidden="true">{isSorted ? (sort.isRising ? '▴' : '▾') : ''}</span></button></th></>;
}
