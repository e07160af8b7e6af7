// What is known of one span: everything that was sent, to be read, copied and searched for.
import { ComponentChildren } from 'preact';
import { linkTo } from './address';
import { formatCount, formatDuration, formatMoment, zone } from './format';
import { Copy, Cross, Long, Name, Swatch } from './parts';
import { Attribute, Span, Trace, attributesOf, kindOf, quoted, statusOf } from './trace_model';
import { words } from './words';

interface Props { span: Span; trace: Trace; traceId: string; onSelect: (at: number) => void; onClose: () => void }

export function SpanPanel({ span, trace, traceId, onSelect, onClose }: Props) {
  const { raw } = span;
  const parent = trace.at.get(span.parentId);
  const status = { error: words.statusError, ok: words.statusOk, unset: words.statusUnset }[statusOf(span)];
  return <aside class="det" aria-label={words.details}>
    <h2><Swatch service={span.service} /><Name text={span.name} /><button class="as-link close" onClick={onClose}>{words.close}</button></h2>
    {span.isError && <p class="broken say"><span class="st"><Cross />{words.statusError}</span> <Long text={raw.status?.message || words.noMessage} /></p>}
    <dl class="k">
      <dt>{words.service}</dt><dd><Long text={span.service} /></dd>
      <dt>{words.lasts}</dt><dd>{span.isOpen ? words.neverEnded : formatDuration(span.end - span.start)}</dd>
      <dt>{words.began}</dt><dd title={zone}>{formatMoment(trace.base + BigInt(Math.round(span.start)))}<br />+{formatDuration(span.start)}</dd>
      <dt>{words.kind}</dt><dd>{kindOf(raw.kind)}</dd>
      <dt>{words.status}</dt><dd>{status}</dd>
      {span.scope?.name && <><dt>{words.scope}</dt><dd><Long text={`${span.scope.name} ${span.scope.version ?? ''}`.trim()} /></dd></>}
      <dt>{words.spanId}</dt><dd>{span.id} <Copy text={span.id} /></dd>
      {span.parentId && <><dt>{words.parentId}</dt><dd>{parent === undefined ? `${span.parentId} (${words.missingParent})`
        : <button class="as-link id" title={words.toParent} onClick={() => onSelect(parent)}>{span.parentId}</button>}</dd></>}
    </dl>
    <p class="acts">
      <a class="btn" href={linkTo('/search', { q: `service:${quoted(span.service)} name:${quoted(span.name)}` })}>{words.onlyName}</a>
      <Copy label={words.copyLink} text={`${location.origin}/trace/${traceId}?span=${span.id}`} />
    </p>
    <Group title={words.attributes} count={raw.attributes?.length ?? 0} dropped={raw.droppedAttributesCount}><Pairs pairs={attributesOf(raw.attributes)} /></Group>
    <Group title={words.events} count={raw.events?.length ?? 0} dropped={raw.droppedEventsCount}>
      {(raw.events ?? []).map((event, index) => <div class="event" key={index}>
        <p><span class="dim">+{formatDuration(Number(BigInt(event.timeUnixNano ?? '0') - trace.base) - span.start)}</span> <Name text={event.name ?? ''} /></p>
        <Pairs pairs={attributesOf(event.attributes, 'event.')} /></div>)}
    </Group>
    <Group title={words.links} count={raw.links?.length ?? 0} dropped={raw.droppedLinksCount}>
      {(raw.links ?? []).map((link, index) => <div class="event" key={index}>
        <p><a class="id" title={words.openLinked} href={linkTo(`/trace/${link.traceId ?? ''}`, { span: link.spanId })}>{link.traceId}</a></p>
        <Pairs pairs={attributesOf(link.attributes, 'link.')} /></div>)}
    </Group>
    <Group title={words.resource} count={span.resource.length}><Pairs pairs={attributesOf(span.resource)} /></Group>
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
  return <dl class="k">{pairs.map(({ key, text, filter }, index) => <>
    <dt key={`k${index}`}><Name text={key} /></dt>
    <dd key={`v${index}`}><Long text={text} />{' '}
      <span class="on-row"><Copy text={text} />{filter && <a href={linkTo('/search', { q: filter })} title={words.filterBy}>{words.search}</a>}</span></dd></>)}</dl>;
}
