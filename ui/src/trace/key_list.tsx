// The keys of the trace page: the most used ones in a line at its foot, all of them in the help.
import { words } from '../words';
import { View } from './state';

export const TRACE_KEYS: [key: string, what: string][] = [
  ['j k', words.keyRow], ['← →', words.keyFold], ['⇧← ⇧→', words.keyFoldAll], ['Home End', words.keyEnds], ['e E', words.keyError], ['c C', words.keyPath],
  ['z', words.keyZoom], ['Z', words.keyWhole], ['+ − , .', words.keyZoomBy], ['f', words.keyFind], ['n N', words.keyHit], ['[ ]', words.keyView], ['r', words.keyClock],
  ['d', words.keyCompare], ['Enter', words.keyPanel], ['Esc', words.keyBack],
];

export const COMPARE_KEYS: [key: string, what: string][] = [
  ['o', words.keyOther], ['j k', words.keyRow], ['← →', words.keySides], ['n N', words.keyChanged], ['e E', words.keyFailing], ['Enter', words.keyOpenSpan],
  ['m', words.keyMerged], ['u', words.onlyChanged], ['x', words.swap], ['Esc', words.keyBack],
];

const SHORT = new Set(['j k', '← →', 'e E', 'c C', 'z', 'f', 'd', '[ ]']);

export function KeyLine({ view }: { view: View }) {
  const keys = view === 'compare' ? COMPARE_KEYS : TRACE_KEYS.filter(([key]) => SHORT.has(key));
  return <p class="keys small dim" aria-label={words.keys}>{keys.map(([key, what]) =>
    <span key={key}>{key.split(' ').map((one) => <><kbd>{one}</kbd>{' '}</>)}{what}</span>)}<span><kbd>?</kbd> {words.keyList}</span></p>;
}
