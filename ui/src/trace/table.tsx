// The trace as a table: by operation or by service how many spans, how long, how much of it their own, how many failed.
import { useMemo, useState } from 'preact/hooks';
import { amend, linkTo } from '../address';
import { formatCount, formatDuration, formatShare } from '../format';
import { Cross, Name, Swatch } from '../parts';
import { slotOf } from '../slots';
import { words } from '../words';
import { isBroken } from './cause';
import { Times, Trace, keyOf } from './columns';
import { Hits } from './find';
import { selfTimes } from './paths';
import { State } from './state';

const SHOWN_FIRST = 200;

interface Row { service: number; name: number; count: number; total: number; self: number; longest: number; most: number; errors: number; firstError: number }

function rowsOf(trace: Trace, times: Times, by: State['by'], hits: Hits | undefined): Row[] {
  const rows = new Map<number, Row>(), self = selfTimes(trace, times), width = trace.names.length;
  for (let at = 0; at < trace.count; at++) {
    if (hits && !hits.is[at]) continue;
    const service = trace.service[at]!, name = by === 'service' ? -1 : trace.name[at]!, key = by === 'service' ? service : service * width + name;
    let row = rows.get(key);
    if (!row) rows.set(key, row = { service, name, count: 0, total: 0, self: 0, longest: at, most: -1, errors: 0, firstError: -1 });
    const length = times.end[at]! - times.start[at]!;
    row.count++;
    row.total += length;
    row.self += self[at]!;
    if (length > row.most) { row.most = length; row.longest = at; }
    if (isBroken(trace, at)) { row.errors++; if (row.firstError < 0) row.firstError = at; }
  }
  return [...rows.values()];
}

const COLUMNS = ['name', 'count', 'total', 'self', 'mean', 'most', 'errors'] as const;
type Column = typeof COLUMNS[number];

function valueOf(row: Row, column: Column): number {
  return column === 'name' ? 0 : column === 'mean' ? row.total / row.count : row[column];
}

export function TableView({ trace, times, state, hits }: { trace: Trace; times: Times; state: State; hits: Hits | undefined }) {
  const [limit, setLimit] = useState(SHOWN_FIRST);
  const isUp = state.sort.startsWith('-'), column = COLUMNS.find((one) => one === state.sort.replace('-', '')) ?? 'self';
  const textOf = (row: Row) => (row.name < 0 ? trace.services[row.service]! : trace.names[row.name]!);
  const rows = useMemo(() => rowsOf(trace, times, state.by, hits), [trace, times, state.by, hits]);
  const sorted = useMemo(() => [...rows].sort((a, b) => {
    const more = column === 'name' ? textOf(a).localeCompare(textOf(b)) : valueOf(b, column) - valueOf(a, column);
    return isUp ? -more : more;
  }), [rows, column, isUp]);
  const whole = rows.reduce((sum, row) => sum + row.self, 0), most = rows.reduce((least, row) => Math.max(least, row.self), 1);
  const heads: Record<Column, string> = { name: state.by === 'service' ? words.service : words.operation, count: words.countHead, total: words.totalHead, self: words.selfHead, mean: words.meanHead,
    most: words.longestHead, errors: words.errorsHead };
  const sort = (one: Column) => {
    const next = one === column && !isUp ? `-${one}` : one;
    amend({ sort: next === 'self' ? undefined : next });
  };
  const toSpan = (at: number) => linkTo(`/trace/${trace.id}`, { span: keyOf(trace, at) });
  return <section class="ops">
    <div class="ranges" role="group" aria-label={words.rowsBy}>{(['operation', 'service'] as const).map((one) =>
      <button class="btn" key={one} aria-pressed={one === state.by} onClick={() => amend({ by: one === 'operation' ? undefined : one })}>{one === 'service' ? words.byService : words.byOperation}</button>)}
      <span class="dim small">{hits ? words.tableFound : words.selfHow}</span></div>
    <table><thead><tr>{COLUMNS.map((one) => <th key={one} class={`o-${one}${one === 'name' ? '' : ' n'}`} aria-sort={one === column ? (isUp ? 'ascending' : 'descending') : 'none'}>
      <button class="as-link sort" onClick={() => sort(one)}>{heads[one]}<span aria-hidden="true">{one === column ? (isUp ? ' ↑' : ' ↓') : ''}</span></button></th>)}</tr></thead>
      <tbody>{sorted.slice(0, limit).map((row) => <tr key={`${row.service}.${row.name}`}>
        <td class="o-name"><span class="nm"><Swatch service={trace.services[row.service]!} /><a href={toSpan(row.longest)}><Name text={textOf(row)} /></a>
          {row.name >= 0 && <em class="faint small"><Name text={trace.services[row.service]!} /></em>}</span></td>
        <td class="n">{formatCount(row.count)}</td>
        <td class="n o-total">{formatDuration(row.total)}</td>
        <td class="n o-self"><span class="share"><i class={`s${slotOf(trace.services[row.service]!)}`} style={{ width: `${100 * row.self / most}%` }} /></span><span>{formatDuration(row.self)}</span><span class="faint pc">{formatShare(row.self, whole)}</span></td>
        <td class="n o-mean">{formatDuration(row.total / row.count)}</td>
        <td class="n o-most"><a href={toSpan(row.longest)}>{formatDuration(row.most)}</a></td>
        <td class="n">{row.errors > 0 ? <a class="st broken" href={toSpan(row.firstError)}><Cross />{formatCount(row.errors)}</a> : <span class="faint">0</span>}</td>
      </tr>)}</tbody></table>
    {sorted.length > limit && <p class="more"><button class="btn" onClick={() => setLimit(4 * limit)}>{words.moreRows(formatCount(limit), formatCount(sorted.length))}</button></p>}
  </section>;
}
