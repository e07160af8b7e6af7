// The store page: whether spans are taken, what fills the disk and for how long, what it costs, what was refused and why.
import { useEffect, useRef, useState } from 'preact/hooks';
import { Address, amend, go, linkTo } from './address';
import { useAsk } from './ask';
import { formatDays, formatMoney } from './amounts';
import { formatBytes, formatCount, formatRate, formatShare, formatTime } from './format';
import { Cross, Name, Ranges, Said, Swatch } from './parts';
import { Line, RateChart } from './rate_chart';
import { SeriesPage, gridOf, ratesOf } from './series';
import { serviceLink } from './services';
import { DayBars } from './day_bars';
import { StoreStats } from './store_model';
import { Changed, Refused, Work } from './store_tables';
import { Clock, useMoment } from './refresh';
import { choose, query, stepSeconds, timeParams, timesOf, tracesLink } from './times';
import { quoted } from './query';
import { words } from './words';

const LIVE_MS = 5e3, TOP = 12;

export function StorePage({ address }: { address: Address }) {
  const { params, path } = address;
  const [isFailing, setFailing] = useState(false);
  const moment = useMoment(LIVE_MS, false, () => isFailing);
  const asked = useAsk<StoreStats>('/api/v1/stats'), asking = useRef(moment);
  useEffect(() => {
    if (asking.current !== moment && !asked.isWaiting) asked.again();
    asking.current = moment;
  }, [moment]);
  useEffect(() => { document.title = `${words.store} · Filigree`; }, []);
  useEffect(() => setFailing(asked.failingSince !== undefined), [asked.failingSince]);
  const rate = useTakenRate(asked.data);
  return <>
    <h1 class="vh">{words.store}</h1>
    <div class="store-head">
      {asked.data && <StoreVerdict stats={asked.data} rate={rate} />}
      <span class="bar-end small"><Clock asked={asked} moment={moment} isFixed={false} /></span></div>
    <Said asked={asked} />
    {asked.data && <>
      <Figures stats={asked.data} params={params} />
      <Taken params={params} path={path} moment={moment} rate={rate} />
      <section><div class="head"><h2>{words.byDay}</h2></div><DayBars days={asked.data.days} /></section>
      <div class="store-columns">
        <ByService stats={asked.data} params={params} />
        <ByKey stats={asked.data} />
      </div>
      <div class="store-columns">
        <Refused stats={asked.data} />
        <Changed stats={asked.data} />
      </div>
      <Work stats={asked.data} />
      <p class="small faint foot">{words.started(asked.data.version, formatTime(Date.parse(asked.data.started)))}</p>
    </>}
  </>;
}

// Spans a second between the last two answers.
function useTakenRate(stats: StoreStats | undefined): number | undefined {
  const last = useRef<{ at: number; spans: number } | undefined>(undefined), rate = useRef<number | undefined>(undefined);
  if (stats) {
    const at = Date.parse(stats.time), spans = stats.store.appended_spans;
    if (last.current && at > last.current.at) rate.current = spans >= last.current.spans ? (spans - last.current.spans) * 1000 / (at - last.current.at) : undefined;
    if (!last.current || at > last.current.at) last.current = { at, spans };
  }
  return rate.current;
}

function StoreVerdict({ stats, rate }: { stats: StoreStats; rate: number | undefined }) {
  const broken = { failed: words.storeFailed, no_space: words.storeNoSpace, starting: words.storeStarting, draining: words.storeDraining, yes: undefined }[stats.ready];
  const damage = [
    ...(stats.store.damaged_records > 0 ? [words.storeDamagedRecords(formatCount(stats.store.damaged_records))] : []),
    ...(stats.store.damaged_pages > 0 ? [words.storeDamagedPages(formatCount(stats.store.damaged_pages))] : []),
  ];
  return <div class={`store-verdict ${broken ? 'is-broken' : ''}`}>
    <p class="verdict" role="status">{broken ? <span class="broken"><Cross /> {broken}</span>
      : rate === undefined ? words.storeReady : words.storeWell(words.spansPerSecond(formatRate(rate, 1)))}</p>
    {damage.map((one) => <p key={one} class="broken"><Cross /> {one}</p>)}
  </div>;
}

function Figure({ name, value, more, tone = '' }: { name: string; value: preact.ComponentChildren; more?: preact.ComponentChildren; tone?: string }) {
  return <div class="figure"><dt>{name}</dt><dd><span class={`figure-value ${tone}`}>{value}</span>{more && <span class="figure-more">{more}</span>}</dd></div>;
}

const DAYS_SOON = 7;

function Figures({ stats, params }: { stats: StoreStats; params: URLSearchParams }) {
  const { store, forecast, disk, retention } = stats;
  const given = params.get('price'), parsed = given === null ? NaN : Number(given.replace(',', '.'));
  const price = Number.isFinite(parsed) && parsed >= 0 ? parsed : forecast.price_per_gb_month;
  const cost = store.segment_bytes / 1e9 * price, full = forecast.full_bytes === null ? undefined : forecast.full_bytes / 1e9 * price;
  const isNew = forecast.bytes_per_day === null, left = forecast.days_left;
  const kept = [retention.age_days === null ? undefined : words.keptAge(formatDays(retention.age_days)), retention.size_bytes === null ? undefined : words.keptSize(formatBytes(retention.size_bytes))];
  return <dl class="store-figures">
    <Figure name={words.stored} value={formatBytes(store.segment_bytes)} more={store.bytes_per_span === null ? words.notKnownWhy : words.storedSpans(formatCount(store.segment_spans), formatBytes(store.bytes_per_span))} />
    <Figure name={words.diskFree} value={formatBytes(disk.free_bytes)} more={words.diskOf(formatBytes(disk.total_bytes))} />
    <Figure name={words.daysLeft} tone={left !== null && left < DAYS_SOON ? 'late-text' : ''} value={isNew ? words.notKnownYet : left === null ? words.daysLeftNever : formatDays(left)}
      more={isNew ? words.notKnownWhy : left === null ? words.neverWhy(formatBytes(forecast.full_bytes ?? 0))
        : `${words.daysLeftAt(formatBytes(forecast.bytes_per_day ?? 0))}, ${forecast.limited_by === 'disk' ? words.byDisk : words.bySize}`} />
    <Figure name={words.kept} value={kept[0] ?? words.keptForEver} more={kept[1] ?? words.keptNoSize} />
    <Figure name={words.costs} value={formatMoney(cost)} more={<>{full !== undefined && <>{words.costFull(formatMoney(full))}, </>}
      <label class="price">{words.costAt} <input type="text" inputMode="decimal" size={5} aria-label={words.price} value={given ?? String(forecast.price_per_gb_month)}
        onChange={(event) => amend({ price: event.currentTarget.value.trim() || undefined })} />{'\u00a0'}/{'\u00a0'}{words.byteUnits[3]}</label></>} />
  </dl>;
}

function Taken({ params, path, moment, rate }: { params: URLSearchParams; path: string; moment: number; rate: number | undefined }) {
  const times = timesOf(params, Math.floor(moment / 10e3) * 10e3);
  const asked = useAsk<SeriesPage>(linkTo('/api/v1/series', { by: 'all', ...query(times) }));
  const stepMs = stepSeconds(times) * 1000, floor = (ms: number) => Math.floor(ms / stepMs) * stepMs;
  const usual = useAsk<SeriesPage>(linkTo('/api/v1/series', { by: 'all', ...query({ startMs: floor(times.startMs), endMs: floor(times.endMs) }, times.shiftMs) }));
  const [cursor, setCursor] = useState(-1);
  const one = asked.data?.series[0], grid = asked.data && gridOf(asked.data, moment), before = usual.data?.series[0], usualGrid = usual.data && gridOf(usual.data, Infinity);
  const lines: Line[] = one && grid ? [{ kind: 'main', points: ratesOf(one.span_count, grid, moment) }] : [];
  if (before && usualGrid) lines.push({ kind: 'usual', points: ratesOf(before.span_count, usualGrid, Infinity) });
  const step = (at: number): [number, number] => [grid!.startMs + at * grid!.stepMs, grid!.startMs + (at + 1) * grid!.stepMs];
  return <section>
    <div class="head"><h2>{words.taken}</h2><span class="small faint">{words.takenHint}</span></div>
    <div class="time-bar">{times.isFixed
      ? <div class="ranges"><span class="btn is-fixed" aria-current="true">{formatTime(times.startMs)}–{formatTime(times.endMs)}</span>
        <a class="btn" href={linkTo(path, { price: params.get('price') ?? undefined, range: timeParams(params).range })}>{words.wholeTime}</a></div>
      : <Ranges chosen={times.range} otherwise="1h" without="all" />}</div>
    <Said asked={asked} />
    {one && grid ? <RateChart title={words.takenName} lines={lines} startMs={grid.startMs} stepMs={grid.stepMs} count={grid.count} format={(value) => formatRate(value, 1)}
      said={formatRate(one.total.span_count, grid.seconds)} usual={[before && usualGrid ? words.usual(formatRate(before.total.span_count, usualGrid.seconds)) : '', rate === undefined ? '' : `${words.takenNow} ${formatRate(rate, 1)}`].filter(Boolean).join(', ')}
      cursor={cursor} onCursor={setCursor} onPoint={(at) => go(tracesLink('', times, ...step(at)))} onRange={(from, to) => choose(params, path, step(from)[0], step(to)[1])} />
      : asked.data && <p class="faint">{words.chartEmpty(words.takenName)}</p>}
  </section>;
}

function Bar({ share, slot }: { share: number; slot?: preact.ComponentChildren }) {
  return <span class="share"><i style={{ width: `${Math.max(0.5, 100 * share)}%` }} />{slot}</span>;
}

function ByService({ stats, params }: { stats: StoreStats; params: URLSearchParams }) {
  const [isWhole, setWhole] = useState(false), shown = isWhole ? stats.services : stats.services.slice(0, TOP);
  if (stats.services.length === 0) return <section />;
  const several = new Set(stats.services.map((one) => one.tenant)).size > 1, inTenant = (tenant: string, to: string) => (several ? `${to}${to.includes('?') ? '&' : '?'}${new URLSearchParams({ tenant })}` : to);
  return <section><h2>{words.fillsByService}</h2>
    <table class="tb2 fills"><thead><tr><th>{words.name}</th><td class="c-bar" /><th class="n">{words.shareHead}</th><th class="n">{words.perDay}</th><th class="n c-p50">{words.spansHead}</th></tr></thead>
      <tbody>{shown.map((one) => <tr key={`${one.tenant} ${one.service}`}><td class="nm"><Swatch service={one.service} /><a href={inTenant(one.tenant, serviceLink(one.service, params))}><Name text={one.service} /></a>{several && <span class="small faint"> {one.tenant}</span>}</td>
        <td class="c-bar"><Bar share={one.share} /></td><td class="n">{formatShare(one.share, 1)}</td><td class="n">{one.bytes_per_day === null ? '·' : formatBytes(one.bytes_per_day)}</td><td class="n c-p50">{formatCount(one.spans)}</td></tr>)}</tbody></table>
    <More count={stats.services.length} isWhole={isWhole} onTurn={() => setWhole(!isWhole)} /></section>;
}

const LEVELS: Record<string, string> = { span: words.ofSpan, resource: words.ofResource, scope: words.ofScope, event: words.ofEvent, link: words.ofLink, fields: words.ofFields };

function ByKey({ stats }: { stats: StoreStats }) {
  const [isWhole, setWhole] = useState(false), shown = isWhole ? stats.keys : stats.keys.slice(0, TOP);
  if (stats.keys.length === 0) return <section />;
  const link = (of: string, key: string) => linkTo('/search', { q: `${of}.${/^[\w.-]+$/.test(key) ? key : quoted(key)}:*` });
  return <section><h2>{words.byKey}</h2>
    <table class="tb2 fills"><thead><tr><th>{words.name}</th><td class="c-bar" /><th class="n">{words.shareHead}</th><th class="n">{words.bytesHead}</th><th class="n c-p50">{words.valuesHead}</th></tr></thead>
      <tbody>{shown.map((one) => <tr key={`${one.of} ${one.key}`}><td class="nm">{one.of === 'fields' ? <Name text={one.key || words.fieldsOf} /> : <a href={link(one.of, one.key)}><Name text={one.key} /></a>} <span class="small faint">{LEVELS[one.of] ?? one.of}</span></td>
        <td class="c-bar"><Bar share={one.share} /></td><td class="n">{formatShare(one.share, 1)}</td><td class="n">{formatBytes(one.bytes)}</td><td class="n c-p50">{one.values > 0 ? formatCount(one.values) : '·'}</td></tr>)}</tbody></table>
    <More count={stats.keys.length} isWhole={isWhole} onTurn={() => setWhole(!isWhole)} /></section>;
}

function More({ count, isWhole, onTurn }: { count: number; isWhole: boolean; onTurn: () => void }) {
  if (count <= TOP) return null;
  return <button class="as-link small more" onClick={onTurn}>{isWhole ? words.showFewer : words.showTop(formatCount(count))}</button>;
}
