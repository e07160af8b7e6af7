// A chart of one figure over time with its usual behind it, and the small one of a table's row. Drawn as SVG: sixty points need no
// more. Its name says in a sentence what it shows; the page has the same figures as a table.
import { Pointing, clockText, niceAbove, ticksOf, usePointing, useWidth } from './plot';
import { words } from './words';

export interface Line { points: readonly number[]; kind: 'main' | 'usual' | 'low' | 'high' } // NaN: nothing known

interface Props {
  title: string;
  lines: readonly Line[];      // the first is the one that is named
  startMs: number;
  stepMs: number;
  count: number;
  format: (value: number) => string;
  said: string;                // the figure of the whole time
  usual?: string;
  tone?: 'plain' | 'broken' | 'late';
  topMin?: number;             // the scale reaches at least so far
  cursor: number;
  onCursor: (at: number) => void;
  onPoint: (at: number) => void;
  onRange: (first: number, last: number) => void;
}

const HEIGHT = 132, TOP = 8, BOTTOM = 20, RIGHT = 4;
export const LEFT = 56; // the scale stands there

export function pathOf(points: readonly number[], x: (at: number) => number, y: (value: number) => number): string {
  let text = '', isOpen = false;
  points.forEach((value, at) => {
    if (Number.isFinite(value)) text += `${isOpen ? 'L' : 'M'}${x(at).toFixed(1)} ${y(value).toFixed(1)}`;
    isOpen = Number.isFinite(value);
  });
  return text;
}

// Points that stand alone are no line.
function dotsOf(points: readonly number[]): number[] {
  return points.flatMap((value, at) =>
    (Number.isFinite(value) && !Number.isFinite(points[at - 1] ?? NaN) && !Number.isFinite(points[at + 1] ?? NaN) ? [at] : []));
}

export function RateChart(props: Props) {
  const { title, lines, startMs, stepMs, count, format, said, usual, tone = 'plain', cursor } = props;
  const [ref, width] = useWidth<HTMLDivElement>();
  const pointing = usePointing({ count, left: LEFT, right: RIGHT, width, cursor, onCursor: props.onCursor, onPoint: props.onPoint, onRange: props.onRange });
  const values = lines.flatMap((line) => line.points.filter(Number.isFinite));
  const top = niceAbove(Math.max(props.topMin ?? 0, ...values)), endMs = startMs + count * stepMs;
  const x = (at: number) => LEFT + (at + 0.5) / count * (width - RIGHT - LEFT);
  const y = (value: number) => TOP + (1 - value / top) * (HEIGHT - TOP - BOTTOM);
  const main = lines[0]!.points, shown = main.filter(Number.isFinite), usualLine = lines.find((line) => line.kind === 'usual');
  const name = shown.length === 0 ? words.chartEmpty(title)
    : words.chartName(title, clockText(startMs, endMs - startMs), clockText(endMs, endMs - startMs), format(Math.min(...shown)), format(Math.max(...shown)));
  const value = (points: readonly number[] | undefined, at: number) => (points && Number.isFinite(points[at]) ? format(points[at]!) : '·');
  const reads = lines.filter((line) => line.kind !== 'usual').map((line) => value(line.points, cursor)).join(' · ');
  return <figure class={`over-time ${tone}`}>
    <figcaption><b>{title}</b> {cursor < 0
      ? <span class="ch-said">{said}{usual !== undefined && <span class="faint"> {usual}</span>}</span>
      : <span class="ch-said"><span class="faint">{clockText(startMs + cursor * stepMs, endMs - startMs)}</span> {reads}
        {usualLine && <span class="faint"> {words.usual(value(usualLine.points, cursor))}</span>}</span>}</figcaption>
    <div ref={ref} class="ch-plot" role="group" tabIndex={0} aria-label={name} {...pointing.handlers}>
      <svg width={width} height={HEIGHT} aria-hidden="true" focusable="false">
        <Axes startMs={startMs} endMs={endMs} width={width} top={top} y={y} format={format} />
        <Choice pointing={pointing} count={count} width={width} />
        {lines.map((line) => <path key={line.kind} class={`ch-line ch-${line.kind}`} d={pathOf(line.points, x, y)} />).reverse()}
        {dotsOf(main).map((at) => <circle key={at} class="ch-dot" cx={x(at)} cy={y(main[at]!)} r="1.6" />)}
        {cursor >= 0 && <g><line class="ch-cursor" x1={x(cursor)} x2={x(cursor)} y1={TOP} y2={HEIGHT - BOTTOM} />
          {lines.filter((line) => line.kind !== 'usual' && Number.isFinite(line.points[cursor])).map((line) =>
            <circle key={line.kind} class="ch-dot" cx={x(cursor)} cy={y(line.points[cursor]!)} r="3" />)}</g>}
      </svg>
    </div>
    <span class="vh" aria-live="polite">{cursor >= 0 && document.activeElement === ref.current
      ? pointing.chosen ? words.chosen(clockText(startMs + pointing.chosen[0] * stepMs, endMs - startMs), clockText(startMs + (pointing.chosen[1] + 1) * stepMs, endMs - startMs))
        : `${clockText(startMs + cursor * stepMs, endMs - startMs)}: ${reads}` : ''}</span>
  </figure>;
}

function Axes({ startMs, endMs, width, top, y, format }: { startMs: number; endMs: number; width: number; top: number; y: (value: number) => number; format: (value: number) => string }) {
  const at = (ms: number) => LEFT + (ms - startMs) / (endMs - startMs) * (width - RIGHT - LEFT);
  return <g class="ch-axes">
    {[0, top / 2, top].map((value) => <line key={value} x1={LEFT} x2={width - RIGHT} y1={y(value)} y2={y(value)} />)}
    {ticksOf(startMs, endMs, Math.max(2, Math.floor(width / 84))).map((ms) => {
      const text = clockText(ms, endMs - startMs), left = at(ms), room = text.length * 3.2;
      return left < LEFT + room || left > width - room ? null : <text key={ms} x={left} y={HEIGHT - 5} text-anchor="middle">{text}</text>;
    })}
    <text x={LEFT - 8} y={y(top) + 6} text-anchor="end">{format(top)}</text>
    <text x={LEFT - 8} y={y(top / 2) + 4} text-anchor="end">{format(top / 2)}</text>
    <text x={LEFT - 8} y={y(0)} text-anchor="end">0</text>
  </g>;
}

export function Choice({ pointing, count, width, height = HEIGHT - BOTTOM }: { pointing: Pointing; count: number; width: number; height?: number }) {
  if (!pointing.chosen) return null;
  const [first, last] = pointing.chosen, one = (width - RIGHT - LEFT) / count;
  return <rect class="ch-chosen" x={LEFT + first * one} y="0" width={(last - first + 1) * one} height={height} />;
}

const SPARK_WIDTH = 88, SPARK_HEIGHT = 24;

// The course of a figure beside it: a picture for the eye alone, the figure and the charts say it in words.
export function Spark({ points, usual, tone, top }: { points: readonly number[]; usual?: readonly number[]; tone?: string; top?: number }) {
  const known = [...points, ...usual ?? []].filter(Number.isFinite);
  const most = Math.max(top ?? 0, ...known, 1e-9);
  const x = (at: number) => 2 + at / Math.max(1, Math.max(points.length, usual?.length ?? 0) - 1) * (SPARK_WIDTH - 6);
  const y = (value: number) => SPARK_HEIGHT - 3 - value / most * (SPARK_HEIGHT - 7);
  const last = points.reduce((found, value, at) => (Number.isFinite(value) ? at : found), -1);
  return <svg class={`spark ${tone ?? ''}`} width={SPARK_WIDTH} height={SPARK_HEIGHT} aria-hidden="true" focusable="false">
    {usual && <path class="sp-usual" d={pathOf(usual, x, y)} />}
    <path class="sp-line" d={pathOf(points, x, y)} />
    {dotsOf(points).map((at) => <circle key={at} cx={x(at)} cy={y(points[at]!)} r="1.2" />)}
    {last >= 0 && <circle cx={x(last)} cy={y(points[last]!)} r="2.2" />}
  </svg>;
}
