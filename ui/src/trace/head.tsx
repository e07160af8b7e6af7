// The head of the trace page: what it is, when and how long, what failed first, and where the time went.
import { useEffect, useMemo, useState } from 'preact/hooks';
import { ask } from '../ask';
import { formatCount, formatDuration, formatMoment, formatShare, zone } from '../format';
import { Copy, Cross, Long, Name, Swatch } from '../parts';
import { slotOf } from '../slots';
import { plural, words } from '../words';
import { OtlpTrace, deathOf, messageOf } from '../span_values';
import { Cause, sharesOf } from './cause';
import { INTERRUPTED, Times, Trace, idOf } from './columns';
import { Live } from './live';

const SHARES_MAX = 6;

interface Props { trace: Trace; times: Times; cause: Cause | undefined; live: Live; onSelect: (at: number) => void }

export function Head({ trace, times, cause, live, onSelect }: Props) {
  const { head } = trace, odd: string[] = [];
  if (!head.has_root) odd.push(words.rootNotCome);
  else if (head.root_count > 1) odd.push(words.rootsSaid(formatCount(head.root_count)));
  if (head.orphan_count > 0) odd.push(words.orphansSaid(formatCount(head.orphan_count), head.orphan_count));
  if (live.isYoung) odd.push(words.lateMayCome);
  return <div class="th">
    <h1><Swatch service={head.root_service} /><Name text={head.root_service} />: <Name text={head.root_name} /></h1>
    <div class="sum">
      <span class="nw" title={zone}>{formatMoment(trace.base + BigInt(Math.round(times.origin)))}</span>
      <span class="nw">{formatDuration(times.length)}{head.open_count > 0 ? `, ${live.isGrowing ? words.stillRuns : words.neverEnded}` : ''}</span>
      <span class="nw">{formatCount(head.span_count)} {plural(head.span_count, words.spanWord)}</span>
      <span class="nw">{formatCount(trace.services.length)} {plural(trace.services.length, words.serviceWord)}</span>
      {head.error_count > 0 && <span class="nw"><button class="as-link" title={words.keyError} onClick={() => onSelect(trace.broken[0] ?? -1)}>{formatCount(head.error_count)} {plural(head.error_count, words.errorWord)}</button></span>}
      <span class="id">{trace.id}{' '}<Copy text={trace.id} /></span>
    </div>
    {odd.length > 0 && <p class="sum odd">{odd.map((one) => <span key={one}>{one}</span>)}</p>}
    {head.truncated && <p class="note late-text">{words.cutAt(formatCount(trace.count), formatCount(head.span_count))}</p>}
    {head.partial && <p class="note late-text">{words.partialDamage}</p>}
    {cause && <CauseLine trace={trace} cause={cause} onSelect={onSelect} />}
    <Shares trace={trace} onSelect={onSelect} />
  </div>;
}

function CauseLine({ trace, cause, onSelect }: { trace: Trace; cause: Cause; onSelect: (at: number) => void }) {
  const id = idOf(trace, cause.at), isDead = (trace.marks[cause.at]! & INTERRUPTED) !== 0;
  const [message, setMessage] = useState<string>();
  useEffect(() => {
    const control = new AbortController();
    ask<OtlpTrace>(`/api/v1/traces/${trace.id}/spans/${id}`, control.signal)
      .then((raw) => setMessage(isDead ? deathOf(raw) : messageOf(raw))).catch(() => { /* the panel says what could not be read */ });
    return () => control.abort();
  }, [trace.id, id, isDead]);
  return <div class="cause"><span class="st broken"><Cross />{words.firstCause}</span>
    <span><button class="as-link" onClick={() => onSelect(cause.at)}><Name text={trace.names[trace.name[cause.at]!]!} /></button>{' '}
      {words.inService} <Name text={trace.services[trace.service[cause.at]!]!} />{isDead ? <>{' '}<Long text={words.processDied(message ?? '')} /></> : <>: {message !== undefined && <Long text={message || words.noMessage} />}</>}
      {cause.above > 0 && <span class="dim">{' '}{words.failedAbove(formatCount(cause.above), cause.above)}</span>}</span></div>;
}

// The critical path by service, as one bar and a list that says the same in words.
function Shares({ trace, onSelect }: { trace: Trace; onSelect: (at: number) => void }) {
  const shares = useMemo(() => sharesOf(trace), [trace]);
  const whole = shares.reduce((sum, share) => sum + share.total, 0);
  if (whole === 0 || shares.length < 2) return null; // one service's whole is no news
  const shown = shares.slice(0, SHARES_MAX), rest = shares.slice(SHARES_MAX).reduce((sum, share) => sum + share.total, 0);
  return <div class="went">
    <div class="bar" aria-hidden="true">
      {shown.map((share) => <i key={share.isQueue ? 'queue' : share.service} class={share.isQueue ? 'qf' : `s${slotOf(trace.services[share.service]!)}`} style={{ flexGrow: share.total / whole }} />)}
      {rest > 0 && <i class="rest" style={{ flexGrow: rest / whole }} />}
    </div>
    <ul aria-label={words.timeWent}>
      {shown.map((share) => <li key={share.isQueue ? 'queue' : share.service}><button onClick={() => onSelect(share.longest)} title={words.toLongest}>
        {share.isQueue ? <i class="sw qf" aria-hidden="true" /> : <Swatch service={trace.services[share.service]!} />}
        {share.isQueue ? words.inQueue : <Name text={trace.services[share.service]!} />}{' '}<b>{formatDuration(share.total)}</b> {formatShare(share.total, whole)}</button></li>)}
      {rest > 0 && <li>{words.otherServices} <b>{formatDuration(rest)}</b> {formatShare(rest, whole)}</li>}
    </ul>
  </div>;
}
