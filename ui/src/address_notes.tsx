// What an address asks for and this version does not know: said in sentences above the page, which shows the rest. Each page reads its
// own parts of the address; here stands what they may be. The search says it itself (search_address.ts).
import { Address, RANGES } from './address';
import { OPEN, STATES } from './journeys';
import { oneLine } from './parts';
import { VERSUS } from './times';
import { VIEWS } from './trace/state';
import { words } from './words';

type Rule = readonly string[] | RegExp | null; // null: any text

const MOMENT = /^(\d{10}|\d{13}|\d{4}-\d\d-\d\d.*)$/, COUNT = /^[1-9]\d{0,5}$/, SHOWN_MAX = 40, NAMES_MAX = 5;
const SORT = /^-?(state|name|rate|errors|p50|p95|p99)$/;
const TIME: Record<string, Rule> = { range: RANGES, from: MOMENT, to: MOMENT, vs: VERSUS };
const STATE = new RegExp(`^(${[...new Set([...STATES, ...OPEN])].join('|')})(,(${STATES.join('|')}))*$`);

// By the begin of the path, the longest first; a part that only an older version wrote stands where it still leads somewhere.
const PARTS: [path: string, parts: Record<string, Rule>][] = [
  ['/account', {}],
  ['/admin', { before: /^\d{1,15}$/ }],
  ['/board', { state: STATE, limit: COUNT, place: null, service: null, cause: null, step: null }],
  ['/components', { monitor: null }],
  ['/flows', {}],
  ['/incidents', { limit: COUNT }],
  ['/login', { next: null, failed: null }],
  ['/order/', {}],
  ['/scorecard', { days: ['1', '7', '30', '90'], before: /^\d{4}-\d\d-\d\d$/ }],
  ['/services/', { ...TIME, op: null, sort: SORT }],
  ['/services', { ...TIME, service: null, sort: SORT, view: ['map', 'table'] }],
  ['/store', { ...TIME, price: /^\d+([.,]\d+)?$/ }],
  ['/trace/', { view: VIEWS, span: null, zoom: /^\d{1,18}-\d{1,18}$/, clock: ['raw'], find: null, closed: null, open: null, sort: /^-?[a-z]+$/,
    by: ['operation', 'service'], at: null, with: null, diff: ['merged', 'sides'] }],
  ['/', {}],
];

function isKnown(rule: Rule, given: string): boolean {
  return rule === null || (rule instanceof RegExp ? rule.test(given) : rule.includes(given));
}

export function AddressNotes({ address: { path, params } }: { address: Address }) {
  if (path === '/search') return null;
  const parts: Record<string, Rule> = { tenant: null, ...PARTS.find(([begin]) => path.startsWith(begin))?.[1] };
  const has = (name: string) => Object.keys(parts).includes(name), short = (text: string) => oneLine(text, SHOWN_MAX), names = [...new Set(params.keys())];
  const unknown = names.filter((name) => !has(name));
  const wrong = names.filter((name) => has(name) && !isKnown(parts[name]!, params.get(name)!));
  if (unknown.length + wrong.length === 0) return null;
  return <div class="note address-note" role="status">
    {wrong.map((name) => <p key={name}>{words.addressWrong(name, short(params.get(name)!))}</p>)}
    {unknown.length > 0 && <p>{words.addressUnknown(unknown.slice(0, NAMES_MAX).map(short).join(', '))}</p>}</div>;
}
