// Which rows of a long list lie in the window. The page itself scrolls; only rows near the window are in the document.
import { useLayoutEffect, useRef, useState } from 'preact/hooks';

const BEYOND = 8; // rows kept above and below the window
const BEYOND_LEAP = 1; // while one leaps by more than a window: none of them would be seen
const CALM_MS = 200; // without a scroll: it is over
const HEIGHT_MAX = 15e6; // px: browsers refuse more; longer lists scroll faster than their rows

export interface Window {
  list: preact.RefObject<HTMLDivElement>;
  from: number;   // the first row that is drawn
  to: number;     // the one after the last
  height: number; // of a row, px
  total: number;  // px, of the whole list as it scrolls
  topOf: (row: number) => number; // px below the list's top
  isScrolling: boolean;
  isLeaping: boolean; // by more than a window at once, as by the scroll bar
  seen: [number, number]; // part of the list in sight, 0 to 1
}

export function useWindow(count: number): Window {
  const list = useRef<HTMLDivElement>(null);
  const [range, setRange] = useState({ from: 0, to: 60, height: 26, offset: 0, isLeaping: false, first: 0, last: 60 }); // first, last: in sight
  const [isScrolling, setScrolling] = useState(false);
  useLayoutEffect(() => {
    let frame = 0, calm = 0, before = 0, isMoving = false;
    const measure = () => {
      frame = 0;
      if (!list.current) return;
      const height = parseFloat(getComputedStyle(list.current).getPropertyValue('--row-height')) || 26;
      const total = Math.min(count * height, HEIGHT_MAX), stretch = stretchOf(count * height, total);
      const passed = Math.max(0, -list.current.getBoundingClientRect().top), top = passed * stretch;
      const isLeaping = isMoving && Math.abs(top - before) > innerHeight, beyond = isLeaping ? BEYOND_LEAP : BEYOND;
      before = top;
      const first = Math.floor(top / height), last = Math.ceil((top + innerHeight) / height), from = Math.max(0, first - beyond), to = Math.min(count, last + beyond);
      const offset = stretch === 1 ? 0 : passed - top;
      setRange((old) => (old.from === from && old.to === to && old.height === height && old.offset === offset && old.isLeaping === isLeaping ? old
        : { from, to, height, offset, isLeaping, first, last }));
    };
    const later = () => { if (!frame) frame = requestAnimationFrame(measure); };
    const stopped = () => { isMoving = false; setScrolling(false); measure(); };
    const scrolled = () => { isMoving = true; setScrolling(true); clearTimeout(calm); calm = window.setTimeout(stopped, CALM_MS); later(); };
    measure();
    addEventListener('scroll', scrolled, { passive: true });
    addEventListener('resize', later);
    return () => { cancelAnimationFrame(frame); clearTimeout(calm); removeEventListener('scroll', scrolled); removeEventListener('resize', later); };
  }, [count]);
  const total = Math.min(count * range.height, HEIGHT_MAX), to = Math.min(count, range.to);
  const seen: [number, number] = [Math.min(1, range.first / Math.max(1, count)), Math.min(1, range.last / Math.max(1, count))];
  return { list, isScrolling, isLeaping: range.isLeaping, from: Math.min(range.from, to), to, height: range.height, total, topOf: (row) => row * range.height + range.offset, seen };
}

// How many px of rows go by with each px that the page scrolls.
function stretchOf(rows: number, total: number): number {
  return rows > total ? (rows - innerHeight) / (total - innerHeight) : 1;
}

// Brings a row into sight, between what stays at the top and what covers the bottom.
export function reveal(shown: Window, count: number, row: number, above: number, below: number): void {
  if (!shown.list.current) return;
  const stretch = stretchOf(count * shown.height, shown.total), listTop = shown.list.current.getBoundingClientRect().top;
  const y = stretch === 1 ? listTop + row * shown.height : listTop + row * shown.height / stretch;
  if (y < above || y + shown.height > innerHeight - below) scrollBy(0, y - above - (innerHeight - above - below) / 3);
}
