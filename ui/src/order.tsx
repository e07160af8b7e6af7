// An order's page: the verdict in one sentence, what to do, its route, its time on one axis, and the evidence.
import { ComponentChildren } from 'preact';
import { useEffect, useMemo } from 'preact/hooks';
import { Address, go, linkTo } from './address';
import { useAsk } from './ask';
import { Monitor, Monitors, findingAt, sentenceOf } from './components_model';
import { formatCount, formatDuration, formatTime, zone } from './format';
import { Incident, incidentLink } from './incidents';
import { Board, Journey, Recovery, STOPPED, Stay, Step, causeText, groupLink, noteAsked, orderLink, placeName, sentence, useLive } from './journeys';
import { Copy, Name, NoPage, Said, oneLine, visible } from './parts';
import { QueueTable } from './queue_table';
import { slotOf } from './slots';
import { StateMark, StateShape } from './state_mark';
import { TimeAxis } from './time_axis';
import { quoted } from './query';
import { humanOf, labelOf, noteLabels, told } from './verdict_text';
import { plural, words } from './words';

const EVERY_MS = 2000, KEYS_MAX = 4;

function spanLink(traceId: string, spanId?: string): string {
  return linkTo(`/trace/${traceId}`, { span: spanId });
}

function labelAt(journey: Journey, name: string | null): string {
  const step = journey.steps.find((one) => one.name === name);
  return step ? labelOf(step) : name ?? '';
}

function isStopped(journey: Journey): boolean {
  return STOPPED.includes(journey.state);
}

// -- The verdict

// Who has to act, also where the place is what keeps him from seeing that.
function whoOf(journey: Journey): string {
  const step = journey.steps.find((one) => one.name === journey.expected_step);
  return step?.human ? humanOf(step) : placeName(journey.place);
}

function head(journey: Journey): string {
  if (journey.state === 'waiting') return words.verdictWaits(whoOf(journey));
  if (journey.state === 'flowing') return words.verdictFlows(labelAt(journey, journey.expected_step));
  if (journey.state === 'done') return words.verdictDone;
  if (journey.state === 'cancelled') return words.verdictCancelled;
  return words.verdictAt(words.verdictIn[journey.state] ?? '', placeName(journey.place) || words.places.unknown!);
}

// When it should be done: what others of late took for each step that is left. Undefined where that is not known.
function expectedBy(journey: Journey): number | undefined {
  const at = journey.steps.findIndex((step) => step.name === journey.expected_step);
  if (at < 0 || journey.state !== 'flowing' && journey.state !== 'waiting') return undefined;
  const left = journey.steps.slice(at).filter((step) => !step.reached && !step.optional && !step.cancels);
  if (left.length === 0 || left.some((step) => step.usual_ns === 0)) return undefined;
  return Date.now() + left.reduce((sum, step) => sum + step.usual_ns, 0) / 1e6;
}

function customerSentence(journey: Journey): string {
  const { value, state } = journey, by = expectedBy(journey);
  const date = by === undefined ? '' : words.customerDate(formatTime(by));
  if (state === 'done') return words.customerDone(value);
  if (state === 'cancelled') return words.customerCancelled(value);
  if (state === 'waiting') return words.customerWaits(value, whoOf(journey)) + date;
  if (state === 'flowing') return words.customerFlows(value, labelAt(journey, journey.expected_step)) + date;
  return words.customerStopped(value, formatTime(Date.parse(journey.since ?? '')));
}

function sureness(journey: Journey): [word: string, why: string] {
  const signs = journey.evidence.length, why = words.signs(formatCount(signs), plural(signs, words.signWord));
  if (journey.cause?.code === 'not_enough_evidence' || journey.confidence < 0.5) return [words.notSure, why];
  return [journey.confidence >= 0.85 ? words.sureWord : words.likely, why];
}

// Whether somebody has to do something for the order itself.
function goesOn(journey: Journey): string {
  if (journey.state === 'broken') return words.goesOnAfterRepair;
  if (journey.state === 'stuck') return words.goesOnWithPlace;
  return journey.cause?.code === 'falling_behind' || journey.cause?.code === 'deadline_too_tight' ? words.goesOnInTurn : words.goesOnUnknown;
}

// Of an order that is well: what it had, and until when.
function GotOver({ recovered }: { recovered: Recovery }) {
  const since = Date.parse(recovered.since ?? ''), until = Date.parse(recovered.until ?? '');
  const said = oneLine(told(recovered.cause?.text ?? causeText(recovered.cause)));
  return <p class="got-over"><b>{words.gotOver}</b> <bdi>{said}</bdi>{Number.isFinite(since) && Number.isFinite(until) && <>, <span class="nw" title={zone}>{words.gotOverBetween(formatTime(since), formatTime(until))}</span> ({formatDuration(Math.max(0, until - since) * 1e6)})</>}.</p>;
}

function IncidentFact({ id }: { id: string }) {
  const asked = useAsk<Incident>(`/api/v1/incidents/${encodeURIComponent(id)}`), one = asked.data;
  useLive(asked, 5 * EVERY_MS);
  const who = one?.acknowledged_by ? `${words.lookedAfterBy}: ${oneLine(one.acknowledged_by)}` : words.nobodyYet;
  return <Fact name={words.incident} more={one ? one.owner ? `${oneLine(one.owner)} · ${who}` : who : undefined}><a href={incidentLink(id)}>{id}</a></Fact>;
}

function Fact({ name, children, more }: { name: string; children: ComponentChildren; more?: string }) {
  return <div><dt>{name}</dt><dd>{children}{more && <small>{more}</small>}</dd></div>;
}

function Verdict({ journey }: { journey: Journey }) {
  const since = Date.parse(journey.since ?? journey.last ?? ''), [sure, why] = sureness(journey);
  const deadline = journey.deadline ? Date.parse(journey.deadline) : undefined, last = journey.traces[journey.traces.length - 1];
  const reached = journey.steps.filter((step) => step.reached).length, count = journey.traces.length;
  const said = journey.cause?.code === 'waiting' ? '' : oneLine(told(journey.cause?.text || ' ')).trim();
  return <section class={`verdict wash-${journey.state}`} aria-label={words.states[journey.state]}>
    <div class="sum"><b class="ord"><Name text={journey.value} /></b><span class="dim">{words.keyOf(journey.key)}</span>
      {journey.first && <span class="dim" title={zone}>{words.firstSeen} {formatTime(Date.parse(journey.first))}</span>}
      <span class="dim">{formatCount(count)} {plural(count, words.traceWord)}</span>
      {journey.steps.length > 0 && <span class="dim">{words.stepsOf(formatCount(reached), formatCount(journey.steps.filter((step) => !step.cancels).length))}</span>}</div>
    <div class="cols">
      <div><h1><StateShape state={journey.state} /><span><em class={`is-${journey.state}`}>{head(journey)}</em>{(isStopped(journey) || journey.state === 'waiting') && <> {words.sinceWord} <span title={zone}>{formatTime(since)}</span></>}
        {said && <>: <bdi>{said}</bdi></>}{said.endsWith('…') ? '' : '.'}</span></h1>
      {journey.recovered && !isStopped(journey) && <GotOver recovered={journey.recovered} />}
      {journey.place && <dl class="facts">
        <Fact name={words.place} more={words.places[journey.place.kind]}><Name text={placeName(journey.place)} /></Fact>
        <Fact name={words.sinceHead} more={deadline ? `${deadline < Date.now() ? words.deadlineWas : words.deadlineIs} ${formatTime(deadline)}` : undefined}>{formatTime(since)}, {formatDuration(Math.max(0, Date.now() - since) * 1e6)}</Fact>
        <Fact name={words.cause} more={journey.place.name && journey.place.name !== journey.place.service ? labelAt(journey, journey.place.name) : undefined}>{causeText(journey.cause)}</Fact>
        <Fact name={words.sure} more={why}>{sure}</Fact>
        {journey.incident && isStopped(journey) && <IncidentFact id={journey.incident} />}
      </dl>}</div>
      <div class="todo">{journey.next && <><h2>{words.whatToDo}</h2><p><Name text={told(journey.next)} /></p></>}
        {isStopped(journey) && <p>{goesOn(journey)}</p>}
        <p class="say" aria-live="polite">{customerSentence(journey)}</p>
        <p class="acts"><span class="btn main"><Copy text={customerSentence(journey)} label={words.copySentence} /></span>{last && <a class="btn" href={spanLink(last)}>{words.openLast}</a>}</p></div>
    </div>
  </section>;
}

// -- The route: services and queues in the order in which they were first reached, with what each of them used

interface Stop { kind: string; name: string; stays: Stay[]; uses: { kind: string; name: string; stays: Stay[] }[] }

function routeOf(journey: Journey): Stop[] {
  const stops: Stop[] = [];
  const stopOf = (kind: string, name: string) => {
    let stop = stops.find((one) => one.name === name && (one.kind === 'broker') === (kind === 'broker'));
    if (!stop) stops.push(stop = { kind, name, stays: [], uses: [] });
    return stop;
  };
  for (const stay of journey.stays) {
    const name = placeName(stay.place);
    if (stay.place.kind === 'database' || stay.place.kind === 'object_store') {
      const { uses } = stopOf('application', stay.by ?? '');
      let use = uses.find((one) => one.name === name && one.kind === stay.place.kind);
      if (!use) uses.push(use = { kind: stay.place.kind, name, stays: [] });
      use.stays.push(stay);
    } else {
      stopOf(stay.place.kind, name).stays.push(stay);
    }
  }
  return stops;
}

function isBrokenHere(journey: Journey, kind: string, name: string): boolean {
  const { place } = journey;
  if (!isStopped(journey) || !place) return false;
  const isStore = (one: string) => one === 'database' || one === 'object_store';
  if (isStore(place.kind) || isStore(kind)) return place.kind === kind && placeName(place) === name;
  if (place.kind === 'broker') return kind === 'broker' && (place.name === name || place.service === name);
  return kind !== 'broker' && place.service === name;
}

function saidOf(stays: Stay[], kind: string): string {
  const open = stays.find((stay) => stay.end_ns === '0'), died = stays.find((stay) => stay.interrupted);
  if (died) return words.causes.died!;
  const again = kind === 'broker' ? stays.reduce((sum, stay) => sum + Math.max(0, (stay.taken ?? 0) - 1), 0) : 0, vain = stays.reduce((sum, stay) => sum + (stay.taken_failed ?? 0), 0);
  if (again > 0 || vain > 0) return words.takenAgain(formatCount(again), formatCount(vain));
  if (kind === 'broker' && open) return `${words.inTheQueue} ${formatDuration(Math.max(0, Date.now() * 1e6 - Number(open.start_ns)))}`;
  if (open) return words.neverEnded2;
  const total = stays.reduce((sum, stay) => sum + Math.max(0, Number(BigInt(stay.end_ns) - BigInt(stay.start_ns))), 0);
  return stays.length > 1 ? `${formatCount(stays.length)} × · ${formatDuration(total)}` : stays.length === 1 ? formatDuration(total) : '';
}

function Box({ journey, kind, name, stays, monitors }: { journey: Journey; kind: string; name: string; stays: Stay[]; monitors: Monitor[] }) {
  const found = findingAt(monitors, kind, name);
  const isBad = isBrokenHere(journey, kind, name), failed = stays.find((stay) => stay.failed) ?? stays.find((stay) => stay.end_ns === '0') ?? stays[0];
  const body = <><span class="nm"><i class={`sw s${slotOf(name)}`} aria-hidden="true" /><Name text={name} />{isBad && <StateShape state={journey.state} />}</span>
    <small>{words.places[kind]}{stays.length > 0 && ` · ${saidOf(stays, kind)}`}</small>
    {found && <small class="found is-late"><StateShape state="late" />{oneLine(sentenceOf(found))}</small>}</>;
  const className = `box k-${kind}${isBad ? ` bad is-${journey.state}` : ''}`;
  return failed ? <a class={className} href={spanLink(failed.trace_id, failed.span_id)}>{body}</a> : <span class={className}>{body}</span>;
}

function Route({ journey }: { journey: Journey }) {
  const watched = useAsk<Monitors>('/api/v1/monitors');
  useLive(watched, 5 * EVERY_MS);
  const monitors = watched.data?.monitors ?? [];
  const stops = routeOf(journey), next = journey.steps.find((step) => step.name === journey.expected_step)?.service;
  const isAhead = next && !stops.some((stop) => stop.name === next);
  return <ol class="route" aria-label={words.route}>
    {stops.map((stop) => <li key={stop.kind + stop.name}><Box journey={journey} kind={stop.kind} name={stop.name} stays={stop.stays} monitors={monitors} />
      {stop.uses.length > 0 && <div class="uses">{stop.uses.map((use) => <Box key={use.kind + use.name} journey={journey} kind={use.kind} name={use.name} stays={use.stays} monitors={monitors} />)}</div>}</li>)}
    {isAhead && <li class="ahead"><span class={`box k-ahead${isBrokenHere(journey, 'application', next) ? ` bad is-${journey.state}` : ''}`}><span class="nm"><Name text={next} />{isBrokenHere(journey, 'application', next) && <StateShape state={journey.state} />}</span><small>{words.notReached}</small></span></li>}
  </ol>;
}

// -- The steps

function StepStrip({ journey }: { journey: Journey }) {
  const steps = journey.steps.filter((step) => !step.cancels || step.reached), lastReached = steps.reduce((last, step, i) => (step.reached ? i : last), -1);
  const before = (step: Step) => steps.filter((one) => one.reached && one !== step && Date.parse(one.reached) <= Date.parse(step.reached!)).reduce((last, one) => Math.max(last, Date.parse(one.reached!)), 0);
  return <ol class="steps" aria-label={words.steps}>{steps.map((step, i) => {
    const isNext = step.name === journey.expected_step, from = step.reached ? before(step) : 0;
    const said = step.reached ? formatTime(Date.parse(step.reached)) : isNext ? (isStopped(journey) ? words.inState[journey.state] : words.expected) : i < lastReached ? words.passedBy : words.notReached;
    const took = step.reached && from ? formatDuration((Date.parse(step.reached) - from) * 1e6) : '';
    return <li key={step.name} class={`${step.reached ? 'reached' : isNext ? `next is-${journey.state}` : 'ahead'}${step.human ? ' human' : ''}`} aria-current={isNext ? 'step' : undefined}>
      <b>{step.reached && step.trace_id ? <a href={spanLink(step.trace_id, step.span_id)}>{i + 1}. <Name text={labelOf(step)} /></a> : <>{i + 1}. <Name text={labelOf(step)} /></>}</b>
      <span>{said}{took && ` · ${took}`}</span>{step.usual_ns > 0 && <span class="faint">{words.usually(formatDuration(step.usual_ns))}</span>}{step.human && <span class="faint">{humanOf(step)}</span>}</li>;
  })}</ol>;
}

// -- Time

const SAID_MAX = 300;

interface Bar { start: number; end: number; className: string; href: string; said: string }
interface Lane { name: string; kind: string; bars: Bar[] }

function lanesOf(journey: Journey, now: number): Lane[] {
  const lanes: Lane[] = [];
  const laneOf = (name: string, kind: string) => {
    let lane = lanes.find((one) => one.name === name && one.kind === kind);
    if (!lane) lanes.push(lane = { name, kind, bars: [] });
    return lane;
  };
  for (const stay of journey.stays) {
    const name = placeName(stay.place), kind = stay.queue ? 'queue' : stay.place.kind === 'database' || stay.place.kind === 'object_store' ? stay.place.kind : 'service';
    const start = Number(BigInt(stay.start_ns) / 1000n) / 1000, isOpen = stay.end_ns === '0', end = isOpen ? now : Number(BigInt(stay.end_ns) / 1000n) / 1000;
    const said = `${name}${stay.operation && !stay.queue ? `: ${stay.operation}` : ''}, ${formatDuration(Math.max(0, end - start) * 1e6)}${stay.queue ? `, ${words.inTheQueue}` : ''}${isOpen ? `, ${words.neverEnded2}` : ''}${stay.interrupted ? `, ${words.causes.died}` : stay.failed ? `, ${words.causes.error}` : ''}`;
    laneOf(name, kind).bars.push({ start, end: Math.max(end, start), className: `s${slotOf(name)}${stay.queue ? ' q' : ''}${isOpen || stay.interrupted ? ' ragged' : ''}${stay.failed ? ' bad' : ''}`, href: spanLink(stay.trace_id, stay.span_id), said: visible(said.slice(0, SAID_MAX)) });
  }
  for (const step of journey.steps) {
    if (!step.human) continue;
    const isNow = journey.state === 'waiting' && step.name === journey.expected_step;
    if (!step.reached && !isNow) continue;
    const end = step.reached ? Date.parse(step.reached) : now;
    const start = journey.steps.filter((one) => one.reached && one !== step && Date.parse(one.reached) <= end).reduce((last, one) => Math.max(last, Date.parse(one.reached!)), 0);
    if (start) laneOf(humanOf(step), 'person').bars.push({ start, end, className: `h${isNow ? ' ragged' : ''}`, href: step.trace_id ? spanLink(step.trace_id, step.span_id) : orderLink(journey.key, journey.value), said: visible(`${humanOf(step)}: ${labelOf(step)}, ${formatDuration((end - start) * 1e6)}, ${words.waitsPerson}`) });
  }
  return lanes;
}

const percent = (share: number) => `${(share * 100).toFixed(3)}%`;

function When({ journey }: { journey: Journey }) {
  const now = Date.now(), hasEnded = journey.state === 'done' || journey.state === 'cancelled';
  const lanes = lanesOf(journey, now), bars = lanes.flatMap((lane) => lane.bars);
  const end = hasEnded ? bars.reduce((last, bar) => Math.max(last, bar.end), 0) : now;
  // A bar that only waits does not ask for room: its wait may be cut short.
  const work = bars.filter((bar) => !/\b[qh]\b/.test(bar.className) && !bar.className.includes('ragged')).map(({ start, end: stop }) => ({ start, end: stop }));
  const edges = bars.filter((bar) => /\b[qh]\b|ragged/.test(bar.className)).flatMap((bar) => [{ start: bar.start, end: bar.start + 1 }, { start: bar.end - 1, end: bar.end }]);
  const axis = new TimeAxis([...work, ...edges], end);
  const since = isStopped(journey) && journey.since ? axis.place(Date.parse(journey.since)) : undefined;
  const count = journey.traces.length;
  if (bars.length === 0) return null;
  return <section aria-labelledby="when"><div class="head"><h2 id="when">{words.whenHead}</h2><span class="dim">{words.oneAxis(formatCount(count), plural(count, words.traceWord))}</span>
    <span class="legend end"><span><i class="b q s10" />{words.inTheQueue}</span><span><i class="b h" />{words.waitsPerson}</span><span><i class="b ragged s2" />{words.neverEnded2}</span></span></div>
    <div class="time">
      <div class="cuts" aria-hidden="true">{axis.cuts.map((cut) => <div key={cut.at} class="cut" style={{ left: percent(cut.at), width: percent(cut.width) }}><span>{formatDuration(cut.ms * 1e6)}<br /><small>{words.cutShort}</small></span></div>)}
        {since !== undefined && <div class={`stop is-${journey.state}`} style={{ left: percent(since) }} />}</div>
      {/* Bars are as short as what they show, and lie over one another: no targets to be hit. Who points at one gets there all the same; the
          way for all is the steps and the list of traces, which hold the same links. */}
      {lanes.map((lane) => <div class="lane" key={lane.kind + lane.name}><span class="lab">{lane.kind === 'person' ? <span class="is-waiting"><StateShape state="waiting" /></span> : <i class={`sw s${slotOf(lane.name)}`} aria-hidden="true" />}<Name text={lane.name} /></span>
        <div class="bars">{lane.bars.map((bar, i) => { const left = axis.place(bar.start), right = axis.place(bar.end);
          return <i key={i} class={`b ${bar.className}`} role="img" title={bar.said} aria-label={bar.said} onClick={() => go(bar.href)} style={{ left: percent(left), width: percent(Math.max(0, right - left)) }} />; })}</div></div>)}
      <div class="lane ticks" aria-hidden="true"><span class="lab" /><div class="bars">{axis.ticks(0.13).map((tick, i, all) => (i > 0 && formatTime(all[i - 1]!.ms) === formatTime(tick.ms) ? null : <i key={tick.at} style={{ left: percent(tick.at) }}>{formatTime(tick.ms)}</i>))}{!hasEnded && <i class="now">{words.nowTick}</i>}</div></div>
    </div>
    {journey.more_stays && <p class="note">{words.moreStays}</p>}
  </section>;
}

function Queues({ journey }: { journey: Journey }) {
  if (journey.queues.length === 0) return null;
  return <section aria-labelledby="queues"><div class="head"><h2 id="queues">{words.queuesHead}</h2><span class="dim">{words.queuesOfOrder}</span></div>
    <QueueTable label={words.queuesHead} times={[words.qTime('')]} rows={journey.queues.map((queue) => ({ name: queue.name, messages: queue, waited: [queue.waited_ns] }))} /></section>;
}

// -- Evidence and neighbours

function EvidenceTable({ journey }: { journey: Journey }) {
  return <section aria-labelledby="evidence"><div class="head"><h2 id="evidence">{words.evidence}</h2></div>
    {journey.evidence.length === 0 ? <p class="note">{words.noEvidence}</p> : <table class="ev"><thead><tr><th>{words.seen}</th><th class="n">{words.restsOn}</th></tr></thead><tbody>
      {journey.evidence.map((one, i) => <tr key={i}><td>{one.kind === 'count' && <b>{formatCount(one.value ?? 0)} </b>}<Name text={one.kind === 'count' ? told(one.text ?? '') : sentence(one.text ?? '')} /></td>
        <td class="n">{one.trace_id ? <a href={spanLink(one.trace_id, one.span_id)}>{words.spanLink}</a> : one.query ? <a href={linkTo('/search', { q: one.query, range: 'all' })}>{words.countLink}</a> : words.countLink}</td></tr>)}</tbody></table>}
  </section>;
}

function Neighbours({ journey }: { journey: Journey }) {
  const { place, cause } = journey;
  const asked = useAsk<{ count: number; journeys: { key: string; value: string }[] }>(place && cause && isStopped(journey)
    ? linkTo('/api/v1/journeys', { state: STOPPED.join(','), place: place.kind, service: place.service ?? undefined, cause: cause.code, limit: '8' }) : undefined);
  const others = (asked.data?.journeys ?? []).filter((one) => one.value !== journey.value || one.key !== journey.key).slice(0, 7);
  const count = Math.max(0, (asked.data?.count ?? 1) - 1);
  return <section aria-labelledby="others">
    {place && cause && isStopped(journey) && <><div class="head"><h2 id="others">{count === 0 ? words.aloneHere : words.others(formatCount(count), plural(count, words.orderWord))}</h2>{count > 0 && <a class="end" href={groupLink(place, cause)}>{words.showThem}</a>}</div>
      {count > 0 && <ul class="others">{others.map((one) => <li key={one.value}><a class="ord" href={orderLink(one.key, one.value)}><Name text={one.value} /></a></li>)}</ul>}</>}
    <div class="head traces"><h2 id={place && isStopped(journey) ? undefined : 'others'}>{words.ordersTraces}</h2><a class="end" href={linkTo('/search', { q: `${journey.key}=${quoted(journey.value)}`, range: 'all' })}>{words.search}</a></div>
    <ol class="trace-list">{journey.traces.map((id, i) => <li key={id}><a class="id" href={spanLink(id)}>{id.slice(0, 16)}…</a>{i === journey.traces.length - 1 && journey.last && <span class="faint small"> {words.lastSign} {formatTime(Date.parse(journey.last))}</span>}</li>)}</ol>
    {journey.more_traces && <p class="note">{words.moreTraces}</p>}
  </section>;
}

// The same number under another key, or written otherwise: what people type from a letter or a phone call.
function alike(board: Board | undefined, orderKey: string, value: string): { key: string; value: string }[] {
  const keys = [...new Set([orderKey, ...(board?.steps ?? []).map((step) => step.key)])].slice(0, KEYS_MAX);
  const values = [...new Set([value, value.trim(), value.trim().toUpperCase(), value.trim().toLowerCase()])].filter((one) => one !== '');
  return keys.flatMap((key) => values.map((one) => ({ key, value: one }))).filter((one) => one.key !== orderKey || one.value !== value);
}

function Meant({ meant }: { meant: { key: string; value: string } }) {
  const found = useAsk<Journey>(`/api/v1/journeys/${encodeURIComponent(meant.key)}/${encodeURIComponent(meant.value)}`).data;
  if (!found) return null;
  return <p class="note meant">{words.didYouMean} <a class="ord" href={orderLink(meant.key, meant.value)}><Name text={meant.value} /></a> <span class="dim">{words.keyOf(meant.key)}</span>?</p>;
}

function NotThere({ orderKey, value }: { orderKey: string; value: string }) {
  const board = useAsk<Board>('/api/v1/board').data;
  return <section><h1 class="verdict-line"><Name text={words.noOrder(value)} /></h1>
    {board && alike(board, orderKey, value).map((one) => <Meant key={`${one.key}\n${one.value}`} meant={one} />)}
    <p class="note">{words.noOrderWhy}</p>
    <p class="note"><a href={linkTo('/search', { q: `${orderKey}=${quoted(value)}`, range: 'all' })}>{words.searchInstead}</a></p></section>;
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

export function OrderPage({ address }: { address: Address }) {
  const [key, value] = useMemo(() => address.path.split('/').slice(2).map(decoded), [address.path]) as [string, string | undefined];
  const asked = useAsk<Journey>(value ? `/api/v1/journeys/${encodeURIComponent(key)}/${encodeURIComponent(value)}` : undefined);
  useLive(asked, EVERY_MS);
  const journey = asked.data;
  if (journey) noteLabels(journey.steps);
  useEffect(() => { document.title = `${value === undefined ? words.order : visible(value.slice(0, 80))} · Filigree`; }, [value]);
  useEffect(() => { if (journey) noteAsked(journey.key, journey.value); }, [journey?.key, journey?.value]);
  useEffect(() => { if (!value && key) go(orderLink('order.id', key)); }, [key, value]);
  if (!value) return key ? null : <NoPage />;
  if (asked.refusal?.status === 404 || asked.refusal?.status === 400) return <NotThere orderKey={key} value={value} />;
  return <div class="order">
    <Said asked={asked} />
    {journey && <>
      <Verdict journey={journey} />
      <section aria-labelledby="went"><div class="head"><h2 id="went">{words.whereItWent}</h2><span class="dim"><StateMark state={journey.state} long /></span></div><Route journey={journey} /><StepStrip journey={journey} /></section>
      <When journey={journey} />
      <Queues journey={journey} />
      <div class="two even"><EvidenceTable journey={journey} /><Neighbours journey={journey} /></div>
    </>}
  </div>;
}
