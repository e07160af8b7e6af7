// One service: rate, errors and durations over time beside their usual, who calls it and whom it calls, its operations. With an
// operation in the address the charts show that one alone.
import { useEffect, useMemo, useState } from 'preact/hooks';
import { Address, amend, go, linkTo } from './address';
import { useAsk } from './ask';
import { DurationMap, Durations } from './duration_map';
import { EdgeTable } from './edge_table';
import { FigureCells, Row, SortHead, queryOf, slowerThan, sortOf, sortRows } from './figures';
import { formatCount, formatDuration, formatRate, formatShare } from './format';
import { ServiceMapData, edgesDrawn } from './map_model';
import { Mark } from './marks';
import { openTraces } from './open_traces';
import { Name, Said, Swatch, oneLine } from './parts';
import { clockText } from './plot';
import { Line, RateChart } from './rate_chart';
import { useHeldOrder, useMoment } from './refresh';
import { STATES, Series, SeriesPage, durationsOf, gridOf, healthOf, ratesOf, sharesOf } from './series';
import { rowsOf, useRowKeys } from './services';
import { TimeBar } from './time_bar';
import { Times, choose, query, stepSeconds, timeParams, timesOf, tracesLink } from './times';
import { words } from './words';

const LIVE_MS = 10e3, LIVE_LONG_MS = 60e3, MAP_MS = 30e3, OPERATIONS_FIRST = 25;

export function nameOfPath(path: string): string {
  const text = path.slice('/services/'.length).replace(/\/$/, '');
  try { return decodeURIComponent(text); } catch { return text; }
}

export function ServicePage({ address }: { address: Address }) {
  const { params, path } = address, service = nameOfPath(path), operation = params.get('op') ?? undefined;
  const [isFailing, setFailing] = useState(false);
  const first = timesOf(params, Date.now());
  const moment = useMoment(first.range === '24h' || first.range === '7d' ? LIVE_LONG_MS : LIVE_MS, first.isFixed, () => isFailing);
  const times = timesOf(params, moment), stepMs = stepSeconds(times) * 1000;
  const floor = (ms: number, to: number) => Math.floor(ms / to) * to;
  const before = { startMs: floor(times.startMs, stepMs), endMs: floor(times.endMs, stepMs) };
  const of = operation === undefined ? { of: 'requests' } : { name: operation };
  const asked = useAsk<SeriesPage>(linkTo('/api/v1/series', { service, ...of, ...query(times) }));
  const usual = useAsk<SeriesPage>(linkTo('/api/v1/series', { service, ...of, ...query(before, times.shiftMs) }));
  const operations = useAsk<SeriesPage>(linkTo('/api/v1/series', { service, by: 'operation', ...query(times) }));
  const usualOperations = useAsk<SeriesPage>(linkTo('/api/v1/series', { service, by: 'operation', ...query(before, times.shiftMs) }));
  const series = asked.data?.series[0];
  const heat = useAsk<Durations>(series ? linkTo('/api/v1/durations', { service, name: operation, of: series.of, ...query(times) }) : undefined);
  const rounded = times.isFixed ? times : { startMs: floor(times.startMs, MAP_MS), endMs: floor(times.endMs, MAP_MS) + MAP_MS };
  const { step: _, ...window } = query(rounded);
  const map = useAsk<ServiceMapData>(linkTo('/api/v1/map', window));
  useEffect(() => { document.title = `${oneLine(service, 80)} · ${words.services} · Filigree`; }, [service]);
  useEffect(() => setFailing(asked.failingSince !== undefined), [asked.failingSince]);
  const isNothing = asked.data && !series;
  return <>
    <TimeBar times={times} params={params} path={path} asked={asked} moment={moment} />
    <header class="service-head">
      <p class="small"><a href={linkTo('/services', timeParams(params))}>← {words.backToAll}</a></p>
      <h1><Swatch service={service} /><Name text={service} />{operation !== undefined && <> <span class="dim">›</span> <Name text={operation} /></>}</h1>
      {operation !== undefined && <p><button class="as-link" onClick={() => amend({ op: undefined })}>{words.allOperations}</button></p>}
      {series && <Verdict operation={operation} series={series} usual={usual.data?.series[0]} page={asked.data!} usualPage={usual.data} moment={moment} times={times} />}
    </header>
    <Said asked={asked} />
    {isNothing && <section><p>{words.noService(service)} <a href={linkTo(path, { range: '7d' })}>{words.lookWider}</a></p></section>}
    {series && <Charts series={series} usual={usual.data?.series[0]} page={asked.data!} usualPage={usual.data} heat={heat.data} times={times} moment={moment} params={params} path={path} operation={operation} />}
    {map.data && <Neighbours data={map.data} service={service} params={params} times={times} />}
    {operations.data && <Operations page={operations.data} usual={usualOperations.data} params={params} times={times} moment={moment} chosen={operation} />}
  </>;
}

interface ChartsProps {
  series: Series; usual?: Series; page: SeriesPage; usualPage?: SeriesPage; times: Times; moment: number;
}

function Verdict({ series, usual, page, usualPage, moment, times, operation }: ChartsProps & { operation?: string }) {
  const grid = gridOf(page, moment), usualSeconds = usualPage ? gridOf(usualPage, Infinity).seconds : 1;
  const health = healthOf(series.total, usual?.total, grid.seconds, usualSeconds), query = queryOf({ ...series, name: operation });
  return <p class="sum"><Mark state={health.state} /><span>{health.why}</span>
    <a href={tracesLink(query, times)}>{words.seeTraces}</a>
    {series.total.error_count > 0 && <a href={tracesLink(`${query} status:error`, times)}>{words.seeErrors}</a>}</p>;
}

function Charts({ series, usual, page, usualPage, heat, times, moment, params, path, operation }:
  ChartsProps & { heat?: Durations; params: URLSearchParams; path: string; operation?: string }) {
  const [cursor, setCursor] = useState(-1);
  const grid = gridOf(page, moment), usualGrid = usualPage ? gridOf(usualPage, Infinity) : undefined, total = series.total, before = usual?.total;
  const query = queryOf({ ...series, name: operation });
  const stepOf = (at: number): [number, number] => [grid.startMs + at * grid.stepMs, grid.startMs + (at + 1) * grid.stepMs];
  const open = (more: string, at: number) => go(tracesLink(query + more, times, ...stepOf(at)));
  const range = (from: number, to: number) => choose(params, path, stepOf(from)[0], stepOf(to)[1]);
  const { rate, share, p50, p95, p99 } = useMemo(() => ({
    rate: ratesOf(series.span_count, grid, moment), share: sharesOf(series),
    p50: durationsOf(series.p50_ns), p95: durationsOf(series.p95_ns), p99: durationsOf(series.p99_ns),
  }), [series]);
  const withUsual = (main: Line[], points: number[] | undefined): Line[] => (points ? [...main, { kind: 'usual', points }] : main);
  const common = { startMs: grid.startMs, stepMs: grid.stepMs, count: grid.count, cursor, onCursor: setCursor, onRange: range };
  const said = (value: string, usualValue: string | undefined) => ({ said: value, usual: usualValue === undefined ? undefined : words.usual(usualValue) });
  const durationText = (ns: number | undefined) => (ns ? formatDuration(ns) : '·');
  const tone = healthOf(total, before, grid.seconds, usualGrid?.seconds ?? 1).state;
  return <section class="charts">
    <div class="multiples">
      <RateChart {...common} title={words.chartRate} format={(value) => formatRate(value, 1)} lines={withUsual([{ kind: 'main', points: rate }], usual && usualGrid && ratesOf(usual.span_count, usualGrid, Infinity))}
        {...said(formatRate(total.span_count, grid.seconds), before && usualGrid && formatRate(before.span_count, usualGrid.seconds))} onPoint={(at) => open('', at)} />
      <RateChart {...common} title={words.chartErrors} format={(value) => formatShare(value, 1)} topMin={0.01} tone={tone === 'failing' ? 'broken' : 'plain'}
        lines={withUsual([{ kind: 'main', points: share }], usual && sharesOf(usual))}
        {...said(formatShare(total.error_count, Math.max(1, total.span_count)), before && formatShare(before.error_count, Math.max(1, before.span_count)))} onPoint={(at) => open(' status:error', at)} />
      {(['p50', 'p95', 'p99'] as const).map((one) => {
        const points = { p50, p95, p99 }[one], key = `${one}_ns` as const;
        return <RateChart key={one} {...common} title={one} format={formatDuration} tone={tone === 'slow' && one === 'p95' ? 'late' : 'plain'} lines={withUsual([{ kind: 'main', points }], usual && durationsOf(usual[key]))}
          {...said(durationText(total[key]), before && durationText(before[key]))} onPoint={(at) => open(series[key][at]! > 0 ? slowerThan(series[key][at]!) : '', at)} />;
      })}
      {heat && <DurationMap data={heat} cursor={cursor} onCursor={setCursor} onRange={range}
        onCell={(at, fromNs, toNs) => {
          const more = ` duration>=${fromNs}ns duration<${toNs}ns`, [startMs, endMs] = stepOf(at);
          void openTraces(query + more, { startMs, endMs }, () => open(more, at));
        }} />}
    </div>
    <p class="small faint">{words.chartHint}</p>
    <details><summary class="small">{words.chartTable}</summary>
      <div class="table-scroll" tabIndex={0} role="region" aria-label={words.chartTable}><table class="tb2"><thead><tr><th>{words.atTime}</th><th class="n">{words.rate}</th><th class="n">{words.errorsShare}</th><th class="n">p50</th><th class="n">p95</th><th class="n">p99</th></tr></thead>
        <tbody>{series.span_count.map((_, at) => <tr key={at}><td><a href={tracesLink(query, times, ...stepOf(at))}>{clockText(stepOf(at)[0], 2 * 86400e3)}</a></td>
          <td class="n">{Number.isFinite(rate[at]) ? formatRate(rate[at]!, 1) : '·'}</td><td class="n">{Number.isFinite(share[at]) ? formatShare(share[at]!, 1) : '·'}</td>
          {[p50, p95, p99].map((points, index) => <td class="n" key={index}>{Number.isFinite(points[at]) ? formatDuration(points[at]!) : '·'}</td>)}</tr>)}</tbody></table></div>
    </details>
  </section>;
}

function Neighbours({ data, service, params, times }: { data: ServiceMapData; service: string; params: URLSearchParams; times: Times }) {
  const node = data.nodes.find((one) => one.is_watched && one.name === service);
  if (!node) return null;
  const edges = edgesDrawn(data), callers = edges.filter((edge) => edge.to === node.id), callees = edges.filter((edge) => edge.from === node.id);
  return <section class="neighbours">
    <div><h2>{words.callers}</h2>{callers.length > 0 ? <EdgeTable data={data} edges={callers} params={params} times={times} side="from" /> : <p class="faint">{words.noCallers}</p>}</div>
    <div><h2>{words.callees}</h2>{callees.length > 0 ? <EdgeTable data={data} edges={callees} params={params} times={times} side="to" /> : <p class="faint">{words.noCallees}</p>}</div>
  </section>;
}

function Operations({ page, usual, params, times, moment, chosen }:
  { page: SeriesPage; usual?: SeriesPage; params: URLSearchParams; times: Times; moment: number; chosen?: string }) {
  const [isWhole, setWhole] = useState(false);
  const rows = useMemo(() => rowsOf(page, usual, moment), [page, usual]);
  const sort = sortOf(params, 'rate'), onSort = (to: string) => amend({ sort: to || undefined }), head = { sort, onSort, otherwise: 'rate' as const };
  const { rows: sorted, hold } = useHeldOrder(sortRows(rows, sort.key, sort.isRising, (row: Row) => STATES.indexOf(row.health.state)), `${sort.key} ${sort.isRising}`);
  const shown = isWhole ? sorted : sorted.slice(0, OPERATIONS_FIRST), grid = gridOf(page, moment), usualGrid = usual ? gridOf(usual, Infinity) : undefined;
  useRowKeys('.operations .nm button');
  if (rows.length === 0) return null;
  return <section class="operations">
    <h2>{words.operationsHead}</h2>
    <table class="tb2"><thead><tr>
      <SortHead {...head} id="state" label={words.state} number={false} cls="c-state" /><SortHead {...head} id="name" label={words.operation} number={false} />
      <SortHead {...head} id="rate" label={words.rate} withSpark /><SortHead {...head} id="errors" label={words.errorsShare} withSpark />
      <SortHead {...head} id="p50" label="p50" cls="c-p50" /><SortHead {...head} id="p95" label="p95" withSpark /><SortHead {...head} id="p99" label="p99" cls="c-p99" />
    </tr></thead>
    <tbody {...hold}>{shown.map((row) => <tr key={row.key} class={row.name === chosen ? 'is-chosen' : ''}>
      <td class="c-state"><Mark state={row.health.state} why={row.health.why} /><span class="vh">: {row.health.why}</span></td>
      <td class="nm"><button class="as-link plain" aria-pressed={row.name === chosen} onClick={() => { amend({ op: row.name === chosen ? undefined : row.name }); scrollTo(0, 0); }}><Name text={row.name ?? ''} /></button> <span class="faint small">{row.kind}</span></td>
      <FigureCells row={row} times={times} grid={grid} usualGrid={usualGrid} moment={moment} />
    </tr>)}</tbody></table>
    {!isWhole && sorted.length > OPERATIONS_FIRST && <button class="btn more" onClick={() => setWhole(true)}>{words.moreOperations(formatCount(sorted.length - OPERATIONS_FIRST))}</button>}
  </section>;
}
