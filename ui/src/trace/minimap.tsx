// The whole trace, small: a canvas with a line a row, over it the part that is shown. Dragging over it shows another part;
// its two edges are sliders for the keyboard.
import { useLayoutEffect, useRef, useState } from 'preact/hooks';
import { formatDuration } from '../format';
import { slotOf } from '../slots';
import { words } from '../words';
import { isBroken } from './cause';
import { Rows, Times, Trace, waitOf } from './columns';

const HEIGHT = 52;
const STEP = 1 / 50; // of the whole, that an arrow key moves an edge by
const PRESS_MAX = 4; // px: shorter drags are clicks

interface Props {
  trace: Trace; times: Times; rows: Rows; zoom: { from: number; to: number }; isZoomed: boolean; seen: [number, number];
  onZoom: (from: number, to: number) => void;
}

// The theme's colours as the canvas wants them: services 1 to 10, then broken, then waiting.
function palette(): Uint32Array {
  const probe = document.createElement('i');
  document.body.append(probe);
  const colours = [...Array.from({ length: 10 }, (_, i) => `--svc-${i + 1}`), '--broken', '--text-3'].map((name) => {
    probe.style.color = `var(${name})`;
    const [red = 0, green = 0, blue = 0] = (getComputedStyle(probe).color.match(/[\d.]+/g) ?? []).map(Number);
    return (255 << 24 | blue << 16 | green << 8 | red) >>> 0;
  });
  probe.remove();
  return new Uint32Array(colours);
}

function draw(canvas: HTMLCanvasElement, { trace, times, rows }: Props, width: number): void {
  const scale = Math.min(2, devicePixelRatio || 1), wide = Math.max(1, Math.round(width * scale)), high = HEIGHT * scale;
  canvas.width = wide;
  canvas.height = high;
  const context = canvas.getContext('2d');
  if (!context) return;
  const image = context.createImageData(wide, high), pixels = new Uint32Array(image.data.buffer), colours = palette();
  const count = rows.span.length, pitch = high / Math.max(count, 12), thick = Math.max(1, Math.min(3 * scale, Math.round(pitch * 0.7)));
  const slots = trace.services.map((service) => colours[slotOf(service) - 1]!), perNs = wide / Math.max(1, times.length);
  const line = (row: number, from: number, to: number, colour: number, dots = false) => {
    const y = Math.min(high - thick, Math.floor(row * pitch)), x0 = Math.min(wide - 1, Math.floor(from * perNs)), x1 = Math.max(x0 + scale, Math.ceil(to * perNs));
    for (let dy = 0; dy < thick; dy++) {
      const begin = (y + dy) * wide;
      if (!dots) pixels.fill(colour, begin + x0, begin + Math.min(wide, x1));
      else for (let x = x0; x < Math.min(wide, x1); x += 4) pixels.fill(colour, begin + x, begin + Math.min(wide, x + 2));
    }
  };
  for (let row = 0; row < count; row++) {
    const at = rows.span[row]!, wait = waitOf(trace, times, at);
    if (wait) line(row, wait[0], wait[1], colours[11]!, true);
    line(row, times.start[at]!, times.end[at]!, slots[trace.service[at]!]!);
  }
  // Failures on top, so that one among thousands is seen.
  for (const at of trace.broken) {
    const row = rows.row[at]!;
    if (row >= 0 && isBroken(trace, at)) line(row, times.start[at]!, times.end[at]!, colours[10]!);
  }
  context.putImageData(image, 0, 0);
}

export function Minimap(props: Props) {
  const { trace, times, rows, zoom, isZoomed, seen, onZoom } = props;
  const box = useRef<HTMLDivElement>(null), canvas = useRef<HTMLCanvasElement>(null);
  const [width, setWidth] = useState(0), [theme, setTheme] = useState(0);
  const [drag, setDrag] = useState<{ from: number; to: number }>();
  useLayoutEffect(() => {
    if (!box.current) return undefined;
    const sized = new ResizeObserver(([entry]) => setWidth(Math.round(entry!.contentRect.width)));
    sized.observe(box.current);
    const dark = matchMedia('(prefers-color-scheme: dark)'), changed = () => setTheme((old) => old + 1);
    dark.addEventListener('change', changed);
    return () => { sized.disconnect(); dark.removeEventListener('change', changed); };
  }, []);
  useLayoutEffect(() => { if (canvas.current && width > 0) draw(canvas.current, props, width); }, [trace, times, rows, width, theme, trace.services.map(slotOf).join()]);

  const partOf = (event: PointerEvent) => {
    const { left, width: wide } = box.current!.getBoundingClientRect();
    return Math.max(0, Math.min(1, (event.clientX - left) / wide));
  };
  const began = useRef(0), edge = useRef<'from' | 'to'>();
  const onDown = (event: PointerEvent) => {
    if (event.button !== 0) return;
    event.preventDefault();
    box.current!.setPointerCapture(event.pointerId);
    edge.current = (event.target as HTMLElement).dataset.edge as 'from' | 'to' | undefined;
    began.current = edge.current === 'from' ? zoom.to / times.length : edge.current === 'to' ? zoom.from / times.length : partOf(event);
    setDrag({ from: began.current, to: partOf(event) });
  };
  const onMove = (event: PointerEvent) => { if (drag) setDrag({ from: began.current, to: partOf(event) }); };
  const onUp = (event: PointerEvent) => {
    if (!drag) return;
    setDrag(undefined);
    const to = partOf(event), from = Math.min(began.current, to), until = Math.max(began.current, to), length = zoom.to - zoom.from;
    if ((until - from) * width >= PRESS_MAX) onZoom(from * times.length, until * times.length);
    else if (isZoomed && !edge.current) { // a click moves what is shown
      const middle = to * times.length, begin = Math.max(0, Math.min(times.length - length, middle - length / 2));
      onZoom(begin, begin + length);
    }
  };
  const onKeyDown = (which: 'from' | 'to') => (event: KeyboardEvent) => {
    const step = { ArrowLeft: -1, ArrowDown: -1, ArrowRight: 1, ArrowUp: 1, PageDown: -5, PageUp: 5, Home: -50, End: 50 }[event.key];
    if (step === undefined) return;
    event.preventDefault();
    const moved = zoom[which] + step * STEP * times.length, least = Math.max(100, times.length / 1e6);
    if (which === 'from') onZoom(Math.max(0, Math.min(zoom.to - least, moved)), zoom.to);
    else onZoom(zoom.from, Math.max(zoom.from + least, Math.min(times.length, moved)));
  };
  const part = drag ? { from: Math.min(drag.from, drag.to), to: Math.max(drag.from, drag.to) } : { from: zoom.from / times.length || 0, to: Math.min(1, zoom.to / times.length || 1) };
  const slider = (which: 'from' | 'to') => <i class={`edge ${which}`} role="slider" tabIndex={0} data-edge={which} aria-label={which === 'from' ? words.shownFrom : words.shownTo}
    aria-valuemin={0} aria-valuemax={Math.round(times.length)} aria-valuenow={Math.round(zoom[which])} aria-valuetext={formatDuration(zoom[which])}
    style={{ left: `${100 * part[which]}%` }} onKeyDown={onKeyDown(which)} />;
  return <div class="map" ref={box} onPointerDown={onDown} onPointerMove={onMove} onPointerUp={onUp} onPointerCancel={() => setDrag(undefined)}
    onDblClick={() => onZoom(0, times.length)} title={words.dragToZoom}>
    <canvas ref={canvas} role="img" aria-label={words.mapSaid(formatDuration(zoom.from), formatDuration(zoom.to), formatDuration(times.length))} />
    <i class="out" style={{ left: 0, width: `${100 * part.from}%` }} /><i class="out" style={{ left: `${100 * part.to}%`, right: 0 }} />
    {(seen[0] > 0 || seen[1] < 1) && <i class="seen" style={{ top: `${100 * seen[0]}%`, height: `${Math.max(4, 100 * (seen[1] - seen[0]))}%` }} />}
    {slider('from')}{slider('to')}
  </div>;
}
