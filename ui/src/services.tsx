// The services page: who calls whom, and rate, errors and durations of each service beside their usual, worst first.
import { useEffect, useMemo, useState } from 'preact/hooks';
import { Address, amend, go, linkTo } from './address';
import { useAsk } from './ask';
import { EdgeTable } from './edge_table';
import { FigureCells, Row, SortHead, sortOf, sortRows } from './figures';
import { formatCount, formatTime } from './format';
import { MapNode, ServiceMapData, drawable, edgesDrawn } from './map_model';
import { Mark } from './marks';
import { Name, Said, Swatch, isTyping, useKeys } from './parts';
import { QueueTable, hasMessages } from './queue_table';
import { useHeldOrder, useMoment } from './refresh';
import { STATES, SeriesPage, State, gridOf, healthOf, keyOf } from './series';
import { ServiceMap } from './service_map';
import { TimeBar } from './time_bar';
import { Times, query, stepSeconds, timeParams, timesOf, tracesLink } from './times';
import { plural, words } from './words';

const LIVE_MS = 10e3, LIVE_LONG_MS = 60e3, MAP_MS = 30e3, FILTER_FROM = 12;

export function serviceLink(service: string, params: URLSearchParams): string {
  if (service === '') return linkTo('/search', { q: 'service=""' });
  return linkTo(`/services/${encodeURIComponent(service)}`, timeParams(params));
}

export function ServicesPage({ address }: { address: Address }) {
  const { params } = address;
  const old = params.get('service'); // an address from an older version
  const [isFailing, setFailing] = useState(false);
  const first = timesOf(params, Date.now());
  const moment = useMoment(first.range === '24h' || first.range === '7d' ? LIVE_LONG_MS : LIVE_MS, first.isFixed, () => isFailing);
  const times = timesOf(params, moment), stepMs = stepSeconds(times) * 1000;
  const floor = (ms: number, to: number) => Math.floor(ms / to) * to;
  const before = { startMs: floor(times.startMs, stepMs), endMs: floor(times.endMs, stepMs) };
  const rounded = times.isFixed ? times : { startMs: floor(times.startMs, MAP_MS), endMs: floor(times.endMs, MAP_MS) + MAP_MS };
  const asked = useAsk<SeriesPage>(linkTo('/api/v1/series', { of: 'requests', limit: '1000', ...query(times) }));
  const usual = useAsk<SeriesPage>(linkTo('/api/v1/series', { of: 'requests', limit: '1000', ...query(before, times.shiftMs) }));
  const { step: _, ...window } = query(rounded);
  const map = useAsk<ServiceMapData>(linkTo('/api/v1/map', window));
  useEffect(() => { document.title = `${words.services} · Filigree`; }, []);
  useEffect(() => { if (old) go(serviceLink(old, params)); }, [old]);
  useEffect(() => setFailing(asked.failingSince !== undefined), [asked.failingSince]);
  const rows = useMemo(() => rowsOf(asked.data, usual.data, moment), [asked.data, usual.data]);
  const states = useMemo(() => new Map(rows.map((row) => [row.service, row.health.state])), [rows]);
  const view = params.get('view') === 'table' ? 'table' : 'map';
  const isEmpty = asked.data && usual.data && rows.length === 0 && (map.data?.nodes.length ?? 0) === 0;
  return <>
    <h1 class="vh">{words.services}</h1>
    <TimeBar times={times} params={params} path="/services" asked={asked} moment={moment}>
      {asked.data && rows.length > 0 && <span class="verdict-line">{verdict(rows)}</span>}</TimeBar>
    <Said asked={asked} />
    {isEmpty && <section><p>{words.noServices} <a href="/">{words.toSearch}</a></p></section>}
    {map.data && map.data.nodes.length > 0 && <section class="map-section">
      <div class="head"><h2>{words.whoCallsWhom}</h2><span class="small faint map-hint">{words.mapHint}</span>
        <span class="switch" role="group" aria-label={words.mapAs}>{(['map', 'table'] as const).map((one) =>
          <button class="btn" key={one} aria-pressed={view === one} onClick={() => amend({ view: one === 'map' ? undefined : one })}>{one === 'map' ? words.mapShown : words.tableShown}</button>)}</span></div>
      <MapNotes data={map.data} />
      {edgesDrawn(map.data).length === 0 && <p class="faint">{words.mapEmpty}</p>}
      {view === 'table' ? <EdgeTable data={map.data} edges={edgesDrawn(map.data)} params={params} times={times} />
        : <ServiceMap data={map.data} states={states} nodeLink={(node) => nodeLink(node, params, times)} edgeLink={(edge) => tracesLink(edge.query, times)} />}
    </section>}
    {map.data && <Queues data={map.data} params={params} times={times} />}
    {!map.data && <Said asked={map} />}
    {asked.data && rows.length > 0 && <ServiceTable rows={rows} page={asked.data} usual={usual.data} params={params} times={times} moment={moment} />}
  </>;
}

function Queues({ data, params, times }: { data: ServiceMapData; params: URLSearchParams; times: Times }) {
  const queues = data.nodes.filter((node) => node.messages !== null && hasMessages(node.messages));
  if (queues.length === 0) return null;
  return <section class="queues-section"><div class="head"><h2>{words.queuesHead}</h2><span class="small faint map-hint">{words.queuesHint}</span></div>
    <QueueTable label={words.queuesHead} times={['p50', 'p95'].map(words.qTime)} rows={queues.map((node) => ({
      name: node.name, href: nodeLink(node, params, times), messages: node.messages!, waited: [node.p50_ns, node.p95_ns] }))} /></section>;
}

export function nodeLink(node: MapNode, params: URLSearchParams, times: Times): string {
  return node.is_watched ? serviceLink(node.name, params) : tracesLink(node.query, times);
}

function MapNotes({ data }: { data: ServiceMapData }) {
  const since = Date.parse(data.spans_since), { leftOff } = drawable(data);
  return <>
    {since > Date.parse(data.start) + 1000 && <p class="small late-text">{words.mapSince(formatTime(since))}</p>}
    {data.is_partial && since <= Date.parse(data.start) && <p class="small late-text">{words.mapDamaged}</p>}
    {leftOff > 0 && <p class="small faint">{words.mapBusiest(formatCount(edgesDrawn(data).length - leftOff), formatCount(edgesDrawn(data).length))}</p>}
    {data.left_off > 0 && <p class="small late-text">{words.mapLeftOff(formatCount(data.left_off))}</p>}
  </>;
}

export function rowsOf(page: SeriesPage | undefined, usual: SeriesPage | undefined, moment: number): Row[] {
  if (!page) return [];
  const before = new Map((usual?.series ?? []).map((one) => [keyOf(one), one])), now = new Map(page.series.map((one) => [keyOf(one), one]));
  const seconds = gridOf(page, moment).seconds, usualSeconds = usual ? gridOf(usual, Infinity).seconds : 1;
  const row = (key: string): Row => {
    const one = now.get(key), other = before.get(key), either = (one ?? other)!;
    return { key, service: either.service, name: either.name, kind: either.kind, now: one, before: other, health: healthOf(one?.total, other?.total, seconds, usualSeconds) };
  };
  return [...new Set([...now.keys(), ...before.keys()])].map(row);
}

function verdict(rows: readonly Row[]): string {
  const count = (state: State) => rows.filter((row) => row.health.state === state).length;
  const all = formatCount(rows.length), word = plural(rows.length, words.serviceWord);
  const parts = ([['failing', words.failingCount], ['silent', words.silentCount], ['slow', words.slowCount], ['quiet', words.quietCount]] as const)
    .flatMap(([state, said]) => (count(state) > 0 ? [said(formatCount(count(state)), count(state) === 1)] : []));
  if (parts.length > 0) return words.notWell(parts.join(', '), all, word);
  return count('fresh') === rows.length ? words.nothingUsual(all, word) : words.allWell(all, word);
}

function ServiceTable({ rows, page, usual, params, times, moment }:
  { rows: Row[]; page: SeriesPage; usual?: SeriesPage; params: URLSearchParams; times: Times; moment: number }) {
  const sort = sortOf(params, 'state'), onSort = (to: string) => amend({ sort: to || undefined });
  const [filter, setFilter] = useState('');
  const grid = gridOf(page, moment), usualGrid = usual ? gridOf(usual, Infinity) : undefined;
  const sorted = sortRows(rows.filter((row) => row.service.toLowerCase().includes(filter.trim().toLowerCase())), sort.key, sort.isRising, (row) => STATES.indexOf(row.health.state));
  const { rows: shown, hold } = useHeldOrder(sorted, `${sort.key} ${sort.isRising} ${filter}`);
  useRowKeys('.services-table .nm a');
  const head = { sort, onSort, otherwise: 'state' as const };
  return <section class="services-table">
    <div class="head"><h2>{words.allServices}</h2><span class="small faint">{words.allHint}</span>
      {rows.length >= FILTER_FROM && <span class="field find"><input type="search" aria-label={words.filterNames} placeholder={words.filterNames} value={filter} onInput={(event) => setFilter(event.currentTarget.value)} /></span>}</div>
    <table class="tb2"><thead><tr>
      <SortHead {...head} id="state" label={words.state} number={false} cls="c-state" /><SortHead {...head} id="name" label={words.name} number={false} />
      <SortHead {...head} id="rate" label={words.rate} withSpark /><SortHead {...head} id="errors" label={words.errorsShare} withSpark />
      <SortHead {...head} id="p50" label="p50" cls="c-p50" /><SortHead {...head} id="p95" label="p95" withSpark /><SortHead {...head} id="p99" label="p99" cls="c-p99" />
    </tr></thead>
    <tbody {...hold}>{shown.map((row) => <tr key={row.key}>
      <td class="c-state"><Mark state={row.health.state} why={row.health.why} /><span class="vh">: {row.health.why}</span></td>
      <td class="nm"><Swatch service={row.service} /><a href={serviceLink(row.service, params)}><Name text={row.service} /></a>
        {row.health.state !== 'well' && row.health.state !== 'fresh' && <span class="why small dim" aria-hidden="true">{row.health.why}</span>}</td>
      <FigureCells row={row} times={times} grid={grid} usualGrid={usualGrid} moment={moment} />
    </tr>)}</tbody></table>
    {shown.length === 0 && <p class="faint">{words.noneNamed}</p>}
    <p class="small faint foot">{words.countsRequests}{page.uncounted > 0 && <> <span class="late-text">{words.uncounted(formatCount(page.uncounted))}</span></>}</p>
  </section>;
}

// j and k go from row to row.
export function useRowKeys(selector: string): void {
  useKeys((event) => {
    if (isTyping(event) || (event.key !== 'j' && event.key !== 'k')) return;
    const links = [...document.querySelectorAll<HTMLElement>(selector)];
    const at = links.indexOf(document.activeElement as HTMLElement);
    links[Math.max(0, Math.min(links.length - 1, at + (event.key === 'j' ? 1 : -1)))]?.focus();
  });
}

