// What changes, as the server tells it: one stream for all that the page shows, open while the page is looked at. Where there is none (the
// server has too many listeners, a proxy that holds it back) the page asks again and again instead.
import { useEffect, useState } from 'preact/hooks';
import { ofTenant } from './address';

const PATH = '/api/v1/journeys/events', TOLD = ['change', 'incidents', 'reset'], AGAIN_MS = 5000;

const listeners = new Set<() => void>(), watchers = new Set<(isLive: boolean) => void>();
let source: EventSource | undefined, isLive = false, timer = 0;

function say(live: boolean): void {
  if (live === isLive) return;
  isLive = live;
  for (const one of watchers) one(live);
}

function close(): void {
  clearTimeout(timer);
  source?.close();
  source = undefined;
  say(false);
}

function open(): void {
  if (source || document.hidden || listeners.size === 0 || typeof EventSource === 'undefined') return;
  const stream = new EventSource(ofTenant(PATH));
  source = stream;
  stream.addEventListener('ready', () => say(true));
  for (const name of TOLD) stream.addEventListener(name, () => { say(true); for (const one of listeners) one(); });
  stream.addEventListener('dropped', () => say(false)); // the browser comes again, and is told what it missed
  stream.onerror = () => {
    say(false);
    if (stream.readyState !== EventSource.CLOSED || source !== stream) return;
    close(); // refused: the browser does not try again by itself
    timer = window.setTimeout(open, AGAIN_MS);
  };
}

document.addEventListener('visibilitychange', () => { if (document.hidden) close(); else open(); });

// Calls onTold when something changed; returns whether changes are told at all.
export function useTold(onTold: () => void): boolean {
  const [live, setLive] = useState(isLive);
  useEffect(() => {
    watchers.add(setLive);
    setLive(isLive);
    return () => { watchers.delete(setLive); };
  }, []);
  useEffect(() => {
    listeners.add(onTold);
    open();
    return () => {
      listeners.delete(onTold);
      setTimeout(() => { if (listeners.size === 0) close(); }, 0); // another page may listen at once
    };
  });
  return live;
}
