// The search page: a query, a time, and the traces that fit, newest first.
import { useEffect, useMemo, useRef } from 'preact/hooks';
import { Address, amend, go, linkTo, rangeOf, rangeStart } from './address';
import { Asked, useAsk } from './ask';
import { formatCount, formatDuration, formatTime, zone } from './format';
import { Copy, Cross, Name, Ranges, Said, Swatch, isTyping, useKeys } from './parts';
import { QueryLine } from './query_line';
import { slotOf } from './slots';
import { plural, words } from './words';

interface Summary {
  trace_id: string; root_service: string; root_name: string; has_root: boolean; start_ns: string; duration_ns: string;
  span_count: number; error_count: number; open_count: number; services: { service: string; span_count: number; error_count: number }[];
}
interface Page { traces: Summary[]; next: string | null; partial: boolean; partial_reason?: string }

const FIRST = 50, LIMIT_MAX = 1000, EMPTY_POLL_MS = 2000;

function pathOf(params: URLSearchParams, now: number): string {
  const limit = Math.min(LIMIT_MAX, Math.max(1, Number(params.get('limit')) || FIRST));
  const start = rangeStart(rangeOf(params, '24h'), now);
  return linkTo('/api/v1/traces', { q: params.get('q') ?? undefined, start, limit: String(limit) });
}

export function SearchPage({ address }: { address: Address }) {
  const { params } = address;
  const range = rangeOf(params, '24h'), query = params.get('q') ?? '', limit = params.get('limit') ?? '';
  // The present moment is taken anew with each question, and kept while one is on its way.
  const path = useMemo(() => pathOf(params, Date.now()), [query, range, limit]);
  const asked = useAsk<Page>(path);
  useEffect(() => { document.title = `${query || words.search} · Filigree`; }, [query]);
  const submit = (q: string) => {
    if (q === query) asked.again();
    else go(linkTo('/search', { q, range: range === '24h' ? undefined : range }));
  };
  return <>
    <h1 class="vh">{words.search}</h1>
    <QueryLine query={query} onSubmit={submit} />
    <Ranges chosen={range} otherwise="24h" />
    <Said asked={asked} />
    {asked.data && (asked.data.traces.length > 0
      ? <Results page={asked.data} limit={Number(limit) || FIRST} />
      : <Nothing isAll={range === 'all'} isQuery={query !== ''} page={asked.data} asked={asked} />)}
  </>;
}

function PartialNote({ page }: { page: Page }) {
  if (!page.partial) return null;
  const reasons: Record<string, string> = { time: words.partialTime, bytes: words.partialBytes, damage: words.partialDamage };
  return <p class="note late-text">{reasons[page.partial_reason ?? ''] ?? words.partialOther}</p>;
}

function Results({ page, limit }: { page: Page; limit: number }) {
  const list = useRef<HTMLOListElement>(null);
  const longest = page.traces.reduce((most, one) => Math.max(most, Number(one.duration_ns)), 1);
  const count = page.traces.length;
  useKeys((event) => {
    if (isTyping(event) || (event.key !== 'j' && event.key !== 'k')) return;
    const links = [...list.current?.querySelectorAll('a') ?? []];
    const at = links.indexOf(document.activeElement as HTMLAnchorElement);
    links[Math.max(0, Math.min(links.length - 1, at + (event.key === 'j' ? 1 : -1)))]?.focus();
  });
  return <section class="results">
    <p class="dim said">{words.found(formatCount(count), plural(count, words.traceWord), page.next !== null)}</p>
    <PartialNote page={page} />
    <div class="res head-row" aria-hidden="true">
      <span>{words.when}</span><span>{words.trace}</span><span class="c-services">{words.inServices}</span><span class="n">{words.spansHead}</span>
      <span class="n">{words.errorsHead}</span><span>{words.duration}</span>
    </div>
    <ol ref={list}>{page.traces.map((one) => <Row key={one.trace_id} one={one} longest={longest} />)}</ol>
    {page.next !== null && limit < LIMIT_MAX &&
      <button class="btn more" onClick={() => amend({ limit: String(Math.min(LIMIT_MAX, limit * 2)) })}>{words.more}</button>}
  </section>;
}

function Row({ one, longest }: { one: Summary; longest: number }) {
  const duration = Number(one.duration_ns), ms = Number(BigInt(one.start_ns) / 1000000n);
  const others = one.services.filter(({ service }) => service !== one.root_service);
  return <li><a class="res" href={`/trace/${one.trace_id}`}>
    <span class="c-when dim nw" title={`${new Date(ms).toISOString()} · ${zone}`}>{formatTime(ms)}</span>
    <span class="c-name"><Swatch service={one.root_service} /><b><Name text={one.root_name} /></b>{' '}
      <span class="faint small"><Name text={one.root_service} />{one.has_root ? '' : ` · ${words.noRoot}`}</span></span>
    <span class="c-services small dim">{others.slice(0, 4).map(({ service }) =>
      <span class="svc" key={service}><Swatch service={service} /><Name text={service} /></span>)}{others.length > 4 ? `+${others.length - 4}` : ''}</span>
    <span class="c-count n dim">{formatCount(one.span_count)}<span class="unit"> {plural(one.span_count, words.spanWord)}</span></span>
    <span class="c-errors n">{one.error_count > 0
      ? <span class="st broken"><Cross />{formatCount(one.error_count)}<span class="unit">{plural(one.error_count, words.errorWord)}</span></span>
      : <span class="faint zero">0</span>}</span>
    <span class="c-time"><span class="track"><i class={`len s${slotOf(one.root_service)}${one.open_count > 0 ? ' ragged' : ''}`} style={{ width: `${Math.max(0.5, 100 * duration / longest)}%` }} /></span>
      <span class="n">{formatDuration(duration)}{one.open_count > 0 ? `, ${words.openSpans}` : ''}</span></span>
  </a></li>;
}

// Nothing fits: because nothing does, or because there is nothing at all yet.
function Nothing({ isAll, isQuery, page, asked }: { isAll: boolean; isQuery: boolean; page: Page; asked: Asked<Page> }) {
  const any = useAsk<Page>('/api/v1/traces?limit=1');
  const isEmpty = any.data !== undefined && any.data.traces.length === 0 && !any.data.partial;
  useEffect(() => {
    if (!isEmpty) return undefined;
    const timer = setTimeout(() => { any.again(); asked.again(); }, EMPTY_POLL_MS);
    return () => clearTimeout(timer);
  }, [any.data, isEmpty]);
  if (isEmpty) return <FirstSpan />;
  return <section>
    <p>{isAll || !any.data ? words.nothing : words.nothingInTime}{' '}
      {!isAll && <button class="as-link" onClick={() => amend({ range: 'all' })}>{words.lookAll}</button>}</p>
    {isQuery && page.partial && <PartialNote page={page} />}
  </section>;
}

function command(): string {
  const hex = (bytes: number) => [...crypto.getRandomValues(new Uint8Array(bytes))].map((byte) => byte.toString(16).padStart(2, '0')).join('');
  const now = BigInt(Date.now()) * 1000000n;
  const body = { resourceSpans: [{ resource: { attributes: [{ key: 'service.name', value: { stringValue: 'hello' } }] }, scopeSpans: [{ spans: [
    { traceId: hex(16), spanId: hex(8), name: 'first span', kind: 2, startTimeUnixNano: String(now - 42000000n), endTimeUnixNano: String(now) }] }] }] };
  return `curl ${location.origin}/v1/traces -H 'content-type: application/json' -d '${JSON.stringify(body)}'`;
}

function FirstSpan() {
  const text = useMemo(command, []);
  return <section class="first">
    <h2>{words.emptyTitle}</h2>
    <pre class="id">{text}</pre>
    <p><Copy text={text} /></p>
    <p class="dim">{words.emptySdk(location.hostname)}</p>
    <p class="dim">{words.emptyNext}</p>
  </section>;
}
