// What both charts of durations over time share: the plane with its axes; a selection by dragging or by Shift and arrows; and
// stops, which are what can be pointed at: the pointer's nearest, or by the arrow keys one after the other.
import { ComponentChildren } from 'preact';
import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks';
import { durationTicks, timeTicks } from './axes';
import { formatDuration } from './format';
import { spanText } from './search_time';
import { words } from './words';

export interface Plane {
  width: number; height: number; left: number; top: number; right: number; bottom: number; // px; the sides of the plane itself
  x: (ms: number) => number;
  y: (ns: number) => number;
}

// A thing in the plane. Its text is read out; enter opens it, or narrows the search to it.
export interface Stop { ms: number; ns: number; x: number; y: number; w: number; h: number; text: string; enter: () => void }

export interface Box { startMs?: number; endMs?: number; minNs?: number; maxNs?: number }

interface Props {
  name: string;                 // the chart in a sentence
  startMs: number; endMs: number; minNs: number; maxNs: number;
  draw: (plane: Plane) => ComponentChildren;
  stops: (plane: Plane) => Stop[]; // by time, then duration
  onBox: (box: Box) => void;
  onRead: (text: string) => void; // what is pointed at; '': nothing
}

// What a selection takes, in words.
function boxText(box: Box): string {
  return [box.startMs === undefined ? '' : spanText(box.startMs, box.endMs), box.minNs === undefined || box.maxNs === undefined ? ''
    : `${formatDuration(box.minNs)} – ${formatDuration(box.maxNs)}`].filter((one) => one !== '').join(' · ');
}

const TOP = 8, BOTTOM = 22, LEFT = 60, RIGHT = 8, DRAG_MIN = 5, NEAR = 14;

interface Drag { x0: number; y0: number; x1: number; y1: number }

export function Chart({ name, startMs, endMs, minNs, maxNs, draw, stops, onBox, onRead }: Props) {
  const frame = useRef<HTMLDivElement>(null);
  const [width, setWidth] = useState(0);
  const [drag, setDrag] = useState<Drag>();
  const [at, setAt] = useState(-1);       // the stop that is pointed at
  const [anchor, setAnchor] = useState(-1); // where a selection by keys began
  useLayoutEffect(() => {
    const at = frame.current!;
    const measure = () => setWidth(Math.floor(at.clientWidth));
    measure();
    const observer = new ResizeObserver(measure);
    observer.observe(at);
    return () => observer.disconnect();
  }, []);
  const height = width > 0 && width < 600 ? 168 : 208;
  const right = Math.max(LEFT + 1, width - RIGHT), bottom = height - BOTTOM;
  const lowest = Math.log10(minNs), highest = Math.log10(maxNs);
  const plane: Plane = {
    width, height, left: LEFT, top: TOP, right, bottom,
    x: (ms) => LEFT + (right - LEFT) * (ms - startMs) / Math.max(1e-3, endMs - startMs),
    y: (ns) => bottom - (bottom - TOP) * Math.max(0, Math.min(1, (Math.log10(Math.max(1, ns)) - lowest) / (highest - lowest))),
  };
  const msAt = (x: number) => startMs + (endMs - startMs) * (x - LEFT) / (right - LEFT);
  const nsAt = (y: number) => 10 ** (lowest + (highest - lowest) * (bottom - y) / (bottom - TOP));
  const all = width > 0 ? stops(plane) : [];
  const here = all[at];
  useEffect(() => { if (at >= all.length) setAt(-1); }, [all.length]);

  const point = (index: number) => {
    setAt(index);
    onRead(all[index]?.text ?? '');
  };
  const nearest = (x: number, y: number): number => {
    let best = -1, least = NEAR;
    all.forEach((one, index) => {
      const away = Math.max(Math.abs(x - one.x) - one.w / 2, Math.abs(y - one.y) - one.h / 2, 0);
      if (away < least || (away === 0 && best < 0)) { best = index; least = away; }
    });
    return best;
  };
  const placeOf = (event: PointerEvent): [number, number] => {
    const box = frame.current!.getBoundingClientRect();
    return [Math.max(LEFT, Math.min(right, event.clientX - box.left)), Math.max(TOP, Math.min(bottom, event.clientY - box.top))];
  };
  // Nearly level: times alone. Nearly upright: durations alone.
  const boxOf = ({ x0, y0, x1, y1 }: Drag): Box => {
    const wide = Math.abs(x1 - x0), tall = Math.abs(y1 - y0);
    const isTimes = wide >= DRAG_MIN && (tall < 12 || wide >= DRAG_MIN * 2), isDurations = tall >= 12;
    return {
      ...(isTimes ? { startMs: msAt(Math.min(x0, x1)), endMs: msAt(Math.max(x0, x1)) } : {}),
      ...(isDurations ? { minNs: nsAt(Math.max(y0, y1)), maxNs: nsAt(Math.min(y0, y1)) } : {}),
    };
  };
  const onPointerDown = (event: PointerEvent) => {
    if (event.button !== 0) return;
    const [x, y] = placeOf(event);
    frame.current!.setPointerCapture(event.pointerId);
    setDrag({ x0: x, y0: y, x1: x, y1: y });
  };
  const onPointerMove = (event: PointerEvent) => {
    const [x, y] = placeOf(event);
    if (drag) {
      const next = { ...drag, x1: x, y1: y };
      setDrag(next);
      setAt(-1);
      onRead(boxText(boxOf(next)));
    }
    else point(nearest(x, y));
  };
  const onPointerUp = (event: PointerEvent) => {
    if (!drag) return;
    const [x, y] = placeOf(event), done = { ...drag, x1: x, y1: y };
    setDrag(undefined);
    if (Math.abs(done.x1 - done.x0) >= DRAG_MIN || Math.abs(done.y1 - done.y0) >= 12) onBox(boxOf(done));
    else all[nearest(x, y)]?.enter();
  };
  const drop = () => { setDrag(undefined); setAnchor(-1); };

  // Left and right go to the next time, up and down to the next duration of about the same time.
  const step = (key: string): number => {
    if (all.length === 0) return -1;
    if (!here) return key === 'ArrowLeft' ? all.length - 1 : 0;
    const isLevel = key === 'ArrowLeft' || key === 'ArrowRight', sign = key === 'ArrowLeft' || key === 'ArrowUp' ? -1 : 1;
    let best = at, least = Infinity;
    all.forEach((one, index) => {
      const along = sign * (isLevel ? one.x - here.x : one.y - here.y), aside = Math.abs(isLevel ? one.y - here.y : one.x - here.x);
      if (index === at || along < 0 || (along === 0 && (sign > 0 ? index < at : index > at)) || (!isLevel && aside > 24)) return;
      const cost = along + aside / (isLevel ? 1000 : 2);
      if (cost < least) { least = cost; best = index; }
    });
    return best;
  };
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key.startsWith('Arrow')) {
      event.preventDefault();
      event.stopPropagation();
      const next = step(event.key);
      if (event.shiftKey && anchor < 0) setAnchor(here ? at : next);
      if (!event.shiftKey) setAnchor(-1);
      point(next);
      const from = all[anchor < 0 ? at : anchor], till = all[next];
      if (event.shiftKey && from && till && from !== till)
        onRead(boxText({ startMs: msAt(Math.min(from.x - from.w / 2, till.x - till.w / 2)), endMs: msAt(Math.max(from.x + from.w / 2, till.x + till.w / 2)) }));
    } else if (event.key === 'Enter' && here) {
      event.preventDefault();
      const from = all[anchor];
      if (from && from !== here) {
        const [a, b] = [from, here].sort((one, other) => one.x - other.x) as [Stop, Stop];
        drop();
        onBox({ startMs: msAt(a.x - a.w / 2), endMs: msAt(b.x + b.w / 2) });
      } else {
        here.enter();
      }
    } else if (event.key === 'Escape' && (drag || anchor >= 0 || here)) {
      event.stopPropagation();
      drop();
      point(-1);
    }
  };

  const from = all[anchor];
  const keyed = from && here ? { x0: Math.min(from.x - from.w / 2, here.x - here.w / 2), x1: Math.max(from.x + from.w / 2, here.x + here.w / 2), y0: TOP, y1: TOP } : undefined;
  const shown = drag && (Math.abs(drag.x1 - drag.x0) >= DRAG_MIN || Math.abs(drag.y1 - drag.y0) >= 12) ? drag : keyed;
  const box = shown && boxOf(shown);
  const brush = box && {
    x0: box.startMs === undefined ? LEFT : plane.x(box.startMs), x1: box.endMs === undefined ? right : plane.x(box.endMs),
    y0: box.maxNs === undefined ? TOP : plane.y(box.maxNs), y1: box.minNs === undefined ? bottom : plane.y(box.minNs),
  };
  let lastY = Infinity;
  const rows = durationTicks(minNs, maxNs).map((tick) => ({ ...tick, y: plane.y(tick.at) })).filter(({ y }) => lastY - y >= 18 && (lastY = y, true));
  return <div ref={frame} class="chart" tabIndex={0} role="application" aria-roledescription={words.chart} aria-label={`${name} ${words.chartKeys}`}
    onPointerDown={onPointerDown} onPointerMove={onPointerMove} onPointerUp={onPointerUp} onPointerCancel={drop}
    onPointerLeave={() => { if (!drag) point(-1); }} onKeyDown={onKeyDown} onBlur={() => { drop(); point(-1); }}>
    {width > 0 && <svg width={width} height={height} aria-hidden="true" class={here ? 'on-stop' : ''}>
      {rows.map(({ at: ns, y, text }) => <g key={ns}><line class="grid" x1={LEFT} x2={right} y1={y} y2={y} />
        <text class="tick" x={LEFT - 8} y={y + 4} text-anchor="end">{text}</text></g>)}
      {timeTicks(startMs, endMs, Math.max(2, Math.floor((right - LEFT) / 96))).map(({ at: ms, text }) => {
        const x = plane.x(ms);
        return <g key={ms}><line class="grid" x1={x} x2={x} y1={bottom} y2={bottom + 4} />
          <text class="tick" x={x} y={height - 5} text-anchor={x > right - 30 ? 'end' : x < LEFT + 20 ? 'start' : 'middle'}>{text}</text></g>;
      })}
      <line class="axis" x1={LEFT} x2={right} y1={bottom} y2={bottom} />
      {draw(plane)}
      {here && <rect class="here" x={here.x - here.w / 2 - 2} y={here.y - here.h / 2 - 2} width={here.w + 4} height={here.h + 4} rx={2} />}
      {brush && <rect class="brush" x={brush.x0} y={brush.y0} width={Math.max(1, brush.x1 - brush.x0)} height={Math.max(1, brush.y1 - brush.y0)} />}
    </svg>}
  </div>;
}
