// What the pages share: texts from outside, marks of state, ranges, what is said when something is not there.
import { useEffect, useLayoutEffect, useState } from 'preact/hooks';
import { RANGES, Range, amend } from './address';
import { Asked } from './ask';
import { formatDuration, formatTime } from './format';
import { slotOf } from './slots';
import { words } from './words';

const SHOWN_MAX = 200;
// Controls, and what turns the direction of writing: made visible, so that no text looks like another.
const HIDDEN = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u061c\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]/g;

export function visible(text: string): string {
  return text.replace(HIDDEN, (one) => {
    const code = one.charCodeAt(0);
    return code < 0x20 ? String.fromCharCode(0x2400 + code) : `⟨U+${code.toString(16).toUpperCase().padStart(4, '0')}⟩`;
  });
}

// A name on one line, cut: also for what has no elements in it, such as a title.
export function oneLine(text: string, most = SHOWN_MAX): string {
  const shown = visible(text.slice(0, most)).replace(/[\n\t]/g, ' ');
  return (shown === '' ? '·' : shown) + (text.length > most ? '…' : '');
}

// The same where its direction shall not reach its neighbours.
export function Name({ text }: { text: string }) {
  return <bdi>{oneLine(text)}</bdi>;
}

// A value: cut with a way to see the rest.
export function Long({ text }: { text: string }) {
  const [whole, setWhole] = useState(false);
  if (text.length <= SHOWN_MAX) return <bdi>{visible(text)}</bdi>;
  return <>
    <bdi>{visible(whole ? text : text.slice(0, SHOWN_MAX))}{whole ? '' : '…'}</bdi>{' '}
    <button class="as-link" onClick={() => setWhole(!whole)}>{whole ? words.showLess : words.showAll}</button>
  </>;
}

export function Swatch({ service }: { service: string }) {
  return <i class={`sw s${slotOf(service)}`} aria-hidden="true" />;
}

export function Cross() {
  return <svg class="g" viewBox="0 0 14 14" aria-hidden="true"><path d="m2.2 2.2 9.6 9.6m0-9.6-9.6 9.6" fill="none" stroke="currentColor" stroke-width="2.8" /></svg>;
}

export function Copy({ text, label }: { text: string | (() => string); label?: string }) {
  const [done, setDone] = useState(false);
  useEffect(() => {
    if (!done) return undefined;
    const timer = setTimeout(() => setDone(false), 1500);
    return () => clearTimeout(timer);
  }, [done]);
  return <button class="as-link" onClick={() => { void copy(typeof text === 'string' ? text : text()).then(setDone); }}>{done ? words.copied : label ?? words.copy}</button>;
}

// The clipboard of a page that came without TLS is the old one.
async function copy(text: string): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    const area = document.createElement('textarea');
    area.value = text;
    area.className = 'vh';
    document.body.append(area);
    area.select();
    const done = document.execCommand('copy');
    area.remove();
    return done;
  }
}

const RANGE_WORDS: Record<Range, string> = { '15m': words.range15m, '1h': words.range1h, '24h': words.range24h, '7d': words.range7d, all: words.rangeAll };

export function Ranges({ chosen, otherwise, without }: { chosen: Range; otherwise: Range; without?: Range }) {
  return <div class="ranges" role="group" aria-label={words.rangeLabel}>
    {RANGES.filter((one) => one !== without).map((one) =>
      <button class="btn" key={one} aria-pressed={one === chosen} onClick={() => amend({ range: one === otherwise ? undefined : one, limit: undefined })}>
        {RANGE_WORDS[one]}</button>)}
  </div>;
}

// What is to be said of a question besides its answer, in the place of the answer.
export function Said({ asked }: { asked: Asked<unknown> }) {
  return <div aria-live="polite">
    {asked.isWaiting && <div class="busy" />}
    {asked.failingSince !== undefined &&
      <p class="note late-text">{words.noAnswer(formatTime(asked.failingSince), formatDuration(asked.retryMs * 1e6))}</p>}
    {asked.isSlow && asked.failingSince === undefined && <p class="note">{words.slow}</p>}
    {asked.refusal && <p class="note"><span class="broken">{words.notRead}</span> <Long text={asked.refusal.message} /></p>}
  </div>;
}

export function NoPage() {
  return <><h1 class="no-page">{words.noPage}</h1><p><a href="/search">{words.toSearch}</a></p></>;
}

export function isTyping(event: KeyboardEvent): boolean {
  const at = event.target as HTMLElement | null;
  return event.ctrlKey || event.metaKey || event.altKey || (at !== null && /^(INPUT|TEXTAREA|SELECT)$/.test(at.tagName));
}

// Before the next paint: a key that follows at once meets what is shown, not what was. `first` is asked before the others,
// and may stop the event.
export function useKeys(onKey: (event: KeyboardEvent) => void, first = false): void {
  useLayoutEffect(() => {
    addEventListener('keydown', onKey, first);
    return () => removeEventListener('keydown', onKey, first);
  });
}
