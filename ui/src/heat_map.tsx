// Spans counted by time and duration: any number of them. The darker a cell, the more; a red line under it: some failed.
import { useMemo, useState } from 'preact/hooks';
import { Asked } from './ask';
import { Box, Chart, Plane, Stop } from './chart';
import { formatCount, formatDuration, formatShare, formatTime } from './format';
import { spanText } from './search_time';
import { plural, words } from './words';

export interface Heat {
  start_ns: string; column_ns: string; column_count: number; row_ns: number[];
  cells: [column: number, row: number, count: number, errors: number][];
  span_count: number; error_count: number; open_count: number; partial: boolean; partial_reason?: string; whole_from_ns: string;
}

interface Cell { startMs: number; endMs: number; minNs: number; maxNs: number; count: number; errors: number }

const TONES = 5, TABLE_MAX = 500;

function cellsOf(heat: Heat): Cell[] {
  const startMs = Number(BigInt(heat.start_ns) / 1000n) / 1000, columnMs = Number(heat.column_ns) / 1e6;
  return heat.cells.map(([column, row, count, errors]) => ({
    startMs: startMs + column * columnMs, endMs: startMs + (column + 1) * columnMs, minNs: heat.row_ns[row]!,
    maxNs: heat.row_ns[row + 1] ?? heat.row_ns[row]! * 1.6, count, errors,
  })).sort((a, b) => a.startMs - b.startMs || a.minNs - b.minNs);
}

function textOf(cell: Cell): string {
  return words.cellSaid(spanText(cell.startMs, cell.endMs), `${formatDuration(cell.minNs)} – ${formatDuration(cell.maxNs)}`,
    `${formatCount(cell.count)} ${plural(cell.count, words.spanWord)}`,
    cell.errors > 0 ? `${formatCount(cell.errors)} ${plural(cell.errors, words.errorWord)}` : '');
}

// Tone 1 to TONES: each is as many times more than the one before. Where there are few, none is faint.
function toneOf(count: number, most: number): number {
  const least = most >= 5 ? 1 : most >= 3 ? 2 : 3;
  return most <= 1 ? least : least + Math.min(TONES - least, Math.floor((TONES - least) * Math.log(count) / Math.log(most) + 1e-9));
}

// The least count of each tone that there is.
function tonesOf(most: number): { tone: number; count: number }[] {
  const counts = [...Array(4 * TONES)].map((_, step) => Math.ceil(most ** (step / (4 * TONES - 1)) - 1e-6));
  return [...Array(TONES)].map((_, index) => ({ tone: index + 1, count: counts.find((one) => toneOf(one, most) === index + 1) ?? 0 })).filter(({ count }) => count > 0);
}

interface Props { asked: Asked<Heat>; onBox: (box: Box) => void; onCell: (box: Required<Box>) => void; onRead: (text: string) => void }

export function HeatMap({ asked, onBox, onCell, onRead }: Props) {
  const heat = asked.data;
  const cells = useMemo(() => (heat ? cellsOf(heat) : []), [heat]);
  const [isTable, setTable] = useState(false);
  if (!heat) return <div class="chart-room" />;
  if (cells.length === 0 && !heat.partial) return <p class="chart-room dim">{heat.open_count > 0 ? words.heatOpen(formatCount(heat.open_count)) : words.heatEmpty}</p>;
  const startMs = Number(BigInt(heat.start_ns) / 1000n) / 1000, endMs = startMs + Number(heat.column_ns) / 1e6 * heat.column_count;
  const minNs = cells.length === 0 ? 1e6 : Math.max(1, Math.min(...cells.map((one) => one.minNs))), maxNs = Math.max(minNs * 100, ...cells.map((one) => one.maxNs));
  const most = Math.max(0, ...cells.map(({ count }) => count));
  const size = (plane: Plane, one: Cell) => {
    const x0 = plane.x(one.startMs), x1 = plane.x(one.endMs), y0 = plane.y(one.maxNs), y1 = plane.y(Math.max(minNs, one.minNs));
    return { x: x0, y: y0, w: Math.max(1, x1 - x0 - (x1 - x0 > 4 ? 1 : 0)), h: Math.max(2, y1 - y0 - 1) };
  };
  const narrow = (one: Cell): Required<Box> => ({ startMs: one.startMs, endMs: one.endMs, minNs: one.minNs, maxNs: one.maxNs });
  const wholeFrom = heat.partial && heat.partial_reason !== 'damage' ? Number(BigInt(heat.whole_from_ns) / 1000000n) : undefined;
  const hasUncounted = wholeFrom !== undefined && wholeFrom > startMs;
  const name = words.heatSaid(formatCount(heat.span_count), plural(heat.span_count, words.spanWord), spanText(startMs, endMs),
    formatDuration(minNs), formatDuration(maxNs), formatShare(heat.error_count, Math.max(1, heat.span_count)))
    + (hasUncounted ? ` ${words.notCountedUntil(formatTime(wholeFrom))}` : '');
  return <>
    <Chart name={name} startMs={startMs} endMs={endMs} minNs={minNs} maxNs={maxNs} onBox={onBox} onRead={onRead}
      stops={(plane) => cells.map((one): Stop => {
        const { x, y, w, h } = size(plane, one);
        return { ms: one.startMs, ns: one.minNs, x: x + w / 2, y: y + h / 2, w, h, text: textOf(one), enter: () => onCell(narrow(one)) };
      })}
      draw={(plane) => <>
        {hasUncounted && <>
          <defs><pattern id="uncounted" width="7" height="7" patternUnits="userSpaceOnUse" patternTransform="rotate(45)"><path class="slant" d="M0 0v7" /></pattern></defs>
          <rect class="not-counted" fill="url(#uncounted)" x={plane.left} y={plane.top} width={Math.max(0, plane.x(Math.min(endMs, wholeFrom!)) - plane.left)} height={plane.bottom - plane.top} /></>}
        {cells.map((one) => {
          const { x, y, w, h } = size(plane, one);
          return <g key={`${one.startMs} ${one.minNs}`}><rect class={`cell tone-${toneOf(one.count, most)}`} x={x} y={y} width={w} height={h} />
            {one.errors > 0 && <rect class="cell-bad" x={x} y={y + h - 2} width={Math.max(Math.min(3, w), w * one.errors / one.count)} height={2} />}</g>;
        })}
      </>} />
    <p class="chart-key small faint">
      <span>{words.heatTones}</span>{tonesOf(most).map(({ tone, count }) => <span class="nw" key={tone}>
        <i class={`tone-key tone-${tone}`} aria-hidden="true" /> {formatCount(count)}</span>)}
      <span class="nw"><i class="tone-key tone-bad" aria-hidden="true" /> {words.withErrors}</span>
      {hasUncounted && <span class="nw"><i class="tone-key not-counted-key" aria-hidden="true" /> {words.notCounted}</span>}
      {heat.open_count > 0 && <span>{words.heatOpen(formatCount(heat.open_count))}</span>}
      <button class="as-link" aria-expanded={isTable} onClick={() => setTable(!isTable)}>{words.asTable}</button>
    </p>
    {isTable && <Table cells={cells} onCell={(one) => onCell(narrow(one))} />}
  </>;
}

function Table({ cells, onCell }: { cells: Cell[]; onCell: (cell: Cell) => void }) {
  return <div class="figures" tabIndex={0} role="region" aria-label={words.asTable}>
    <table><thead><tr><th>{words.when}</th><th>{words.duration}</th><th class="n">{words.spansHead}</th><th class="n">{words.errorsHead}</th></tr></thead>
      <tbody>{cells.slice(-TABLE_MAX).reverse().map((one) => <tr key={`${one.startMs} ${one.minNs}`}>
        <td><button class="as-link" onClick={() => onCell(one)}>{spanText(one.startMs, one.endMs)}</button></td>
        <td class="nw">{formatDuration(one.minNs)} – {formatDuration(one.maxNs)}</td><td class="n">{formatCount(one.count)}</td>
        <td class={`n${one.errors > 0 ? ' broken' : ''}`}>{formatCount(one.errors)}</td></tr>)}</tbody></table>
    {cells.length > TABLE_MAX && <p class="small dim">{words.tableCut(formatCount(TABLE_MAX), formatCount(cells.length))}</p>}
  </div>;
}
