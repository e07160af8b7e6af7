// All incidents: those that are open, and those that are over.
import { useEffect } from 'preact/hooks';
import { Address, amend } from './address';
import { useAsk } from './ask';
import { formatCount, formatDuration, formatTime, zone } from './format';
import { Incident, IncidentList, incidentLink, incidentTitle, stateWord } from './incidents';
import { Board, causeText, placeName, useLive } from './journeys';
import { Name, Said } from './parts';
import { StateShape } from './state_mark';
import { noteLabels } from './verdict_text';
import { plural, words } from './words';

const EVERY_MS = 3000, PAGE = 50, LIMIT_MAX = 10000;

function OpenRow({ one, now }: { one: Incident; now: number }) {
  const opened = Date.parse(one.opened), state = one.state === 'open' ? 'broken' : 'late';
  return <article class="inc">
    <div class={`cnt is-${state}`}>{formatCount(one.order_count)}<span>{plural(one.order_count, words.orderWord)}</span></div>
    <div class="txt"><h3><a href={incidentLink(one.id)}><Name text={incidentTitle(one)} /></a></h3>
      <p class="meta"><span class={`st is-${state}`}><StateShape state={state} />{stateWord(one.state)}</span> · <Name text={placeName(one.place)} />{one.place && <> · {words.places[one.place.kind]}</>}{one.cause && <> · {causeText(one.cause)}</>}</p>
      <p class="meta small">{one.owner && <>{words.owner}: <Name text={one.owner} /> · </>}{one.acknowledged_by ? <>{words.lookedAfterBy}: <Name text={one.acknowledged_by} /></> : words.nobodyYet}
        {' · '}{one.standing_count > 0 ? words.stillStand(formatCount(one.standing_count)) : words.allGoOn}</p></div>
    <div class="since"><b>{words.sinceWord} <span title={zone}>{formatTime(opened, now)}</span></b> <span class="faint nw">{formatDuration(Math.max(0, now - opened) * 1e6)}</span></div>
  </article>;
}

function OverRow({ one, now }: { one: Incident; now: number }) {
  return <tr>
    <td class="n">{one.id}</td>
    <td class="why"><a href={incidentLink(one.id)}><Name text={incidentTitle(one)} /></a><span class="dim small"> · <Name text={placeName(one.place)} />{one.imported && <> · {words.importedOne}</>}{one.merged_into && <> · {words.goesWith(one.merged_into)}</>}</span></td>
    <td class="opt nw" title={zone}>{formatTime(Date.parse(one.opened), now)}</td>
    <td class="opt nw" title={zone}>{one.resolved ? formatTime(Date.parse(one.resolved), now) : '·'}</td>
    <td class="n">{formatDuration(Number(one.open_ns))}</td>
    <td class="n">{formatCount(one.order_count)}</td>
    <td class="n opt">{one.reopened_count > 0 ? formatCount(one.reopened_count) : <span class="faint">·</span>}</td>
    <td class="opt">{one.resolved_by ? <Name text={one.resolved_by} /> : <span class="faint">{one.imported || one.merged_into ? '·' : words.byItself}</span>}</td></tr>;
}

export function IncidentsPage({ address }: { address: Address }) {
  const limit = Math.min(LIMIT_MAX, Math.max(PAGE, Number(address.params.get('limit')) || PAGE));
  const open = useAsk<IncidentList>('/api/v1/incidents?state=open&limit=300');
  noteLabels(useAsk<Board>('/api/v1/board').data?.steps ?? []);
  const over = useAsk<IncidentList>(`/api/v1/incidents?state=resolved&limit=${limit}`);
  useLive(open, EVERY_MS);
  useLive(over, EVERY_MS * 3);
  useEffect(() => { document.title = `${words.incidents} · Filigree`; }, []);
  const now = open.data ? Date.parse(open.data.now) : Date.now();
  return <div class="incidents board">
    <h1 class="vh">{words.incidents}</h1>
    <section aria-labelledby="open"><div class="head"><h2 id="open">{words.openNow}</h2>{open.data && open.data.count > 0 && <span class="dim">{formatCount(open.data.count)} {plural(open.data.count, words.incidentWord)}</span>}</div>
      <Said asked={open} />
      {open.data?.incidents.map((one) => <OpenRow key={one.id} one={one} now={now} />)}
      {open.data?.count === 0 && <p class="note">{words.noneOpen}</p>}
    </section>
    <section aria-labelledby="over"><div class="head"><h2 id="over">{words.overOnes}</h2>{over.data && over.data.count > 0 && <span class="dim">{words.shownOf(formatCount(over.data.incidents.length), formatCount(over.data.count))}</span>}</div>
      <Said asked={over} />
      {over.data?.count === 0 && <p class="note">{words.noneOver}</p>}
      {over.data && over.data.count > 0 && <table class="orders over"><thead><tr><th class="n">№</th><th>{words.why}</th><th class="opt">{words.sinceHead}</th><th class="opt">{words.endHead}</th><th class="n">{words.wasOpen}</th><th class="n">{words.ordersHead}</th><th class="n opt">{words.cameBack}</th><th class="opt">{words.whoHead}</th></tr></thead>
        <tbody>{over.data.incidents.map((one) => <OverRow key={one.id} one={one} now={now} />)}</tbody></table>}
      {over.data && over.data.incidents.length < over.data.count && <p class="note"><button class="btn" onClick={() => amend({ limit: String(Math.min(LIMIT_MAX, limit * 3)) })}>{words.more}</button></p>}
      <p class="vh" aria-live="polite">{open.data ? `${formatCount(open.data.count)} ${plural(open.data.count, words.incidentWord)}` : ''}</p>
    </section>
  </div>;
}
