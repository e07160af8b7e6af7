// Traces as dots by when they began and how long they took, in the colour of their root's service. A cross: something failed.
import { useMemo, useState } from 'preact/hooks';
import { go } from './address';
import { Box, Chart, Plane, Stop } from './chart';
import { formatCount, formatDuration, formatTime } from './format';
import { spanText } from './search_time';
import { slotOf } from './slots';
import { Summary, startMs } from './traces';
import { Cross, Name, Swatch, visible } from './parts';
import { plural, words } from './words';

const NAME_MAX = 80;

function textOf(one: Summary): string {
  const name = visible(one.root_name.slice(0, NAME_MAX)), service = visible(one.root_service.slice(0, NAME_MAX));
  const errors = one.error_count > 0 ? ` · ${formatCount(one.error_count)} ${plural(one.error_count, words.errorWord)}` : '';
  return `${formatTime(startMs(one))} · ${formatDuration(Number(one.duration_ns))} · \u2068${name}\u2069 · \u2068${service}\u2069${errors}`;
}

interface Props { rows: Summary[]; window: { startMs?: number; endMs?: number }; isCut: boolean; onBox: (box: Box) => void; onRead: (text: string) => void }

export function Dots({ rows, window: times, isCut, onBox, onRead }: Props) {
  const [isTable, setTable] = useState(false);
  const points = useMemo(() => rows.map((one) => ({ one, ms: startMs(one), ns: Math.max(1, Number(one.duration_ns)) })).sort((a, b) => a.ms - b.ms || a.ns - b.ns), [rows]);
  if (points.length === 0) return <p class="chart-room dim">{words.heatEmpty}</p>;
  const oldest = points[0]!.ms, newest = points[points.length - 1]!.ms;
  // Where older ones are not there, the picture begins with the oldest that is.
  const from = times.startMs === undefined || isCut ? oldest : Math.min(times.startMs, oldest), to = Math.max(times.endMs ?? newest, newest);
  const pad = Math.max(1, (to - from) * 0.01), startAt = from - pad, endAt = to + pad;
  let minNs = Math.min(...points.map(({ ns }) => ns)) * 0.8, maxNs = Math.max(...points.map(({ ns }) => ns)) * 1.25;
  if (maxNs / minNs < 10) { const middle = Math.sqrt(maxNs * minNs); minNs = middle / 4; maxNs = middle * 4; }
  const failed = points.filter(({ one }) => one.error_count > 0).length;
  const name = words.dotsSaid(formatCount(points.length), plural(points.length, words.traceWord), spanText(oldest, newest), formatDuration(minNs), formatDuration(maxNs), formatCount(failed));
  const radius = points.length > 300 ? 3 : 4;
  const draw = (plane: Plane) => points.map(({ one, ms, ns }) => {
    const x = plane.x(ms), y = plane.y(ns);
    return <g key={one.trace_id} class={`s${slotOf(one.root_service)}`}>
      <circle class={`dot${one.open_count > 0 ? ' dot-open' : ''}${one.error_count > 0 ? ' dot-under' : ''}`} cx={x} cy={y} r={radius} />
      {one.error_count > 0 && <path class="dot-bad" d={`M${x - 4} ${y - 4}l8 8m0 -8l-8 8`} />}</g>;
  });
  return <>
    <Chart name={name} startMs={startAt} endMs={endAt} minNs={minNs} maxNs={maxNs} onBox={onBox} onRead={onRead} draw={draw}
      stops={(plane) => points.map(({ one, ms, ns }): Stop => ({ ms, ns, x: plane.x(ms), y: plane.y(ns), w: 2 * radius, h: 2 * radius, text: textOf(one),
        enter: () => go(`/trace/${one.trace_id}`) }))} />
    <p class="chart-key small faint"><span>{words.dotsKey}</span>
      <span class="nw"><svg class="g" viewBox="0 0 14 14" aria-hidden="true"><path class="dot-bad" d="M3 3l8 8m0 -8l-8 8" /></svg> {words.withErrors}</span>
      <button class="as-link" aria-expanded={isTable} onClick={() => setTable(!isTable)}>{words.asTable}</button></p>
    {isTable && <div class="figures" tabIndex={0} role="region" aria-label={words.asTable}>
      <table><thead><tr><th>{words.when}</th><th>{words.trace}</th><th class="n">{words.errorsHead}</th><th class="n">{words.duration}</th></tr></thead>
        <tbody>{[...points].reverse().map(({ one, ms }) => <tr key={one.trace_id}>
          <td class="nw">{formatTime(ms)}</td>
          <td><Swatch service={one.root_service} /><a href={`/trace/${one.trace_id}`}><Name text={one.root_name} /></a> <span class="faint small"><Name text={one.root_service} /></span></td>
          <td class="n">{one.error_count > 0 ? <span class="st broken"><Cross />{formatCount(one.error_count)}</span> : <span class="faint">0</span>}</td>
          <td class="n">{formatDuration(Number(one.duration_ns))}</td></tr>)}</tbody></table>
    </div>}
  </>;
}
