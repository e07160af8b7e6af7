// What charts over time share: their width, scales, labels of the axis, and the way in which one points, drags and types in them.
import { RefObject } from 'preact';
import { useLayoutEffect, useRef, useState } from 'preact/hooks';
import { words } from './words';

export function useWidth<T extends Element>(first = 300): [RefObject<T>, number] {
  const ref = useRef<T>(null);
  const [width, setWidth] = useState(first);
  useLayoutEffect(() => {
    const element = ref.current;
    if (!element) return undefined;
    const measure = () => setWidth(Math.max(80, Math.floor(element.getBoundingClientRect().width)));
    measure();
    const observer = new ResizeObserver(measure);
    observer.observe(element);
    return () => observer.disconnect();
  }, []);
  return [ref, width];
}

// The next of 1, 2 and 5 times a power of ten.
export function niceAbove(value: number): number {
  if (!(value > 0)) return 1;
  const power = 10 ** Math.floor(Math.log10(value));
  return power * ([1, 2, 5, 10].find((one) => one * power >= value * 0.999) ?? 10);
}

const TICK_MINUTES = [1, 2, 5, 10, 15, 30, 60, 120, 180, 360, 720, 1440, 2880, 10080];

function two(value: number): string {
  return String(value).padStart(2, '0');
}

export function clockText(ms: number, lengthMs: number): string {
  const date = new Date(ms), clock = `${two(date.getHours())}:${two(date.getMinutes())}`;
  if (lengthMs <= 26 * 3600e3) return clock;
  const isMidnight = date.getHours() === 0 && date.getMinutes() === 0;
  return isMidnight || lengthMs > 4 * 86400e3 ? `${words.days[date.getDay()]} ${date.getDate()}${isMidnight ? '' : `, ${clock}`}` : clock;
}

// Moments on whole minutes, hours and days of the reader's clock, no more than fit.
export function ticksOf(startMs: number, endMs: number, count: number): number[] {
  const minutes = (endMs - startMs) / 60e3;
  const step = (TICK_MINUTES.find((one) => minutes / one <= count) ?? Math.ceil(minutes / count / 1440) * 1440) * 60e3;
  const zoneMs = new Date(startMs).getTimezoneOffset() * 60e3, ticks: number[] = [];
  for (let at = Math.ceil((startMs - zoneMs) / step) * step + zoneMs; at < endMs; at += step) ticks.push(at);
  return ticks;
}

export interface Pointing {
  cursor: number;                     // point or column under the pointer or the keys; -1: none
  chosen: [number, number] | undefined; // both inclusive
  handlers: Record<string, unknown>;  // for the element that takes pointer and keys
}

interface PointingOptions {
  count: number;
  left: number; right: number;        // of the drawing, in px of the element
  width: number;
  cursor: number;
  onCursor: (at: number) => void;
  onPoint: (at: number, event: PointerEvent | KeyboardEvent) => void;
  onRange: (first: number, last: number) => void;
  onOther?: (event: KeyboardEvent) => boolean; // other keys; whether it took it
}

// Pointer: a click opens a point, a drag chooses a time. Keys: arrows move, Shift chooses, Enter opens or takes, Escape lets go.
export function usePointing(options: PointingOptions): Pointing {
  const { count, left, right, width, cursor, onCursor, onPoint, onRange, onOther } = options;
  const from = useRef<{ x: number; at: number } | undefined>(undefined);
  const [chosen, setChosen] = useState<[number, number] | undefined>(undefined);
  const atOf = (event: PointerEvent) => {
    const box = (event.currentTarget as Element).getBoundingClientRect();
    return Math.max(0, Math.min(count - 1, Math.floor((event.clientX - box.left - left) / Math.max(1, width - left - right) * count)));
  };
  const move = (event: PointerEvent) => {
    const at = atOf(event);
    onCursor(at);
    if (from.current && Math.abs(event.clientX - from.current.x) > 4) {
      if (!chosen) (event.currentTarget as Element).setPointerCapture(event.pointerId);
      setChosen([Math.min(from.current.at, at), Math.max(from.current.at, at)]);
    }
  };
  const up = (event: PointerEvent) => {
    if (!from.current) return;
    from.current = undefined;
    setChosen(undefined);
    if (chosen) onRange(chosen[0], chosen[1]);
    else onPoint(atOf(event), event);
  };
  const key = (event: KeyboardEvent) => {
    const step = event.key === 'ArrowLeft' ? -1 : event.key === 'ArrowRight' ? 1 : 0;
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (step !== 0 || event.key === 'Home' || event.key === 'End') {
      const start = cursor < 0 ? (step < 0 ? count : -1) : cursor;
      const at = event.key === 'Home' ? 0 : event.key === 'End' ? count - 1 : Math.max(0, Math.min(count - 1, start + step));
      const anchor = chosen ? (chosen[0] === cursor ? chosen[1] : chosen[0]) : Math.max(0, cursor);
      setChosen(event.shiftKey ? [Math.min(anchor, at), Math.max(anchor, at)] : undefined);
      onCursor(at);
    } else if (event.key === 'Enter') {
      if (chosen) onRange(chosen[0], chosen[1]);
      else if (cursor >= 0) onPoint(cursor, event);
      setChosen(undefined);
    } else if (event.key === 'Escape' && (chosen || cursor >= 0)) {
      setChosen(undefined);
      onCursor(-1);
    } else if (!onOther?.(event)) return;
    event.preventDefault();
    event.stopPropagation();
  };
  return {
    cursor, chosen,
    handlers: {
      onPointerDown: (event: PointerEvent) => { if (event.button === 0) from.current = { x: event.clientX, at: atOf(event) }; },
      onPointerMove: move, onPointerUp: up,
      onPointerLeave: () => { if (!from.current) onCursor(-1); },
      onPointerCancel: () => { from.current = undefined; setChosen(undefined); },
      onKeyDown: key,
      onBlur: () => { setChosen(undefined); onCursor(-1); },
    },
  };
}
