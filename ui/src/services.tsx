// The services page: rate, errors and durations from the rollups; each figure leads to the traces behind it.
import { Fragment } from 'preact';
import { useEffect, useMemo } from 'preact/hooks';
import { Address, Range, linkTo, rangeOf, rangeSeconds, rangeStart } from './address';
import { useAsk } from './ask';
import { formatCount, formatDuration, formatRate, formatShare } from './format';
import { Cross, Name, Ranges, Said, Swatch } from './parts';
import { quoted } from './query';
import { plural, words } from './words';

interface Counts { span_count: number; error_count: number; open_count: number; p50_ns: number; p95_ns: number; p99_ns: number }
interface Services { services: (Counts & { service: string })[]; uncounted: number }
interface Operations { operations: (Counts & { name: string; kind: string })[]; uncounted: number }

export function ServicesPage({ address }: { address: Address }) {
  const given = rangeOf(address.params, '1h');
  const range: Range = given === 'all' ? '7d' : given;
  const opened = address.params.get('service') ?? '';
  const start = useMemo(() => rangeStart(range, Date.now()), [range]);
  const asked = useAsk<Services>(linkTo('/api/v1/services', { start }));
  useEffect(() => { document.title = `${words.services} · Filigree`; }, []);
  // Worst first: by their share of errors, then by how much they do.
  const services = useMemo(() => [...asked.data?.services ?? []].sort((a, b) =>
    b.error_count / Math.max(1, b.span_count) - a.error_count / Math.max(1, a.span_count) || b.span_count - a.span_count), [asked.data]);
  const count = services.length;
  return <>
    <h1 class="vh">{words.services}</h1>
    <Ranges chosen={range} otherwise="1h" without="all" />
    <Said asked={asked} />
    {asked.data && (count === 0 ? <section><p>{words.noServices}</p></section> : <section>
      <p class="said dim">{words.servicesSaid(formatCount(count), plural(count, words.serviceWord))}. {words.servicesHint}
        {asked.data.uncounted > 0 && <> <span class="late-text">{words.uncounted(formatCount(asked.data.uncounted))}</span></>}</p>
      <table class="tb"><thead><tr><th>{words.name}</th><th class="n">{words.rate}</th><th class="n">{words.errorsShare}</th>
        <th class="n">p50</th><th class="n">p95</th><th class="n">p99</th></tr></thead>
      <tbody>{services.map((one) => <Fragment key={one.service}>
        <tr>
          <td class="nm"><Swatch service={one.service} /><a href={linkTo('/services', { range: address.params.get('range') ?? undefined, service: one.service === opened ? undefined : one.service })}
            aria-expanded={one.service === opened}><span class="tw" aria-hidden="true">{one.service === opened ? '▾' : '▸'}</span> <Name text={one.service} /></a></td>
          <Figures counts={one} range={range} query={`service:${quoted(one.service)}`} />
        </tr>
        {one.service === opened && <OperationRows service={one.service} start={start} range={range} />}
      </Fragment>)}</tbody></table>
    </section>)}
  </>;
}

function OperationRows({ service, start, range }: { service: string; start: string | undefined; range: Range }) {
  const asked = useAsk<Operations>(linkTo(`/api/v1/services/${encodeURIComponent(service)}/operations`, { start }));
  if (!asked.data) return <tr class="op"><td colSpan={6}><Said asked={asked} /></td></tr>;
  return <>{asked.data.operations.map((one) => <tr class="op" key={`${one.kind} ${one.name}`}>
    <td class="nm"><Name text={one.name} /> <span class="faint small">{one.kind}</span></td>
    <Figures counts={one} range={range} query={`service:${quoted(service)} name:${quoted(one.name)}`} />
  </tr>)}</>;
}

function Figures({ counts, range, query }: { counts: Counts; range: Range; query: string }) {
  const to = (more: string) => linkTo('/search', { q: query + more, range: range === '24h' ? undefined : range });
  const slower = (ns: number) => to(` duration>=${Math.floor(ns / 1.05)}ns`);
  const duration = (ns: number) => (ns > 0 ? <a href={slower(ns)}>{formatDuration(ns)}</a> : '·');
  return <>
    <td class="n"><a href={to('')}>{formatRate(counts.span_count, rangeSeconds(range))}</a></td>
    <td class="n">{counts.error_count > 0
      ? <a class="bad" href={to(' status:error')}><span class="st"><Cross />{formatShare(counts.error_count, counts.span_count)}</span></a> : <span class="faint">0</span>}</td>
    <td class="n">{duration(counts.p50_ns)}</td><td class="n">{duration(counts.p95_ns)}</td><td class="n">{duration(counts.p99_ns)}</td>
  </>;
}
