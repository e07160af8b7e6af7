// How long spans took, over time: a cell for each step and each half power of two, darker for more spans, marked where some failed.
import { useState } from 'preact/hooks';
import { formatCount, formatDuration } from './format';
import { clockText, ticksOf, usePointing, useWidth } from './plot';
import { Choice, LEFT } from './rate_chart';
import { plural, words } from './words';

export interface Durations { start_ns: string; step_ns: number; count: number; bounds_ns: number[]; cells: [number, number, number, number][] }

interface Props {
  data: Durations;
  cursor: number;
  onCursor: (at: number) => void;
  onCell: (at: number, fromNs: number, toNs: number) => void;
  onRange: (first: number, last: number) => void;
}

const ROW = 10, TOP = 4, BOTTOM = 20, RIGHT = 4;

export function DurationMap({ data, cursor, onCursor, onCell, onRange }: Props) {
  const [ref, width] = useWidth<HTMLDivElement>();
  const [row, setRow] = useState(-1);
  const rows = Math.max(0, data.bounds_ns.length - 1), height = TOP + rows * ROW + BOTTOM;
  const startMs = Number(BigInt(data.start_ns) / 1000000n), stepMs = data.step_ns / 1e6, endMs = startMs + data.count * stepMs;
  const rowOf = (event: PointerEvent) => {
    const box = (event.currentTarget as Element).getBoundingClientRect();
    return Math.max(0, Math.min(rows - 1, rows - 1 - Math.floor((event.clientY - box.top - TOP) / ROW)));
  };
  const fullest = Math.max(0, ...data.cells.map((cell) => cell[2]));
  // The row with the most spans of a column, where the keys arrive.
  const usualRow = (at: number) => data.cells.reduce((best, cell) => (cell[0] === at && cell[2] > (best?.[2] ?? 0) ? cell : best), undefined as Durations['cells'][number] | undefined)?.[1] ?? row;
  const pointing = usePointing({
    count: data.count, left: LEFT, right: RIGHT, width, cursor, onRange,
    onCursor: (at) => { onCursor(at); if (at < 0) setRow(-1); else if (document.activeElement === ref.current) setRow(usualRow(at)); },
    onPoint: (at, event) => {
      const chosen = 'clientY' in event && event.type.startsWith('pointer') ? rowOf(event as PointerEvent) : row;
      if (chosen >= 0) onCell(at, data.bounds_ns[chosen]!, data.bounds_ns[chosen + 1]!);
    },
    onOther: (event) => {
      const step = event.key === 'ArrowUp' ? 1 : event.key === 'ArrowDown' ? -1 : 0;
      if (step !== 0) setRow(Math.max(0, Math.min(rows - 1, row + step)));
      return step !== 0;
    },
  });
  const move = pointing.handlers.onPointerMove as (event: PointerEvent) => void;
  const columnWidth = (width - RIGHT - LEFT) / data.count;
  const cell = cursor >= 0 && row >= 0 ? data.cells.find((one) => one[0] === cursor && one[1] === row) : undefined;
  const text = cursor >= 0 && row >= 0 ? words.heatCell(clockText(startMs + cursor * stepMs, endMs - startMs), formatDuration(data.bounds_ns[row]!), formatDuration(data.bounds_ns[row + 1]!),
    formatCount(cell?.[2] ?? 0), plural(cell?.[2] ?? 0, words.spanWord), cell && cell[3] > 0 ? words.heatErrors(formatCount(cell[3])) : '') : '';
  // A label of the durations every 30 px or so.
  const every = Math.max(1, 2);
  if (rows === 0) return <figure class="over-time"><figcaption><b>{words.heatTitle}</b></figcaption><p class="faint">{words.chartEmpty(words.heatTitle)}</p></figure>;
  return <figure class="over-time heat">
    <figcaption><b>{words.heatTitle}</b> <span class="ch-said faint">{text}</span></figcaption>
    <div ref={ref} class="ch-plot" role="group" tabIndex={0} {...pointing.handlers}
      aria-label={words.heatName(String(rows), formatDuration(data.bounds_ns[0]!), formatDuration(data.bounds_ns[rows]!))}
      onPointerMove={(event: PointerEvent) => { setRow(rowOf(event)); move(event); }}>
      <svg width={width} height={height} aria-hidden="true" focusable="false">
        {data.cells.map(([at, on, count, errors]) => <g key={`${at} ${on}`}>
          <rect class="heat-cell" x={LEFT + at * columnWidth} y={TOP + (rows - 1 - on) * ROW} width={Math.max(1, columnWidth - 1)} height={ROW - 1}
            fill-opacity={(0.16 + 0.84 * Math.log1p(count) / Math.log1p(fullest)).toFixed(2)} />
          {errors > 0 && <rect class="heat-error" x={LEFT + at * columnWidth} y={TOP + (rows - 1 - on) * ROW + ROW - 4} width={Math.max(1, columnWidth - 1)} height="3" />}
        </g>)}
        <g class="ch-axes">
          {data.bounds_ns.slice(0, rows).map((ns, on) => (on % every === 0 ? <text key={ns} x={LEFT - 8} y={TOP + (rows - on) * ROW} text-anchor="end">{formatDuration(ns)}</text> : null))}
          {ticksOf(startMs, endMs, Math.max(2, Math.floor(width / 84))).map((ms) => {
            const left = (ms - startMs) / (endMs - startMs) * (width - RIGHT - LEFT) + LEFT;
            return left < LEFT + 20 || left > width - 24 ? null : <text key={ms} x={left} y={height - 5} text-anchor="middle">{clockText(ms, endMs - startMs)}</text>;
          })}
        </g>
        <Choice pointing={pointing} count={data.count} width={width} height={height - BOTTOM} />
        {cursor >= 0 && row >= 0 && <rect class="heat-cursor" x={LEFT + cursor * columnWidth - 0.5} y={TOP + (rows - 1 - row) * ROW - 0.5} width={columnWidth} height={ROW} />}
      </svg>
    </div>
    <span class="vh" aria-live="polite">{document.activeElement === ref.current ? text : ''}</span>
  </figure>;
}
