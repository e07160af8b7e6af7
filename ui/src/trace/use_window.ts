// Which rows of a long list lie in the window. The page itself scrolls; only rows near the window are in the document.
import { useLayoutEffect, useRef, useState } from 'preact/hooks';

const BEYOND = 8; // rows kept above and below the window
const CALM_MS = 200; // without a scroll: it is over
const HEIGHT_MAX = 15e6; // px: browsers refuse more; longer lists scroll faster than their rows

export interface Window {
  list: preact.RefObject<HTMLDivElement>;
  from: number;   // the first row that is drawn
  to: number;     // the one after the last
  height: number; // of a row, px
  total: number;  // px, of the whole list as it scrolls
  topOf: (row: number) => number; // px below the list's top
  slots: number;  // elements at most that are needed at once
  isScrolling: boolean;
  seen: [number, number]; // part of the list in sight, 0 to 1
}

export function useWindow(count: number): Window {
  const list = useRef<HTMLDivElement>(null);
  const [range, setRange] = useState({ from: 0, to: 60, height: 26, offset: 0, view: 800 });
  const [isScrolling, setScrolling] = useState(false);
  useLayoutEffect(() => {
    let frame = 0, calm = 0;
    const measure = () => {
      frame = 0;
      if (!list.current) return;
      const height = parseFloat(getComputedStyle(list.current).getPropertyValue('--row-height')) || 26;
      const total = Math.min(count * height, HEIGHT_MAX), stretch = stretchOf(count * height, total);
      const passed = Math.max(0, -list.current.getBoundingClientRect().top), top = passed * stretch;
      const from = Math.max(0, Math.floor(top / height) - BEYOND);
      const to = Math.min(count, Math.ceil((top + innerHeight) / height) + BEYOND);
      const offset = stretch === 1 ? 0 : passed - top;
      setRange((old) => (old.from === from && old.to === to && old.height === height && old.offset === offset && old.view === innerHeight ? old
        : { from, to, height, offset, view: innerHeight }));
    };
    const later = () => { if (!frame) frame = requestAnimationFrame(measure); };
    const scrolled = () => { setScrolling(true); clearTimeout(calm); calm = window.setTimeout(() => setScrolling(false), CALM_MS); later(); };
    measure();
    addEventListener('scroll', scrolled, { passive: true });
    addEventListener('resize', later);
    return () => { cancelAnimationFrame(frame); clearTimeout(calm); removeEventListener('scroll', scrolled); removeEventListener('resize', later); };
  }, [count]);
  const total = Math.min(count * range.height, HEIGHT_MAX), to = Math.min(count, range.to);
  const seen: [number, number] = [Math.min(1, (range.from ? range.from + BEYOND : 0) / Math.max(1, count)), Math.min(1, (range.to < count ? range.to - BEYOND : count) / Math.max(1, count))];
  const slots = Math.ceil(range.view / range.height) + 2 * BEYOND + 3;
  return { list, slots, isScrolling, from: Math.min(range.from, to), to, height: range.height, total, topOf: (row) => row * range.height + range.offset, seen };
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
