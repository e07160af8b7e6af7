// What is known of one span: what the view has at once, and everything that was sent as soon as it is read.
import { ComponentChildren } from 'preact';
import { useEffect, useRef } from 'preact/hooks';
import { linkTo, ofTenant } from '../address';
import { useAsk } from '../ask';
import { formatCount, formatDuration, formatMoment, zone } from '../format';
import { Copy, Cross, Long, Name, Said, Swatch } from '../parts';
import { Attribute, OtlpTrace, WholeSpan, attributesOf, kindOf, spansOf } from '../span_values';
import { quoted } from '../query';
import { words } from '../words';
import { ERROR, INTERRUPTED, OPEN, Times, Trace, idOf, keyOf, waitOf } from './columns';

interface Props { at: number; trace: Trace; times: Times; isCause: boolean; onSelect: (at: number) => void; onClose: () => void }

const PAIRS_MAX = 30; // shown of a list before one asks for the rest: by the browser's own details

// Of several spans of one id the one of the row.
function wholeOf(raw: OtlpTrace | undefined, trace: Trace, at: number): WholeSpan | undefined {
  const all = raw ? spansOf(raw) : [], start = String(trace.base + BigInt(trace.start[at]!));
  const fits = ({ span, service }: WholeSpan) => service === trace.services[trace.service[at]!] && (span.name ?? '') === trace.names[trace.name[at]!]
    && (span.startTimeUnixNano ?? '0') === start;
  return all.find((one) => fits(one) && kindNumber(one) === trace.kind[at]) ?? all.find(fits) ?? all[0];
}

function kindNumber({ span }: WholeSpan): number {
  return typeof span.kind === 'number' ? span.kind : 0;
}

const MARKS = [1, 2, 8, 16, 32, 64] as const;

export function SpanPanel({ at, trace, times, isCause, onSelect, onClose }: Props) {
  const id = idOf(trace, at);
  const asked = useAsk<OtlpTrace>(`/api/v1/traces/${trace.id}/spans/${id}`);
  const first = useRef(trace);
  useEffect(() => { if (trace !== first.current) { first.current = trace; asked.again(); } }, [trace]); // more of the trace has come
  const whole = wholeOf(asked.data, trace, at), raw = whole?.span;
  const name = trace.names[trace.name[at]!]!, service = trace.services[trace.service[at]!]!, above = trace.parent[at]!;
  const isOpen = (trace.flags[at]! & OPEN) !== 0, isDead = (trace.marks[at]! & INTERRUPTED) !== 0, failed = trace.status[at] === ERROR;
  const wait = waitOf(trace, times, at), lasts = formatDuration(times.end[at]! - times.start[at]!), shift = trace.shift[at]!;
  const status = [words.statusUnset, words.statusOk, words.statusError][trace.status[at]!] ?? String(trace.status[at]);
  const marks = MARKS.filter((mark) => trace.marks[at]! & mark).map((mark) => words.marks[mark]!);
  return <aside class="det" aria-label={words.details} tabIndex={-1}>
    <h2><Swatch service={service} /><Name text={name} /><button class="as-link close" onClick={onClose}>{words.close}</button></h2>
    <p class="dim"><Name text={service} />, {kindOf(trace.kind[at]!)}</p>
    {(failed || isDead) && <p class="say"><span class="st broken"><Cross />{isCause ? words.firstCause : words.statusError}</span>{' '}
      {isDead ? words.diedAfter(lasts) : <Long text={raw ? raw.status?.message || words.noMessage : ''} />}</p>}
    {marks.length > 0 && <p class="late-text small">{marks.join('; ')}</p>}
    <dl class="k">
      <dt>{words.lasts}</dt><dd>{isDead ? words.lastsDead(lasts) : isOpen ? words.openFor(lasts) : lasts}</dd>
      {wait && <><dt>{words.waits}</dt><dd>{words.waited(formatDuration(wait[1] - wait[0]))}</dd></>}
      <dt>{words.began}</dt><dd title={zone}>{formatMoment(trace.base + BigInt(Math.round(times.origin + times.start[at]!)))}<br />+{formatDuration(times.start[at]!)}</dd>
      {shift !== 0 && <><dt>{words.clock}</dt><dd>{words.clockOff(`${shift < 0 ? '−' : '+'}${formatDuration(Math.abs(shift))}`)}</dd></>}
      <dt>{words.status}</dt><dd>{status}</dd>
      <dt>{words.spanId}</dt><dd>{id} <span class="on-row"><Copy text={id} /></span></dd>
      {above >= 0 ? <><dt>{words.parentId}</dt><dd><button class="as-link" title={words.toParent} onClick={() => onSelect(above)}><Name text={trace.names[trace.name[above]!]!} /></button></dd></>
        : raw?.parentSpanId && <><dt>{words.parentId}</dt><dd>{raw.parentSpanId} ({words.missingParent})</dd></>}
      {whole?.scope?.name && <><dt>{words.scope}</dt><dd><Long text={`${whole.scope.name} ${whole.scope.version ?? ''}`.trim()} /></dd></>}
    </dl>
    <p class="acts">
      <a class="btn" href={linkTo('/search', { q: `service:${quoted(service)} name:${quoted(name)}` })}>{words.onlyName}</a>
      <Copy label={words.copyLink} text={location.origin + ofTenant(`/trace/${trace.id}?span=${keyOf(trace, at)}`)} />
      {whole && <Copy label={words.copyJson} text={() => JSON.stringify(asked.data, null, 2)} />}
    </p>
    <Said asked={{ ...asked, isWaiting: false }} />
    {raw && <>
      <Group title={words.attributes} count={raw.attributes?.length ?? 0} dropped={raw.droppedAttributesCount}><Pairs pairs={attributesOf(raw.attributes)} /></Group>
      <Group title={words.events} count={raw.events?.length ?? 0} dropped={raw.droppedEventsCount}>
        {(raw.events ?? []).map((event, index) => <div class="event" key={index}>
          <p><span class="dim">+{formatDuration(Math.max(0, Number(BigInt(event.timeUnixNano ?? '0') - trace.base) - trace.start[at]!))}</span> <Name text={event.name ?? ''} /></p>
          <Pairs pairs={attributesOf(event.attributes, 'event.')} /></div>)}
      </Group>
      <Group title={words.links} count={raw.links?.length ?? 0} dropped={raw.droppedLinksCount}>
        {(raw.links ?? []).map((link, index) => <div class="event" key={index}>
          <p><a class="id" title={words.openLinked} href={linkTo(`/trace/${link.traceId ?? ''}`, { span: link.spanId })}>{link.traceId}</a></p>
          <Pairs pairs={attributesOf(link.attributes, 'link.')} /></div>)}
      </Group>
      <Group title={words.resource} count={whole!.resource.length}><Pairs pairs={attributesOf(whole!.resource)} /></Group>
    </>}
  </aside>;
}

function Group({ title, count, dropped, children }: { title: string; count: number; dropped?: number; children: ComponentChildren }) {
  if (count === 0 && !dropped) return null;
  return <section class="group">
    <h3>{title}<span>{dropped ? `${words.dropped(formatCount(dropped))} · ` : ''}{formatCount(count)}</span></h3>
    {children}
  </section>;
}

function Pairs({ pairs }: { pairs: Attribute[] }) {
  const first = pairs.slice(0, PAIRS_MAX), rest = pairs.slice(PAIRS_MAX);
  return <><List pairs={first} />{rest.length > 0 && <details><summary class="as-link">{words.moreOf(formatCount(rest.length))}</summary><List pairs={rest} /></details>}</>;
}

function List({ pairs }: { pairs: Attribute[] }) {
  return <dl class="k">{pairs.map(({ key, text, filter }, index) => <div key={index}>
    <dt><Name text={key} /></dt>
    <dd><Long text={text} />{' '}
      <span class="on-row"><Copy text={text} />{filter && <a href={linkTo('/search', { q: filter })} title={words.filterBy}>{words.search}</a>}</span></dd></div>)}</dl>;
}
