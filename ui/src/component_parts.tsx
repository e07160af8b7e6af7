// How a component is, and what was measured of it: on the list, and in what the form tried.
import { Monitor, Result, SHAPE } from './components_model';
import { formatCount, formatDuration } from './format';
import { Long } from './parts';
import { StateShape } from './state_mark';
import { words } from './words';

const UNSEEN = <svg class="g" viewBox="0 0 14 14" aria-hidden="true"><circle cx="7" cy="7" r="5.4" fill="none" stroke="currentColor" stroke-width="1.8" stroke-dasharray="2.6 2" /></svg>;

export function ResultMark({ result, word }: { result: Result; word?: string }) {
  const shape = SHAPE[result];
  return <span class={`st ${shape ? `is-${shape}` : 'is-unseen'}`}>{shape ? <StateShape state={shape} /> : UNSEEN}<span class="w">{word ?? words.resultWords[result]}</span></span>;
}

function valueOf(key: string, value: string | number | boolean): string {
  if (typeof value !== 'number') return String(value);
  if (key.endsWith('_ms')) return formatDuration(value * 1e6);
  return Number.isInteger(value) && !/port|pid|status/.test(key) ? formatCount(value) : String(Number(value.toPrecision(6)));
}

export function Values({ values }: { values: Monitor['values'] }) {
  const pairs = Object.entries(values);
  if (pairs.length === 0) return <p class="faint">·</p>;
  return <dl class="values">{pairs.map(([key, value]) => <div key={key}><dt class="small dim">{key}</dt><dd><Long text={valueOf(key, value)} /></dd></div>)}</dl>;
}
