// The keys of the trace page: the most used ones in a line at its foot, all of them in the help.
import { words } from '../words';

export const TRACE_KEYS: [key: string, what: string][] = [
  ['j k', words.keyRow], ['← →', words.keyFold], ['⇧← ⇧→', words.keyFoldAll], ['Home End', words.keyEnds], ['e E', words.keyError], ['c C', words.keyPath],
  ['z', words.keyZoom], ['Z', words.keyWhole], ['+ − , .', words.keyZoomBy], ['f', words.keyFind], ['n N', words.keyHit], ['[ ]', words.keyView], ['r', words.keyClock],
  ['Enter', words.keyPanel], ['Esc', words.keyBack],
];

const SHORT = new Set(['j k', '← →', 'e E', 'c C', 'z', 'f', '[ ]']);

export function KeyLine() {
  return <p class="keys small dim" aria-label={words.keys}>{TRACE_KEYS.filter(([key]) => SHORT.has(key)).map(([key, what]) =>
    <span key={key}>{key.split(' ').map((one) => <><kbd>{one}</kbd>{' '}</>)}{what}</span>)}<span><kbd>?</kbd> {words.keyList}</span></p>;
}
