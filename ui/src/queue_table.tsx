// What queues did with messages: sent, waiting, taken well, delivered again, refused, given back, and the time in them.
import { formatCount, formatDuration } from './format';
import { Name } from './parts';
import { words } from './words';

export interface Messages {
  published: number; waiting: number | null; consumed: number; redelivered: number; rejected: number; returned: number; waiting_since: string | null;
}
export interface QueueRow { name: string; href?: string; messages: Messages; waited: readonly number[] }

// A queue may be known by other calls alone.
export function hasMessages({ published, consumed, redelivered, rejected, returned }: Messages): boolean {
  return published + consumed + redelivered + rejected + returned > 0;
}

// In one line, for who points at a queue or has it read.
export function messagesSaid(messages: Messages): string {
  return columnsOf(messages).map(({ head, shown }) => `${head.toLowerCase()}: ${shown}`).join(', ');
}

function columnsOf(messages: Messages): { head: string; shown: string; tone?: string }[] {
  const { published, waiting, consumed, redelivered, rejected, returned } = messages, count = (n: number) => formatCount(n);
  return [
    { head: words.qPublished, shown: count(published) },
    { head: words.qWaiting, shown: waiting === null ? words.qUnknown : count(waiting), tone: waiting ? 'late' : undefined },
    { head: words.qConsumed, shown: count(consumed) },
    { head: words.qRedelivered, shown: count(redelivered), tone: redelivered > 0 ? 'late' : undefined },
    { head: words.qRejected, shown: count(rejected), tone: rejected > 0 ? 'broken' : undefined },
    { head: words.qReturned, shown: count(returned), tone: returned > 0 ? 'broken' : undefined },
  ];
}

const NOTHING: Messages = { published: 0, waiting: 0, consumed: 0, redelivered: 0, rejected: 0, returned: 0, waiting_since: null };

// times: what the columns of the time in the queue are called; a row's waited has as many, 0 where it is not known.
export function QueueTable({ rows, times, label }: { rows: readonly QueueRow[]; times: readonly string[]; label: string }) {
  return <div class="queue-scroll"><table class="tb2 queues" aria-label={label}><thead><tr><th>{words.qName}</th>
    {columnsOf(NOTHING).map(({ head }) => <th class="n" key={head}>{head}</th>)}{times.map((one) => <th class="n" key={one}>{one}</th>)}</tr></thead>
  <tbody>{rows.map(({ name, href, messages, waited }) => <tr key={name}>
    <td class="nm">{href ? <a href={href}><Name text={name} /></a> : <Name text={name} />}</td>
    {columnsOf(messages).map(({ head, shown, tone }) => <td class={`n ${tone ?? ''}`} key={head} data-head={head}>{shown === formatCount(0) ? <span class="zero">{shown}</span> : shown}
      {head === words.qWaiting && messages.waiting_since && <span class="usual">{formatDuration(Math.max(0, Date.now() - Date.parse(messages.waiting_since)) * 1e6)}</span>}</td>)}
    {waited.map((ns, i) => <td class="n" key={times[i]} data-head={times[i]}>{ns > 0 ? formatDuration(ns) : '·'}</td>)}
  </tr>)}</tbody></table></div>;
}
