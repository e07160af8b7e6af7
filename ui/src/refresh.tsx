// Pages that keep up with the present: the moment that they show, moved on while somebody looks, and a clock that says so. While the
// server does not answer the moment stays where it is, and the clock says since when.
import { useEffect, useRef, useState } from 'preact/hooks';
import { Asked } from './ask';
import { formatTime, zone } from './format';
import { words } from './words';

// The present, in steps of everyMs; stands still where isFixed, while the page is hidden and while the server is gone.
export function useMoment(everyMs: number, isFixed: boolean, isStopped: () => boolean): number {
  const [moment, setMoment] = useState(Date.now);
  const stopped = useRef(isStopped);
  stopped.current = isStopped;
  useEffect(() => {
    if (isFixed) return undefined;
    const tick = () => { if (!document.hidden && !stopped.current()) setMoment(Date.now()); };
    const timer = setInterval(tick, everyMs);
    document.addEventListener('visibilitychange', tick);
    return () => { clearInterval(timer); document.removeEventListener('visibilitychange', tick); };
  }, [everyMs, isFixed]);
  return moment;
}

export function Clock({ asked, moment, isFixed }: { asked: Asked<unknown>; moment: number; isFixed: boolean }) {
  if (isFixed) return <span class="clock faint">{words.fixedTime}</span>;
  if (asked.failingSince !== undefined) return <span class="clock late-text" role="status">{words.notLive(formatTime(moment))}</span>;
  return <span class="clock dim" title={zone}>{words.liveAt(formatTime(moment))}</span>;
}

// What is live never moves a row from under the pointer or the focus: while either is on the element, the rows keep their order and
// new ones go to the end.
export function useHeldOrder<T extends { key: string }>(rows: readonly T[], asked: string): { rows: readonly T[]; hold: Record<string, () => void> } {
  const isHeld = useRef({ pointer: false, focus: false }), last = useRef<{ asked: string; keys: string[] }>({ asked, keys: [] });
  const keeps = (isHeld.current.pointer || isHeld.current.focus) && last.current.asked === asked;
  let ordered = rows;
  if (keeps) {
    const place = new Map(last.current.keys.map((key, at) => [key, at])), after = place.size;
    ordered = rows.map((row, at) => ({ row, at: place.get(row.key) ?? after + at })).sort((a, b) => a.at - b.at).map(({ row }) => row);
  }
  last.current = { asked, keys: ordered.map((row) => row.key) };
  const set = (what: 'pointer' | 'focus', to: boolean) => () => { isHeld.current[what] = to; };
  return { rows: ordered, hold: { onPointerEnter: set('pointer', true), onPointerLeave: set('pointer', false), onFocusIn: set('focus', true), onFocusOut: set('focus', false) } };
}
