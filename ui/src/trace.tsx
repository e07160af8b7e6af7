// The trace page. Its state is in the address: `span` is the chosen one, `closed` has those that are folded, or is `all`,
// of which `open` has the exceptions.
import { useEffect, useMemo } from 'preact/hooks';
import { Address, amend, linkTo } from './address';
import { Asked, useAsk } from './ask';
import { formatCount, formatDuration, formatMoment, zone } from './format';
import { Copy, Cross, Long, Name, Said, isTyping, useKeys } from './parts';
import { SpanPanel } from './span_panel';
import { OtlpTrace, Span, Trace, firstError, forebears, makeTrace, visibleRows } from './trace_model';
import { Waterfall } from './waterfall';
import { plural, words } from './words';

const LISTED_MAX = 100; // ids in an address, which stays shorter than a server takes; the oldest are forgotten

export function TracePage({ address }: { address: Address }) {
  const id = address.path.slice('/trace/'.length);
  const asked = useAsk<OtlpTrace>(`/api/v1/traces/${id}`);
  const trace = useMemo(() => (asked.data ? makeTrace(asked.data) : undefined), [asked.data]);
  useEffect(() => { document.title = `${trace?.order[0]?.name.slice(0, 80) ?? id} · Filigree`; }, [trace, id]);
  if (asked.refusal?.status === 404) return <NotFound id={id} asked={asked} />;
  return <><Said asked={asked} />{trace && trace.order.length > 0 && <View id={id} trace={trace} params={address.params} asked={asked} />}</>;
}

function NotFound({ id, asked }: { id: string; asked: Asked<OtlpTrace> }) {
  return <section class="first"><h1>{words.noTrace(id.slice(0, 64))}</h1><p class="dim">{words.noTraceWhy}</p>
    <p><button class="btn" onClick={asked.again}>{words.again}</button></p></section>;
}

function listed(text: string): string[] {
  return text ? text.split(',') : [];
}

interface ViewProps { id: string; trace: Trace; params: URLSearchParams; asked: Asked<OtlpTrace> }

function View({ id, trace, params, asked }: ViewProps) {
  const chosen = params.get('span') ?? '', closed = params.get('closed') ?? '', open = params.get('open') ?? '';
  const selected = trace.at.get(chosen) ?? -1;
  const folded = useMemo(() => {
    if (closed !== 'all') return new Set(listed(closed));
    const all = new Set(trace.order.filter((span) => span.size > 1).map((span) => span.id));
    for (const one of listed(open)) all.delete(one);
    return all;
  }, [closed, open, trace]);
  const rows = useMemo(() => visibleRows(trace, folded), [trace, folded]);

  // What an address says of folding when these spans are folded or opened.
  const folding = (spans: Span[], to: boolean): Record<string, string> => {
    const isAll = closed === 'all';
    const list = new Set(listed(isAll ? open : closed));
    for (const span of spans) {
      list.delete(span.id);
      if (isAll !== to) list.add(span.id);
    }
    return { [isAll ? 'open' : 'closed']: [...list].slice(-LISTED_MAX).join(',') };
  };
  const fold = (span: Span, to = !folded.has(span.id)) => amend(folding([span], to));
  // A span that is chosen is shown: what hides it opens.
  const select = (at: number) => {
    const hiding = forebears(trace, at).filter((span) => folded.has(span.id));
    amend({ span: trace.order[at]!.id, ...(hiding.length > 0 ? folding(hiding, false) : {}) });
  };
  useEffect(() => { if (selected >= 0 && !rows.includes(selected)) select(selected); }, [trace]);

  useKeys((event) => { if (!isTyping(event) && onKey(event.key)) event.preventDefault(); });
  const onKey = (key: string): boolean => {
    const row = rows.indexOf(selected), span = trace.order[selected];
    const to = (next: number) => { const at = rows[Math.max(0, Math.min(rows.length - 1, next))]; if (at !== undefined) select(at); };
    switch (key) {
      case 'j': case 'ArrowDown': to(row + 1); return true;
      case 'k': case 'ArrowUp': to(row < 0 ? 0 : row - 1); return true;
      case 'Home': to(0); return true;
      case 'End': to(rows.length - 1); return true;
      case 'e': selectNextError(); return true;
      case 'Escape': amend({ span: undefined }); return true;
      case 'ArrowRight':
        if (!span) return false;
        if (folded.has(span.id)) fold(span, false);
        else if (span.size > 1) to(row + 1);
        return true;
      case 'ArrowLeft': {
        if (!span) return false;
        const parent = forebears(trace, selected)[0];
        if (span.size > 1 && !folded.has(span.id)) fold(span, true);
        else if (parent) select(trace.order.indexOf(parent));
        return true;
      }
      default: return false;
    }
  };
  const selectNextError = () => {
    const count = trace.order.length;
    for (let i = 1; i <= count; i++) {
      const at = (selected + i + count) % count;
      if (trace.order[at]!.isError) { select(at); return; }
    }
  };

  return <>
    <Head id={id} trace={trace} onSelect={select} />
    <div class="tools">
      <button class="btn" onClick={() => amend({ closed: undefined, open: undefined })} disabled={folded.size === 0}>{words.openAll}</button>
      <button class="btn" onClick={() => amend({ closed: 'all', open: undefined })} disabled={closed === 'all' && open === ''}>{words.closeAll}</button>
      <button class="btn" onClick={asked.again}>{words.again}</button>
      {chosen && selected < 0 && <span class="late-text">{words.noSpan(chosen.slice(0, 32))}</span>}
    </div>
    <div class={selected >= 0 ? 'split has-panel' : 'split'}>
      <Waterfall trace={trace} rows={rows} folded={folded} selected={selected} onSelect={select} onFold={fold} />
      {selected >= 0 && <SpanPanel key={chosen} span={trace.order[selected]!} trace={trace} traceId={id} onSelect={select} onClose={() => amend({ span: undefined })} />}
    </div>
    <p class="keys small dim" aria-label={words.keys}>
      <span><kbd>j</kbd> <kbd>k</kbd> {words.keyRow}</span><span><kbd>←</kbd> <kbd>→</kbd> {words.keyFold}</span>
      <span><kbd>e</kbd> {words.keyError}</span><span><kbd>/</kbd> {words.keySearch}</span>
    </p>
  </>;
}

function Head({ id, trace, onSelect }: { id: string; trace: Trace; onSelect: (at: number) => void }) {
  const root = trace.order[0]!;
  const error = useMemo(() => firstError(trace), [trace]);
  return <div class="th">
    <h1><Name text={root.service} />: <Name text={root.name} /></h1>
    <div class="sum">
      <span title={zone}>{formatMoment(trace.base)}</span>
      <span>{formatDuration(trace.length)}{trace.open > 0 ? `, ${words.neverEnded}` : ''}</span>
      <span>{formatCount(trace.order.length)} {plural(trace.order.length, words.spanWord)}</span>
      <span>{formatCount(trace.services.length)} {plural(trace.services.length, words.serviceWord)}</span>
      {trace.errors > 0 && <span>{formatCount(trace.errors)} {plural(trace.errors, words.errorWord)}</span>}
      <span class="id">{id}</span><Copy text={id} />
    </div>
    {error && <div class="cause"><span class="st broken"><Cross />{words.firstError}</span>
      <span><a href={linkTo(`/trace/${id}`, { span: error.id })} onClick={(event) => { event.preventDefault(); onSelect(trace.order.indexOf(error)); }}><Name text={error.name} /></a>{' '}
        {words.inService} <Name text={error.service} />: <Long text={error.raw.status?.message || words.noMessage} /></span></div>}
  </div>;
}
