// The board: all open orders by step and state, filtered and exported.
import { useEffect, useState } from 'preact/hooks';
import { Address, amend, linkTo } from './address';
import { ask, useAsk } from './ask';
import { CommonPart } from './common';
import { formatCount, formatDuration, formatTime, zone } from './format';
import { Board, List, OPEN, Row, STATES, STOPPED, State, causeText, orderLink, placeName, sumOf, useLive } from './journeys';
import { Name, Said, Swatch, oneLine } from './parts';
import { StateMark, StateShape } from './state_mark';
import { humanOf, labelOf, noteLabels, told } from './verdict_text';
import { plural, words } from './words';

const EVERY_MS = 3000, PAGE = 100, LIMIT_MAX = 10000;

function statesOf(text: string | null): State[] {
  const wanted = (text ?? '').split(',');
  const states = STATES.filter((one) => wanted.includes(one));
  return states.length ? states : [...OPEN];
}

function Matrix({ board }: { board: Board }) {
  const now = Date.parse(board.now), shown = board.steps.filter((step) => sumOf(step.states, OPEN) > 0);
  if (shown.length === 0) return null;
  return <section aria-labelledby="matrix"><div class="head"><h2 id="matrix">{words.byStep}</h2></div>
    <div class="scroll"><table class="matrix"><thead><tr><th>{words.atStep}</th>
      {OPEN.map((state) => <th class="n" key={state}><span class={`st is-${state}`}><StateShape state={state} /><span class="word">{words.inState[state]}</span></span></th>)}<th class="n">{words.longestHere}</th></tr></thead>
    <tbody>{shown.map((step) => <tr key={step.flow + step.name}>
      <th scope="row" class="row-head">{step.service && <Swatch service={step.service} />}<Name text={labelOf(step)} /> <span class="faint small nw">{step.human ? humanOf(step) : step.service}</span></th>
      {OPEN.map((state) => <td key={state} class={`n${step.states[state] > 0 && STOPPED.includes(state) ? ` hot-${state}` : ''}`}>
        {step.states[state] > 0 ? <a href={linkTo('/board', { state, step: step.name })}>{formatCount(step.states[state])}</a> : <span class="faint">·</span>}</td>)}
      <td class="n faint">{step.since ? formatDuration(Math.max(0, now - Date.parse(step.since)) * 1e6) : '·'}</td></tr>)}
    <tr><th scope="row" class="row-head"><b>{words.allOpen}, {formatCount(sumOf(board.states, OPEN))}</b></th>{OPEN.map((state) => <td class="n" key={state}><b>{formatCount(board.states[state])}</b></td>)}<td /></tr>
    </tbody></table></div>
  </section>;
}

function csvOf(rows: Row[]): string {
  const quote = (text: string | number | null | undefined) => {
    const plain = String(text ?? '');
    const safe = /^[=+\-@\t\r]/.test(plain) ? `'${plain}` : plain; // no formula for a spreadsheet
    return /[",\n\r]/.test(safe) ? `"${safe.replace(/"/g, '""')}"` : safe;
  };
  const head = ['key', 'order', 'state', 'since', 'place', 'service', 'name', 'cause', 'text', 'last_step', 'expected_step', 'deadline', 'first', 'last'];
  const lines = rows.map((row) => [row.key, row.value, row.state, row.since, row.place?.kind, row.place?.service, row.place?.name, row.cause?.code, row.cause?.text,
    row.last_step, row.expected_step, row.deadline, row.first, row.last].map(quote).join(','));
  return [head.join(','), ...lines].join('\r\n') + '\r\n';
}

function exportCsv(rows: Row[]): void {
  const link = document.createElement('a');
  link.href = URL.createObjectURL(new Blob([csvOf(rows)], { type: 'text/csv' }));
  link.download = 'orders.csv';
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}

// All that fit, not only those that are shown.
function Export({ path }: { path: string }) {
  const [said, setSaid] = useState('');
  const run = async () => {
    setSaid(words.exporting);
    try {
      exportCsv((await ask<List>(path)).journeys);
      setSaid('');
    } catch (error) {
      setSaid(`${words.exportFailed} ${error instanceof Error ? error.message : String(error)}`);
    }
  };
  return <span class="end"><span class="dim" role="status">{said}</span> <button class="btn" onClick={() => void run()}>{words.exportCsv}</button></span>;
}

function OrderRow({ row, now, labels }: { row: Row; now: number; labels: Map<string, string> }) {
  const step = row.expected_step ?? row.last_step;
  const since = row.since ? Date.parse(row.since) : now, past = row.deadline ? now - Date.parse(row.deadline) : -1;
  return <tr>
    <td class="ord"><a href={orderLink(row.key, row.value)}><Name text={row.value} /></a></td>
    <td><StateMark state={row.state} /></td>
    <td class="opt">{step ? <Name text={labels.get(`${row.flow} ${step}`) ?? step} /> : '·'}</td>
    <td class="why">{row.cause ? <><span class="dim"><Name text={placeName(row.place)} /></span> · <span class="narrow">{causeText(row.cause)}</span><span class="wide"><Name text={row.state === 'waiting' ? causeText(row.cause) : told(row.cause.text ?? causeText(row.cause))} /></span></> : <span class="faint">·</span>}</td>
    <td class="opt nw" title={zone}>{formatTime(since)}</td>
    <td class="n">{formatDuration(Math.max(0, now - since) * 1e6)}</td>
    <td class="n opt">{past > 0 && row.state !== 'done' && row.state !== 'cancelled' ? formatDuration(past * 1e6) : <span class="faint">·</span>}</td></tr>;
}

export function BoardPage({ address }: { address: Address }) {
  const { params } = address;
  const states = statesOf(params.get('state'));
  const limit = Math.min(LIMIT_MAX, Math.max(PAGE, Number(params.get('limit')) || PAGE));
  const filter = { place: params.get('place') ?? undefined, service: params.get('service') ?? undefined, cause: params.get('cause') ?? undefined, step: params.get('step') ?? undefined };
  const board = useAsk<Board>('/api/v1/board');
  const asked = useAsk<List>(linkTo('/api/v1/journeys', { ...filter, state: states.join(','), limit: String(limit) }));
  useLive(board, EVERY_MS);
  useLive(asked, EVERY_MS);
  useEffect(() => { document.title = `${words.board} · Filigree`; }, []);
  const now = board.data ? Date.parse(board.data.now) : Date.now(), stepAsked = board.data?.steps.find((one) => one.name === filter.step);
  noteLabels(board.data?.steps ?? []);
  const labels = new Map(board.data?.steps.map((one) => [`${one.flow} ${one.name}`, labelOf(one)]));
  const rows = asked.data?.journeys ?? [], count = asked.data?.count ?? 0;
  const chips = ([['step', stepAsked ? labelOf(stepAsked) : filter.step], ['place', filter.place && words.places[filter.place]], ['service', filter.service], ['cause', filter.cause && causeText({ code: filter.cause, text: null })]] as const).filter(([, text]) => text);
  const choose = (wanted?: string) => amend({ state: wanted, limit: undefined });
  const isOpen = states.length === OPEN.length && OPEN.every((one) => states.includes(one)), isStopped = states.length === STOPPED.length && STOPPED.every((one) => states.includes(one));
  return <div class="board">
    <h1 class="vh">{words.board}</h1>
    <div class="ranges" role="group" aria-label={words.ordersByState}>
      <button class="btn" aria-pressed={isOpen} onClick={() => choose()}>{words.allStates}</button>
      <button class="btn" aria-pressed={isStopped} onClick={() => choose(STOPPED.join(','))}>{words.stopped}</button>
      {STATES.map((state) => <button class="btn" key={state} aria-pressed={states.length === 1 && states[0] === state} onClick={() => choose(state)}><span class={`st is-${state}`}><StateShape state={state} /></span>{words.inState[state]}</button>)}
    </div>
    <Said asked={board} />
    {board.data && <Matrix board={board.data} />}
    {STOPPED.some((one) => states.includes(one)) && <CommonPart filter={{ ...filter, state: STOPPED.filter((one) => states.includes(one)).join(',') }} />}
    <section aria-labelledby="orders"><div class="head"><h2 id="orders">{words.list}</h2>
      {asked.data && <span class="dim">{words.shownOf(formatCount(rows.length), formatCount(count))}</span>}
      {chips.map(([name, text]) => <button class="btn chip" key={name} aria-label={`${words.clearFilter}: ${oneLine(text ?? '')}`} onClick={() => amend({ [name]: undefined })}><Name text={text ?? ''} /> ×</button>)}
      {rows.length > 0 && <Export path={linkTo('/api/v1/journeys', { ...filter, state: states.join(','), limit: String(LIMIT_MAX) })} />}</div>
      <Said asked={asked} />
      {asked.data && rows.length === 0 && <p class="note">{words.noneFits}</p>}
      {rows.length > 0 && <table class="orders"><thead><tr><th>{words.order}</th><th>{words.stateHead}</th><th class="opt">{words.atStep}</th><th>{words.why}</th><th class="opt">{words.sinceHead}</th><th class="n">{words.forHow}</th><th class="n opt">{words.pastDeadline}</th></tr></thead>
        <tbody>{rows.map((row) => <OrderRow key={row.key + '\n' + row.value} row={row} now={now} labels={labels} />)}</tbody></table>}
      {rows.length < count && limit < LIMIT_MAX && <p class="note"><button class="btn" onClick={() => amend({ limit: String(Math.min(LIMIT_MAX, limit * 3)) })}>{words.moreOrders}</button></p>}
      <p class="vh" aria-live="polite">{asked.data ? `${formatCount(count)} ${plural(count, words.orderWord)}` : ''}</p>
    </section>
  </div>;
}
