// The front page: asks for the order, and shows what is wrong right now.
import { useEffect, useMemo, useState } from 'preact/hooks';
import { Address, go, linkTo } from './address';
import { useAsk } from './ask';
import { FirstSpan } from './first_span';
import { KeyProposalPart } from './key_proposal';
import { formatCount, formatDuration, formatTime, zone } from './format';
import { Board, Change, Group, OPEN, STATES, STOPPED, askedLately, causeText, groupLink, orderLink, placeName, sentence, sumOf, useLive } from './journeys';
import { Incident, IncidentList, incidentLink } from './incidents';
import { Name, Said } from './parts';
import { StateMark, StateShape } from './state_mark';
import { labelTold, noteLabels } from './verdict_text';
import { plural, words } from './words';

const EVERY_MS = 2000, GROUPS_SHOWN = 6, CHANGES_SHOWN = 12;
// What looks like the language of the search is no order's number.
const QUERY = /[:=<>()]|^(not|service|status)\b/i;

function Ask({ board }: { board?: Board }) {
  const [text, setText] = useState('');
  const lately = useMemo(askedLately, []);
  const key = board?.steps[0]?.key ?? 'order.id';
  const submit = (event: Event) => {
    event.preventDefault();
    const wanted = text.trim();
    if (wanted) go(QUERY.test(wanted) ? linkTo('/search', { q: wanted }) : orderLink(key, wanted));
  };
  return <form class="ask" role="search" onSubmit={submit}>
    <h1><label for="query">{words.whereIs}</label></h1>
    <div class="field"><input id="query" value={text} placeholder={words.whereHint} autocomplete="off" spellcheck={false} autoFocus
      onInput={(event) => setText(event.currentTarget.value)} /><kbd>/</kbd></div>
    {lately.length > 0 && <p>{words.ordersLately} {lately.map((one) => <a key={one.key + one.value} href={orderLink(one.key, one.value)}><Name text={one.value} /></a>)}</p>}
  </form>;
}

function incidentOf(group: Group, list: Incident[] | undefined): Incident | undefined {
  return list?.find((one) => one.place?.kind === group.place.kind && one.place.service === group.place.service && one.cause?.code === group.cause.code);
}

function GroupRow({ group, now, incident }: { group: Group; now: number; incident?: Incident }) {
  const state = STOPPED.find((one) => group.states[one] > 0) ?? 'late';
  const since = group.since ? Date.parse(group.since) : now;
  return <article class="inc">
    <div class={`cnt is-${state}`}>{formatCount(group.count)}<span>{plural(group.count, words.orderWord)}</span></div>
    <div class="txt"><h3><a href={groupLink(group.place, group.cause)}><Name text={sentence(group.cause.text ?? causeText(group.cause))} /></a></h3>
      <p class="meta"><span class={`st is-${state}`}><StateShape state={state} /><Name text={placeName(group.place)} /></span> · {words.places[group.place.kind]} · {causeText(group.cause)}</p>
      {incident && <p class="meta small"><a href={incidentLink(incident.id)}>{words.incident} {incident.id}</a> · {incident.acknowledged_by ? <>{words.lookedAfterBy}: <Name text={incident.acknowledged_by} /></> : words.nobodyYet}</p>}</div>
    <div class="since"><b>{words.sinceWord} <span title={zone}>{formatTime(since)}</span></b> <span class="faint nw">{formatDuration(Math.max(0, now - since) * 1e6)}</span>
      <br /><span class="small"><a class="ord" href={orderLink(group.key, group.value)}><Name text={group.value} /></a></span></div>
  </article>;
}

function ChangeRow({ change }: { change: Change }) {
  const what = change.cause && change.cause.code !== 'waiting' ? `${causeText(change.cause)} · ${placeName(change.place)}` : change.state === 'done' || change.state === 'cancelled' ? change.last_step : change.expected_step, own = what && labelTold(what);
  return <tr><td class="faint nw">{formatTime(Date.parse(change.at))}</td>
    <td class="ord"><a href={orderLink(change.key, change.value)}><Name text={change.value} /></a></td>
    <td><StateMark state={change.state} /><br /><span class="what small">{own ? <Name text={own} /> : '·'}</span></td></tr>;
}

export function FrontPage({ address: _ }: { address: Address }) {
  const asked = useAsk<Board>('/api/v1/board');
  useLive(asked, EVERY_MS);
  const open = useAsk<IncidentList>('/api/v1/incidents?state=open&limit=300');
  useLive(open, EVERY_MS);
  const spans = useAsk<{ traces: unknown[] }>(asked.data && sumOf(asked.data.states, STATES) === 0 ? '/api/v1/traces?limit=1' : undefined);
  useLive(spans, EVERY_MS);
  useEffect(() => { document.title = `${words.whereIs} · Filigree`; }, []);
  const board = asked.data;
  noteLabels(board?.steps ?? []);
  const known = board ? sumOf(board.states, STATES) : 0;
  if (board && known === 0 && spans.data?.traces.length === 0) return <><Said asked={asked} /><FirstSpan /></>;
  const now = board ? Date.parse(board.now) : Date.now();
  const stopped = board ? sumOf(board.states, STOPPED) : 0;
  return <div class="front">
    <Ask board={board} />
    <Said asked={asked} />
    {board && known === 0 && !board.rebuilding && <><section><h2>{words.noOrders}</h2><p class="note">{words.noOrdersWhy}</p></section><KeyProposalPart /></>}
    {board && known > 0 && <>
      <nav class="counts" aria-label={words.ordersByState}>{STATES.map((state) =>
        <a key={state} href={linkTo('/board', { state })}><span class={`st is-${state}`}><StateShape state={state} />{words.states[state]}</span><b>{formatCount(board.states[state])}</b></a>)}</nav>
      {board.rebuilding && <p class="note">{words.rebuilding}</p>}
      {board.full && <p class="note">{words.full}</p>}
      <div class="two">
        <section aria-labelledby="wrong"><div class="head"><h2 id="wrong">{words.wrongNow}</h2>
          {stopped > 0 && <span class="dim">{words.stops(formatCount(board.groups.length), plural(board.groups.length, words.causeWord), formatCount(stopped), formatCount(sumOf(board.states, OPEN)))}</span>}
          {stopped > 0 && <a class="end" href={linkTo('/board', { state: STOPPED.join(',') })}>{words.allStopped}</a>}</div>
          {board.groups.slice(0, GROUPS_SHOWN).map((group) => <GroupRow key={`${group.place.kind} ${group.place.service} ${group.place.name} ${group.cause.code}`} group={group} now={now} incident={incidentOf(group, open.data?.incidents)} />)}
          {stopped === 0 && <p class="note">{words.nothingWrong}</p>}
        </section>
        <section aria-labelledby="changed"><div class="head"><h2 id="changed">{words.changedNow}</h2><a class="end" href="/board">{words.board}</a></div>
          {board.changes.length === 0 ? <p class="note">{words.nothingChanged}</p> : <table class="chl"><tbody>
            {board.changes.slice(-CHANGES_SHOWN).reverse().map((change) => <ChangeRow key={change.sequence} change={change} />)}</tbody></table>}
        </section>
      </div>
    </>}
  </div>;
}
