// The store page's tables: what was refused and why, what was changed at the door, and the work in the background.
import { formatBytes, formatCount, formatDuration, formatTime } from './format';
import { StoreStats } from './store_model';
import { words } from './words';

const REFUSED: Record<string, string> = {
  malformed: words.rMalformed, too_large: words.rTooLarge, overloaded: words.rOverloaded, no_space: words.rNoSpace, failed: words.rFailed, starting: words.rStarting, over_quota: words.rOverQuota,
};
const REJECTED: Record<string, string> = {
  trace_id_size: words.jTraceIdSize, trace_id_zero: words.jTraceIdZero, span_id_size: words.jSpanIdSize, span_id_zero: words.jSpanIdZero,
  parent_id_size: words.jParentIdSize, start_missing: words.jStartMissing, start_old: words.jStartOld, too_many: words.jTooMany,
};

function Counts({ rows, first, second }: { rows: [string, string, number][]; first: string; second: string }) {
  return <table class="tb2"><thead><tr><th>{first}</th>{second && <th>{second}</th>}<th class="n">{words.timesHead}</th></tr></thead>
    <tbody>{rows.map(([what, why, count]) => <tr key={what + why}><td>{what}</td>{second && <td class="dim">{why}</td>}<td class="n">{formatCount(count)}</td></tr>)}</tbody></table>;
}

export function Refused({ stats }: { stats: StoreStats }) {
  const { ingest } = stats, since = formatTime(Date.parse(stats.started));
  const rows: [string, string, number][] = [
    ...Object.entries(ingest.refused_requests).map(([reason, count]): [string, string, number] => [REFUSED[reason] ?? reason, words.refusedRequests, count]),
    ...Object.entries(ingest.rejected_spans).map(([reason, count]): [string, string, number] => [REJECTED[reason] ?? reason, words.refusedSpans, count]),
    [words.rDenied, words.refusedRequests, ingest.denied_requests],
  ];
  const some = rows.filter(([, , count]) => count > 0).sort((a, b) => b[2] - a[2]);
  return <section class="refused"><div class="head"><h2>{words.refused}</h2>{some.length > 0 && <span class="small faint">{words.refusedSince(since)}</span>}</div>
    {some.length > 0 ? <Counts rows={some} first={words.reason} second={words.whatHead} /> : <p class="dim">{words.refusedNone(since)}</p>}</section>;
}

const PROTOCOLS: Record<string, string> = { otlp_grpc: 'OTLP/gRPC', otlp_http_protobuf: 'OTLP/HTTP protobuf', otlp_http_json: 'OTLP/HTTP JSON', zipkin: 'Zipkin' };

export function Changed({ stats }: { stats: StoreStats }) {
  const { ingest } = stats;
  const rows: [string, string, number][] = [
    [words.cRedacted, '', ingest.redacted_attributes], [words.cReplaced, '', ingest.replaced_texts], [words.cLinks, '', ingest.dropped_links],
    [words.cReceipt, '', ingest.filed_by_receipt_spans], [words.cEnds, '', ingest.ends_before_start_spans], [words.cOpen, '', ingest.open_spans],
  ];
  const some = rows.filter(([, , count]) => count > 0);
  const came = Object.entries(ingest.spans).filter(([, count]) => count > 0);
  return <section class="changed"><div class="head"><h2>{words.changed}</h2></div>
    {some.length > 0 ? <Counts rows={some} first={words.whatHead} second="" /> : <p class="dim">{words.changedNone}</p>}
    {came.length > 0 && <p class="small dim came">{words.protocols}: {came.map(([protocol, count]) => `${PROTOCOLS[protocol] ?? protocol} ${formatCount(count)}`).join(', ')}.</p>}</section>;
}

export function Work({ stats: { store } }: { stats: StoreStats }) {
  const mean = store.commits > 0 ? store.commit_ns / store.commits : 0;
  const rows: [string, string, string?][] = [
    [words.workMemory, `${formatCount(store.head_spans)}, ${formatBytes(store.head_bytes)}`],
    [words.workSegments, `${formatCount(store.segment_count)}, ${formatBytes(store.segment_bytes)}`],
    [words.workSeals, words.workTimes(formatCount(store.seals)), formatBytes(store.seal_bytes)],
    [words.workMerges, words.workTimes(formatCount(store.merges)), formatBytes(store.merge_bytes)],
    [words.workDebt, formatBytes(store.merge_debt_bytes)],
    [words.workLog, formatBytes(store.wal_bytes)],
    [words.workCommits, formatCount(store.commits), mean > 0 ? words.workCommitMax(formatDuration(store.commit_ns_max), formatDuration(mean)) : undefined],
    [words.workExpired, formatCount(store.expired_spans)], [words.workErased, formatCount(store.erased_spans)],
    [words.workRetried, formatCount(store.retried_requests)], [words.workDuplicates, formatCount(store.duplicate_spans)],
  ];
  return <section><div class="head"><h2>{words.work}</h2></div>
    <dl class="work">{rows.map(([name, value, more]) => <div key={name}><dt>{name}</dt><dd>{value}{more && <span class="faint small"> {more}</span>}</dd></div>)}</dl></section>;
}
