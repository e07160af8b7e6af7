// The search page: a query, a time, a picture, and the traces that fit. All of it is in the address.
import { useEffect, useMemo, useRef, useState } from 'preact/hooks';
import { Address, go, replaceBy } from './address';
import { Asked, useAsk } from './ask';
import { Builder } from './builder';
import { Explain } from './explain';
import { FirstSpan } from './first_span';
import { formatCount, formatDuration, formatTime } from './format';
import { remember } from './history';
import { useLive } from './live';
import { Said, isTyping, oneLine, useKeys } from './parts';
import { QueryLine } from './query_line';
import { Results } from './results';
import { CHARTS, LIMIT_MAX, QUERY_MAX, SearchState, addressOf, isFixed, nsText, readAddress, timesOf } from './search_address';
import { SearchChart, chartOf } from './search_chart';
import { TimeBar } from './search_time';
import { Found, Page, Summary, startMs, useTraces } from './traces';
import { plural, words } from './words';

const EMPTY_POLL_MS = 1500;
// What is a step for Back; the rest only changes how the same answer is shown.
const STEPS: (keyof SearchState)[] = ['q', 'range', 'fromMs', 'toMs'];

export function SearchPage({ address }: { address: Address }) {
  const search = address.params.toString();
  const state = useMemo(() => readAddress(address.params), [search]);
  const { q, range, fromMs, toMs, isLive } = state;
  const [text, setText] = useState(q);
  const [round, setRound] = useState(0);
  const [isEmpty, setEmpty] = useState(false); // nothing is stored at all
  const asked = useRef(q);
  // What was asked in the line stands there already, and may have been typed on since.
  useEffect(() => {
    if (q !== asked.current) setText(q);
    asked.current = q;
  }, [q]);
  // The present moment is taken anew with each question, and kept while its pages are read.
  const times = useMemo(() => timesOf(state, Date.now()), [q, range, fromMs, toMs, round]);
  const found = useTraces(state, times);
  const live = useLive(isLive && q.length <= QUERY_MAX, q, times);
  const chartTimes = useMemo(() => (live.round > 0 ? timesOf(state, Date.now()) : times), [times, live.round]);
  const rows = useMemo(() => merged(found.rows, live.arrived, state.sort), [found.rows, live.arrived, state.sort]);
  useEffect(() => { document.title = `${q ? oneLine(q, 80) : words.search} · Filigree`; }, [q]);
  useEffect(() => { if (found.isOfQuestion && found.first.data) remember(q); }, [found.isOfQuestion, q]);

  const to = (changes: Partial<SearchState>) => {
    const next = { ...state, ...changes }, isStep = STEPS.some((one) => next[one] !== state[one]);
    if (isStep && changes.limit === undefined) next.limit = readAddress(new URLSearchParams()).limit;
    if (isStep) go(addressOf(next));
    else replaceBy(addressOf(next));
  };
  // The same question again: with the present time, where that is part of it.
  const again = () => {
    if (isFixed(state) || range === 'all') found.first.again();
    else setRound(round + 1);
  };
  const submit = (query: string) => {
    setText(query);
    if (query.length > QUERY_MAX) return; // which is said already
    if (/^[0-9a-f]{32}$/i.test(query)) go(`/trace/${query.toLowerCase()}`);
    else if (query === q) again();
    else {
      asked.current = query;
      to({ q: query });
    }
  };
  const toggleLive = () => to(isLive ? { isLive: false } : { isLive: true, ...(isFixed(state) || range === 'yesterday' ? { fromMs: undefined, toMs: undefined, range: '15m' as const } : {}) });
  useKeys((event) => {
    if (isTyping(event) || document.querySelector('dialog[open]')) return;
    if (event.key === 'b') to({ hasBuilder: !state.hasBuilder });
    else if (event.key === 'l') toggleLive();
    else if (event.key === 'h') to({ chart: CHARTS[(CHARTS.indexOf(chartOf(state, found)) + 1) % CHARTS.length] });
  });

  const refusal = found.isOfQuestion ? found.first.refusal : undefined;
  const tooLong = text.length > QUERY_MAX ? { query: text, at: 1, message: words.tooLong(formatCount(text.length)) } : undefined;
  const wrong = tooLong ?? (refusal?.at !== undefined ? { query: q, at: refusal.at, message: inWords(refusal.message) } : undefined);
  const isAll = range === 'all' && !isFixed(state);
  return <>
    {!isEmpty && <h1 class="vh">{words.search}</h1>}
    {state.notes.length > 0 && <div class="note address-note" role="status">{state.notes.map((one) => <p key={one}>{one}</p>)}</div>}
    {!isEmpty && <><QueryLine text={text} onText={setText} onSubmit={submit} start={nsText(times.startMs)} wrong={wrong} />
    <div class="search-tools">
      <TimeBar state={state} to={to} />
      <span class="search-modes">
        <button class="btn" aria-pressed={state.hasBuilder} aria-expanded={state.hasBuilder} onClick={() => to({ hasBuilder: !state.hasBuilder })}>{words.builder}</button>
        <button class="btn live" aria-pressed={isLive} onClick={toggleLive}>{words.live}</button>
      </span>
    </div></>}
    {!isEmpty && state.hasBuilder && <Builder text={text} onText={setText} onSubmit={() => submit(text.trim())} start={nsText(times.startMs)} />}
    {wrong ? !tooLong && found.first.isWaiting && <div class="busy" /> : <Said asked={found.first} />}
    {q.length <= QUERY_MAX && found.first.data && (rows.length > 0
      ? <Answer state={state} times={chartTimes} found={found} rows={rows} live={live} to={to} />
      : <Nothing isAll={isAll} found={found} asked={found.first} isLive={isLive} onAll={() => to({ range: 'all', fromMs: undefined, toMs: undefined })}
          again={again} onEmpty={setEmpty} />)}
  </>;
}

// The sentence of the server's parser, in the reader's language where the catalogue has it.
function inWords(message: string): string {
  const said = message.replace(/^q: at byte \d+: /, ''), found = words.parserSays.find(([pattern]) => pattern.test(said));
  return found ? said.replace(found[0], found[1]) : said;
}

// What was found and what arrived since, with the newest figures of each. The server's order is by the newest span that fits; the
// list shows when a trace began, and is in that order.
function merged(rows: Summary[], arrived: Summary[], sort: SearchState['sort']): Summary[] {
  const newer = new Map(arrived.map((one) => [one.trace_id, one])), known = new Set(rows.map((one) => one.trace_id));
  const all = arrived.length === 0 ? rows : [...arrived.filter((one) => !known.has(one.trace_id)), ...rows.map((one) => newer.get(one.trace_id) ?? one)];
  return [...all].sort(sort === 'longest' ? (a, b) => Number(b.duration_ns) - Number(a.duration_ns) : (a, b) => startMs(b) - startMs(a));
}

interface AnswerProps {
  state: SearchState; times: ReturnType<typeof timesOf>; found: Found; rows: Summary[]; live: ReturnType<typeof useLive>; to: (changes: Partial<SearchState>) => void;
}

function Answer({ state, times, found, rows, live, to }: AnswerProps) {
  const count = rows.length, hasMore = found.next !== null;
  // After a cell of the heat map the list is what one came for: the focus goes there when it has come.
  const wantsList = useRef(false);
  useEffect(() => {
    if (!wantsList.current || !found.isOfQuestion) return;
    wantsList.current = false;
    document.querySelector<HTMLElement>('.results a.res')?.focus();
  }, [found.isOfQuestion, found.first.data]);
  return <>
    <SearchChart state={state} times={times} found={found} rows={rows} to={to} onListed={() => { wantsList.current = true; }} />
    <section class="results" aria-label={words.results}>
      <div class="said dim">
        <p>{words.found(formatCount(count), plural(count, words.traceWord), hasMore, state.sort === 'longest')}</p>
        <span class="said-tools">
          {state.sort === 'newest' ? <button class="as-link" onClick={() => to({ sort: 'longest' })}>{words.longestFirst}</button>
            : <button class="as-link" onClick={() => to({ sort: 'newest' })}>{words.newestFirst}</button>}
          <button class="as-link" aria-expanded={state.isExplained} onClick={() => to({ isExplained: !state.isExplained })}>{words.explain}</button>
        </span>
      </div>
      <LiveNote live={live} />
      <Partial reason={found.partial} />
      {state.isExplained && found.last && <Explain page={found.last} />}
      <Results rows={rows} isLive={state.isLive} onEscape={() => document.getElementById('query')?.focus()} />
      {found.isReadingMore && <Said asked={found.more} />}
      {hasMore && (rows.length < LIMIT_MAX
        ? <button class="btn more" disabled={found.isReadingMore} onClick={() => to({ limit: Math.min(LIMIT_MAX, Math.max(state.limit, found.rows.length) + (state.limit >= 200 ? 500 : 100)) })}>{words.more}</button>
        : <p class="note dim">{words.enoughRows(formatCount(LIMIT_MAX))}</p>)}
    </section>
  </>;
}

function LiveNote({ live }: { live: ReturnType<typeof useLive> }) {
  if (live.how === 'off') return null;
  if (live.failingSince !== undefined) return <p class="note late-text" role="status">{words.liveStopped(formatTime(live.failingSince))}</p>;
  return <p class="small dim live-note" role="status"><span class="live-mark" aria-hidden="true" />
    {live.how === 'tail' ? words.liveTail : live.how === 'full' ? words.liveFull(formatDuration(3e9)) : words.liveAgain(formatDuration(3e9))}</p>;
}

function Partial({ reason }: { reason: string | undefined }) {
  if (reason === undefined) return null;
  const reasons: Record<string, string> = { time: words.partialTime, bytes: words.partialBytes, damage: words.partialDamage };
  return <p class="note late-text">{reasons[reason] ?? words.partialOther}</p>;
}

// Nothing fits: because nothing does, or because there is nothing at all yet.
interface NothingProps { isAll: boolean; found: Found; asked: Asked<Page>; isLive: boolean; onAll: () => void; again: () => void; onEmpty: (isEmpty: boolean) => void }

function Nothing({ isAll, found, asked, isLive, onAll, again, onEmpty }: NothingProps) {
  const any = useAsk<Page>('/api/v1/traces?limit=1');
  const isEmpty = any.data !== undefined && any.data.traces.length === 0 && !any.data.partial;
  const [wasEmpty, setWasEmpty] = useState(false);
  useEffect(() => { onEmpty(isEmpty); return () => onEmpty(false); }, [isEmpty]);
  useEffect(() => {
    if (!isEmpty) {
      if (wasEmpty && any.data) again(); // the first span is there
      return undefined;
    }
    setWasEmpty(true);
    const timer = setTimeout(any.again, EMPTY_POLL_MS);
    return () => clearTimeout(timer);
  }, [any.data]);
  if (isEmpty) return <FirstSpan />;
  if (!any.data && !asked.refusal) return null;
  return <section>
    <p>{isAll ? words.nothing : words.nothingInTime}{' '}
      {!isAll && <button class="as-link" onClick={onAll}>{words.lookAll}</button>}</p>
    {isLive && <p class="small dim live-note" role="status"><span class="live-mark" aria-hidden="true" />{words.liveTail}</p>}
    <Partial reason={found.partial} />
  </section>;
}
