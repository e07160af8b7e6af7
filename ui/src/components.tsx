// The components' page: what is up, degraded, down or can't be seen, since when, with its past; what nobody watches yet, and a form to
// change that. All of the past comes from stored spans: where there are none, nobody looked.
import { useEffect, useRef, useState } from 'preact/hooks';
import { Address, amend } from './address';
import { useAsk } from './ask';
import { EXAMPLE, MonitorForm } from './component_form';
import { ResultMark, Values } from './component_parts';
import { Strip } from './component_strip';
import { Monitor, Monitors, Place, RESULTS, Stage, inOrder, pathOf, send, sentenceOf, sinceOf, worst } from './components_model';
import { formatCount, formatDuration, formatTime } from './format';
import { Long, Name, Said } from './parts';
import { Clock, useMoment } from './refresh';
import { words } from './words';

const LIVE_MS = 5e3;

export function ComponentsPage({ address }: { address: Address }) {
  const chosen = address.params.get('monitor') ?? undefined;
  const [isFailing, setFailing] = useState(false), [form, setForm] = useState({ text: '', turn: 0 }), [said, setSaid] = useState('');
  const moment = useMoment(LIVE_MS, false, () => isFailing);
  const asked = useAsk<Monitors>('/api/v1/monitors'), stage = useAsk<Stage>('/api/v1/stage'), asking = useRef(moment);
  useEffect(() => {
    if (asking.current !== moment && !asked.isWaiting) asked.again();
    asking.current = moment;
  }, [moment]);
  useEffect(() => { document.title = `${words.components} · Filigree`; }, []);
  useEffect(() => setFailing(asked.failingSince !== undefined), [asked.failingSince]);
  const changed = (sentence: string) => { setSaid(sentence); asked.again(); stage.again(); };
  const edit = (text: string) => setForm((old) => ({ text, turn: old.turn + 1 }));
  const list = asked.data?.monitors ?? [];
  return <div class="components">
    <div class="store-head"><Verdict monitors={asked.data} /><span class="bar-end small"><Clock asked={asked} moment={moment} isFixed={false} /></span></div>
    <Said asked={asked} />
    <p class="note" role="status">{said}</p>
    {asked.data && list.length > 0 && <>
      <Table all={asked.data} chosen={chosen} now={moment} onChange={changed} onEdit={edit} />
      <p class="small faint">{words.stripLegend}</p>
    </>}
    {asked.data && list.length === 0 && <p class="dim">{words.componentsEmptyHint} <button class="as-link" onClick={() => edit(EXAMPLE)}>{words.addFirst}</button></p>}
    <section>
      <h2>{words.stageHead}</h2>
      <Said asked={stage} />
      {stage.data && <Next stage={stage.data} onWatch={edit} />}
    </section>
    <section>
      <h2>{words.addHead}</h2>
      <MonitorForm text={form.text} turn={form.turn} onSaved={(name) => changed(words.saved(name))} />
    </section>
  </div>;
}

const KINDS: Record<string, string> = { service: words.application, database: words.database, queue: words.queue, object_store: words.object_store, external: words.external };

function Verdict({ monitors }: { monitors: Monitors | undefined }) {
  if (!monitors) return <h1 class="verdict-line">{words.components}</h1>;
  const { counts } = monitors, looked = RESULTS.reduce((sum, one) => sum + counts[one], 0);
  const parts = RESULTS.filter((one) => one !== 'ok' && counts[one] > 0).map((one) => words.resultCount[one](formatCount(counts[one])));
  const unwell = monitors.monitors.filter((one) => !one.is_new && one.result !== 'ok'), only = unwell.length === 1 ? unwell[0] : undefined;
  const since = only && sinceOf(only, Date.now()), why = only && worst(only);
  const sentence = only && since && why ? words.componentsOne(only.service ?? only.name, words.resultWords[only.result], since.time, sentenceOf(why)) : monitors.monitors.length === 0 ? words.componentsEmpty : looked === 0 ? words.componentsNew
    : parts.length > 0 ? words.componentsUnwell([...parts, ...(counts.ok > 0 ? [words.resultCount.ok(formatCount(counts.ok))] : [])].join(', '))
      : looked === 1 ? words.componentsOneWell : words.componentsAllWell(formatCount(looked));
  return <div role="status"><h1 class="verdict-line">{sentence.charAt(0).toUpperCase() + sentence.slice(1)}</h1></div>;
}

function Table({ all, chosen, now, onChange, onEdit }: { all: Monitors; chosen: string | undefined; now: number; onChange: (said: string) => void; onEdit: (text: string) => void }) {
  const startMs = Date.parse(all.start), endMs = Date.parse(all.end);
  return <table class="tb2 monitors"><thead><tr><th>{words.resultHead}</th><th>{words.component}</th><th>{words.resultSince}</th><th>{words.foundHead}</th><th class="c-strip">{words.historyHead}</th></tr></thead>
    <tbody>{inOrder(all.monitors).map((one) => <>
      <Row key={one.name} monitor={one} isChosen={one.name === chosen} now={now} startMs={startMs} endMs={endMs} />
      {one.name === chosen && <tr key={`${one.name} more`} class="monitor-more"><td colSpan={5}><Details monitor={one} now={now} onChange={onChange} onEdit={onEdit} /></td></tr>}
    </>)}</tbody></table>;
}

function Row({ monitor, isChosen, now, startMs, endMs }: { monitor: Monitor; isChosen: boolean; now: number; startMs: number; endMs: number }) {
  const since = sinceOf(monitor, now), finding = worst(monitor);
  const result = monitor.is_new ? 'unknown' : monitor.result;
  const remark = monitor.is_overdue ? words.overdue : monitor.doubts > 0 && !monitor.is_new ? words.inDoubt : undefined;
  return <tr class={isChosen ? 'is-chosen' : ''}>
    <td class="c-mark"><ResultMark result={result} word={monitor.is_paused ? words.resultPaused : monitor.is_new ? words.resultNew : undefined} /></td>
    <td class="nm"><button class="as-link plain" aria-expanded={isChosen} onClick={() => amend({ monitor: isChosen ? undefined : monitor.name })}><Name text={monitor.name} /></button>
      <span class="small faint"> {monitor.kind}{monitor.service && monitor.service !== monitor.name ? <>, <Name text={monitor.service} /></> : ''}</span></td>
    <td class="c-since">{since ? <><span title={since.age}>{since.time}</span> <span class="small faint">{words.forAge(since.age)}</span></> : '·'}</td>
    <td class="c-found">{finding ? <Long text={sentenceOf(finding)} /> : ''}{monitor.findings.length > 1 && <span class="small faint"> +{formatCount(monitor.findings.length - 1)}</span>}
      {remark && <span class="small dim remark">{remark}</span>}</td>
    <td class="c-strip"><Strip history={monitor.history} startMs={startMs} endMs={endMs} /></td>
  </tr>;
}

function Details({ monitor, now, onChange, onEdit }: { monitor: Monitor; now: number; onChange: (said: string) => void; onEdit: (text: string) => void }) {
  const asked = useAsk<Monitor>(`${pathOf(monitor.name)}?limit=12`), [isBusy, setBusy] = useState(false), [wrong, setWrong] = useState<string>();
  const change = async (work: () => Promise<void>, said: string) => {
    setBusy(true);
    try { await work(); setWrong(undefined); onChange(said); asked.again(); } catch (error) { setWrong(error instanceof Error ? error.message : String(error)); }
    setBusy(false);
  };
  const one = asked.data ?? monitor;
  return <div class="monitor-details">
    <div class="monitor-acts">
      <button class="btn" disabled={isBusy} onClick={() => { void change(() => send('POST', `${pathOf(monitor.name)}/run`), ''); }}>{isBusy ? words.looking : words.lookNow}</button>
      {monitor.is_added && <>
        <button class="btn" disabled={isBusy || one.text === undefined} onClick={() => onEdit(one.text!.includes('name:') ? one.text! : `name: ${monitor.name}\n${one.text!}`)}>{words.editMonitor}</button>
        <button class="btn" disabled={isBusy} onClick={() => { void change(() => send('DELETE', pathOf(monitor.name)), words.removed(monitor.name)).then(() => amend({ monitor: undefined })); }}>{words.removeMonitor}</button></>}
      <span class="small dim">{words.everyTime(formatDuration(monitor.interval_ns))}, {monitor.is_added ? words.wasAdded : words.declared}
        {monitor.looked && <>, {words.lookedAt.toLowerCase()} {formatTime(Date.parse(monitor.looked), now)}</>}</span>
    </div>
    {wrong !== undefined && <p class="note"><span class="broken">{words.notRead}</span> <Long text={wrong} /></p>}
    {monitor.findings.length > 0 && <ul class="findings">{monitor.findings.map((finding) => <li key={finding.code}><ResultMark result={finding.result} /> <span><Long text={sentenceOf(finding)} />
      {finding.standing && <span class="small faint"> {words.standing}</span>} <span class="small faint id">{finding.code}</span></span></li>)}</ul>}
    <div class="store-columns">
      <section><h2 class="h3">{words.measured}</h2><Values values={monitor.values} /></section>
      <section><h2 class="h3">{words.lastLooks}</h2><Said asked={asked} />{asked.data && <Looks monitor={asked.data} />}</section>
    </div>
  </div>;
}

function Looks({ monitor }: { monitor: Monitor }) {
  if (!monitor.looks || monitor.looks.length === 0) return <p class="faint">{words.noLooks}</p>;
  return <table class="looks"><tbody>{monitor.looks.map((look) => <tr key={look.trace_id}>
    <td><a href={`/trace/${look.trace_id}`}>{formatTime(Date.parse(look.start))}</a></td>
    <td><ResultMark result={look.result} /></td>
    <td class="n">{formatDuration(look.took_ns)}</td>
    <td class="c-found"><Name text={look.code ? sentenceOf({ code: look.code, result: look.result, text: look.text || look.code, standing: false }) : ''} /></td></tr>)}</tbody></table>;
}

function Next({ stage, onWatch }: { stage: Stage; onWatch: (text: string) => void }) {
  const next = stage.places.slice(0, stage.next), { counts } = stage;
  return <>
    <p class="dim">{words.stageCounts(formatCount(counts.instrumented), formatCount(counts.watched), formatCount(counts.unknown))}</p>
    {next.length === 0 ? <p class="faint">{words.stageNothing}</p> : <>
      <h3>{words.nextHead}</h3>
      <ul class="next">{next.map((place) => <li key={`${place.kind} ${place.name}`}>
        <span class="next-what"><b><Name text={place.name} /></b> <span class="small faint"><Name text={place.system || (KINDS[place.kind] ?? place.kind)} /></span>
          <span class="small dim">{whyOf(place)}</span></span>
        <span class="next-act">{place.action === 'instrument' ? <span class="small">{words.actInstrument}</span> : !place.proposal && <span class="small">{words.actWatch}</span>}
          {place.proposal && <button class="btn" onClick={() => onWatch(place.proposal!.text)}>{words.addProposed}</button>}</span></li>)}</ul></>}
  </>;
}

function whyOf(place: Place): string {
  return place.calls === 0 ? words.whyNoCalls : words.whyCalls(formatCount(place.calls), formatCount(place.errors));
}
