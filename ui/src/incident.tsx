// One incident: what stopped where, who looks after it, what happened to it, and its orders.
import { useEffect, useState } from 'preact/hooks';
import { Address } from './address';
import { useAsk } from './ask';
import { CommonPart } from './common';
import { formatCount, formatDuration, formatTime, zone } from './format';
import { WholeIncident, act, incidentLink, incidentTitle, isOpen, keepName, ownName, stateWord } from './incidents';
import { Board, causeText, groupLink, orderLink, placeName, useLive } from './journeys';
import { Long, Name, Said } from './parts';
import { StateShape } from './state_mark';
import { noteLabels, told } from './verdict_text';
import { plural, words } from './words';

const EVERY_MS = 2000, ORDERS_SHOWN = 60;

function Deeds({ one, again }: { one: WholeIncident; again: () => void }) {
  const [by, setBy] = useState(ownName), [text, setText] = useState(''), [trouble, setTrouble] = useState(''), [isBusy, setBusy] = useState(false);
  const run = async (deed: 'acknowledge' | 'resolve' | 'note') => {
    if (!by.trim()) { setTrouble(words.nameFirst); document.getElementById('by')?.focus(); return; }
    if (deed === 'note' && !text.trim()) { setTrouble(words.noteFirst); document.getElementById('note')?.focus(); return; }
    setBusy(true);
    setTrouble('');
    keepName(by.trim());
    try {
      await act(one.id, deed, by.trim(), text.trim());
      setText('');
      again();
    } catch (error) {
      setTrouble(`${words.deedFailed} ${error instanceof Error ? error.message : String(error)}`);
    }
    setBusy(false);
  };
  const open = isOpen(one);
  return <section class="todo deeds" aria-labelledby="do"><h2 id="do">{words.whatToDo}</h2>
    <p><label class="small dim" for="by">{words.yourName}</label><span class="field"><input id="by" value={by} maxLength={60} autocomplete="name" onInput={(event) => setBy(event.currentTarget.value)} /></span></p>
    <p><label class="small dim" for="note">{words.noteText}</label><span class="field"><input id="note" value={text} maxLength={600} autocomplete="off" onInput={(event) => setText(event.currentTarget.value)}
      onKeyDown={(event) => { if (event.key === 'Enter') void run('note'); }} /></span></p>
    <div class="acts">
      {open && !one.acknowledged && <button class="btn main" disabled={isBusy} onClick={() => void run('acknowledge')}>{words.acknowledge}</button>}
      {open && <button class={`btn${one.acknowledged ? ' main' : ''}`} disabled={isBusy} onClick={() => void run('resolve')}>{words.resolveIt}</button>}
      <button class="btn" disabled={isBusy} onClick={() => void run('note')}>{words.addNote}</button>
    </div>
    <p class="small late-text" role="status">{trouble}</p>
    {open && one.standing_count > 0 && <p class="small dim">{words.resolveSays}</p>}
  </section>;
}

function Timeline({ one, now }: { one: WholeIncident; now: number }) {
  return <section aria-labelledby="timeline"><div class="head"><h2 id="timeline">{words.timeline}</h2></div>
    <table class="chl events"><tbody>{[...one.timeline].reverse().map((event, at) => <tr key={`${event.at}${at}`}>
      <td class="faint nw" title={zone}>{formatTime(Date.parse(event.at), now)}</td>
      <td><b>{words.eventWords[event.what] ?? event.what}</b>{event.by && <> · <Name text={event.by} /></>}{event.what === 'resolved' && !event.by && !one.imported && <span class="dim"> · {words.byItself}</span>}
        {event.text && <><br /><span class="what small"><Long text={event.by ? event.text : told(event.text)} /></span></>}</td></tr>)}</tbody></table>
  </section>;
}

function Orders({ one, now }: { one: WholeIncident; now: number }) {
  const [all, setAll] = useState(false);
  const sorted = [...one.orders].sort((a, b) => Number(b.stands) - Number(a.stands)), shown = all ? sorted : sorted.slice(0, ORDERS_SHOWN);
  return <section aria-labelledby="orders"><div class="head"><h2 id="orders">{words.affected}</h2><span class="dim">{formatCount(one.order_count)}{isOpen(one) && <>, {one.standing_count > 0 ? words.stillStand(formatCount(one.standing_count)) : words.allGoOn}</>}</span>
    {one.place && one.cause && one.standing_count > 0 && <a class="end" href={groupLink(one.place, one.cause)}>{words.theirOrders}</a>}</div>
    {shown.length === 0 ? <p class="note">{words.noneListed}</p> : <table class="orders affected"><thead><tr><th>{words.order}</th><th>{words.stateHead}</th><th>{words.sinceHead}</th></tr></thead>
      <tbody>{shown.map((order) => <tr key={`${order.key}\n${order.value}`}>
        <td class="ord"><a href={order.key ? orderLink(order.key, order.value) : `/order/${encodeURIComponent(order.value)}`}><Name text={order.value} /></a></td>
        <td>{order.stands ? <span class="st is-stuck"><StateShape state="stuck" /><span class="w">{words.stands}</span></span> : <span class="st is-flowing"><StateShape state="flowing" /><span class="w">{words.goesOn}</span></span>}</td>
        <td class="nw" title={zone}>{order.since && !one.imported ? formatTime(Date.parse(order.since), now) : '·'}</td></tr>)}</tbody></table>}
    {sorted.length > shown.length && <p class="note"><button class="btn" onClick={() => setAll(true)}>{words.showAll}, {formatCount(sorted.length)}</button></p>}
    {one.order_count > one.orders.length && one.orders.length > 0 && <p class="note">{words.moreAffected(formatCount(one.order_count - one.orders.length))}</p>}
  </section>;
}

export function IncidentPage({ address }: { address: Address }) {
  const id = decodeURIComponent(address.path.slice('/incidents/'.length));
  const asked = useAsk<WholeIncident>(`/api/v1/incidents/${encodeURIComponent(id)}`);
  useLive(asked, EVERY_MS);
  useEffect(() => { document.title = `${words.incident} ${id} · Filigree`; }, [id]);
  const one = asked.data, steps = useAsk<Board>(one ? '/api/v1/board' : undefined).data?.steps;
  noteLabels(steps ?? []);
  if (asked.refusal?.status === 404) return <><h1 class="no-page">{words.noIncident(id)}</h1><p><a href="/incidents">{words.allIncidents}</a></p></>;
  if (!one) return <Said asked={asked} />;
  const now = Date.parse(one.now), opened = Date.parse(one.opened), open = isOpen(one), tone = one.state === 'open' ? 'broken' : one.state === 'acknowledged' ? 'late' : 'done';
  return <div class="order incident">
    <div class={`verdict wash-${tone}`}>
      <p class="sum"><span class="ord">{words.incident} {one.id}</span><span class={`st is-${tone}`}><StateShape state={tone} />{stateWord(one.state)}</span>{one.imported && <span class="dim">{words.importedOne}</span>}{one.merged_into && <a href={incidentLink(one.merged_into)}>{words.goesWith(one.merged_into)}</a>}</p>
      <div class="cols"><div>
        <h1><StateShape state={tone} /><span><Name text={incidentTitle(one)} /></span></h1>
        <dl class="facts">
          <div><dt>{words.place}</dt><dd><Name text={placeName(one.place)} />{one.place && <small>{words.places[one.place.kind]}{one.place.name && one.place.name !== one.place.service && <> · <Name text={one.place.name} /></>}</small>}</dd></div>
          {one.cause && <div><dt>{words.cause}</dt><dd>{causeText(one.cause)}</dd></div>}
          <div><dt>{words.sinceHead}</dt><dd><span title={zone}>{formatTime(opened, now)}</span>{one.resolved && <small>{words.endHead}: {formatTime(Date.parse(one.resolved), now)}</small>}</dd></div>
          <div><dt>{open ? words.incidentOpenFor : words.wasOpen}</dt><dd>{formatDuration(Number(one.open_ns))}{one.reopened_count > 0 && <small>{words.cameBack}: {words.times(formatCount(one.reopened_count), plural(one.reopened_count, words.timeWord))}</small>}</dd></div>
          <div><dt>{words.affected}</dt><dd>{formatCount(one.order_count)}{open && <small>{one.standing_count > 0 ? words.stillStand(formatCount(one.standing_count)) : words.allGoOn}</small>}</dd></div>
          <div><dt>{words.owner}</dt><dd>{one.owner ? <Name text={one.owner} /> : <span class="dim">{words.noOwner}</span>}</dd></div>
          {open && <div><dt>{words.lookedAfterBy}</dt><dd>{one.acknowledged_by ? <Name text={one.acknowledged_by} /> : <span class="dim">{words.nobodyYet}</span>}</dd></div>}
          {one.resolved_by && <div><dt>{words.whoHead}</dt><dd><Name text={one.resolved_by} /></dd></div>}
        </dl></div>
        <Deeds one={one} again={asked.again} />
      </div>
    </div>
    <Said asked={asked} />
    {open && one.place && one.cause && one.standing_count > 0 && <CommonPart filter={{ place: one.place.kind, service: one.place.service ?? undefined, cause: one.cause.code }} />}
    <div class="two even"><Orders one={one} now={now} /><Timeline one={one} now={now} /></div>
  </div>;
}
