// What may be typed next: fields and keys, operators of a key, values of a key as the stored spans have them, and what was
// asked lately. Values are narrowed by the rest of the query, so that a service's operations are offered after the service.
import { ask } from './ask';
import { formatCount } from './format';
import { lately } from './history';
import { OPERATORS, asksTraces, readQuery, written } from './query';
import { plural, words } from './words';

export const FIELDS = ['service', 'name', 'status', 'duration', 'kind', 'trace.duration', 'trace.errors', 'trace.spans', 'root.service',
  'root.name', 'status.message', 'open', 'root', 'event', 'scope', 'trace_id', 'span_id', 'parent_id'];
const KNOWN_VALUES: Record<string, string[]> = {
  status: ['error', 'ok', 'unset'], kind: ['server', 'client', 'producer', 'consumer', 'internal'], open: ['true', 'false'],
  root: ['true', 'false'], duration: ['10ms', '100ms', '1s', '10s', '1m'], 'trace.duration': ['100ms', '1s', '10s', '1m', '1h'],
  'trace.spans': ['10', '100', '1000'], 'trace.errors': ['0', '1', '10'],
};
const VALUES_OF: Record<string, string> = { operation: 'name', 'root.service': 'service', 'root.name': 'name' };
const NUMBERS = ['duration', 'trace.duration', 'trace.spans', 'trace.errors'];
const NAMED = ['status', 'kind', 'open', 'root', 'trace_id', 'span_id', 'parent_id'];
const SHOWN_MAX = 10, CONTEXT_MAX = 1000;

export interface Choice { text: string; insert: string; what: string; isWhole?: boolean }
interface Keys { keys: { key: string; of: string; spans: number }[] }
interface Values { values: { value: unknown; type: string; spans: number }[] }
export interface Word { from: number; to: number; key: string; operator: string; prefix: string }

// The word around the cursor, as key, operator and beginning of a value.
export function wordAt(text: string, cursor: number): Word {
  let from = 0, isQuoted = false;
  for (let i = 0; i < cursor; i++) {
    if (text[i] === '\\' && isQuoted) i++;
    else if (text[i] === '"') isQuoted = !isQuoted;
    else if (!isQuoted && /[\s()]/.test(text[i]!)) from = i + 1;
  }
  if (text[from] === '-' || text[from] === '!') from++;
  let to = cursor;
  while (to < text.length && !/[\s()]/.test(text[to]!)) to++;
  const found = /^([^\s:=!<>~"]+)(:|===?|!==?|[<>]=?|=~|!~|=)(.*)$/s.exec(text.slice(from, cursor));
  if (!found) return { from, to, key: '', operator: '', prefix: text.slice(from, cursor) };
  return { from, to, key: found[1]!, operator: found[2]!, prefix: found[3]!.replace(/^"/, '') };
}

export function operatorOf(key: string): string {
  if (NUMBERS.includes(key)) return '>';
  return FIELDS.includes(key) ? ':' : '=';
}

// Those that a key can have, the likeliest first.
export function operatorsOf(key: string): string[] {
  const first = operatorOf(key);
  const all: readonly string[] = NUMBERS.includes(key) ? ['>', '>=', '<', '<=', '=', '!='] : NAMED.includes(key) ? [':', '=', '!=']
    : FIELDS.includes(key) ? [':', '=', '!=', '=~', '!~'] : OPERATORS;
  return [first, ...all.filter((one) => one !== first)];
}

function spans(count: number): string {
  return `${formatCount(count)} ${plural(count, words.spanWord)}`;
}

// What values are narrowed by: the rest of the query, where that is one and is about spans.
export function contextOf(text: string, word: Word): string {
  const rest = `${text.slice(0, word.from)} ${text.slice(word.to)}`.trim();
  const { group } = readQuery(rest);
  const isPlain = group !== undefined && group.how === 'and' && rest.length <= CONTEXT_MAX && !asksTraces(rest);
  return isPlain ? rest : '';
}

async function values(key: string, prefix: string, context: string, start: string | undefined, signal: AbortSignal): Promise<Values['values']> {
  const search = new URLSearchParams({ key, prefix, limit: String(SHOWN_MAX) });
  if (context) search.set('q', context);
  if (start) search.set('start', start);
  return (await ask<Values>(`/api/v1/values?${search}`, signal)).values;
}

// Values of a key: what to write, and how many of the newest spans have it.
export async function choicesOfValue(key: string, prefix: string, context: string, start: string | undefined, signal: AbortSignal): Promise<Choice[]> {
  const known = KNOWN_VALUES[key];
  if (known) return known.filter((one) => one.startsWith(prefix)).map((one) => ({ text: one, insert: one, what: '' }));
  const found = await values(VALUES_OF[key] ?? key.replace(/^(span|resource)?\./, ''), prefix, context, start, signal);
  return found.map(({ value, type, spans: count }) => {
    const text = String(value);
    return { text, insert: type === 'string' ? written(text) : text, what: spans(count) };
  });
}

export async function choicesOfKeys(prefix: string, start: string | undefined, signal: AbortSignal): Promise<Choice[]> {
  const fields = FIELDS.filter((one) => one.startsWith(prefix)).map((one) => ({ text: one, insert: one, what: words.field }));
  const search = new URLSearchParams({ prefix, limit: String(SHOWN_MAX) });
  if (start) search.set('start', start);
  const { keys } = await ask<Keys>(`/api/v1/keys?${search}`, signal);
  const attributes = keys.filter(({ of: place }) => place === 'span' || place === 'resource')
    .map(({ key, spans: count }) => ({ text: key, insert: FIELDS.includes(key) ? `.${key}` : key, what: spans(count) }));
  const seen = new Set(fields.map(({ text }) => text));
  return [...fields.slice(0, prefix === '' ? 6 : SHOWN_MAX), ...attributes.filter(({ text, insert }) => !seen.has(insert) && !seen.has(text))].slice(0, 2 * SHOWN_MAX);
}

function asked(prefix: string): Choice[] {
  return lately().filter((one) => one !== prefix && one.toLowerCase().includes(prefix.toLowerCase())).slice(0, prefix === '' ? 5 : 2)
    .map((one) => ({ text: one, insert: one, what: words.askedLately, isWhole: true }));
}

async function choicesOfWord(prefix: string, context: string, start: string | undefined, signal: AbortSignal): Promise<Choice[]> {
  const keys = (await choicesOfKeys(prefix, start, signal)).map((one) => ({ ...one, insert: one.insert + operatorOf(one.text) }));
  if (prefix === '') return keys.slice(0, SHOWN_MAX);
  const exact = keys.some(({ text }) => text === prefix);
  const operators = exact ? operatorsOf(prefix).slice(1, 9).map((one) => ({ text: prefix + one, insert: prefix + one, what: words.operatorOf[one] ?? '' })) : [];
  const [services, names] = await Promise.all([values('service', prefix, '', start, signal), values('name', prefix, context, start, signal)]);
  const of = (found: Values['values'], field: string) => found.slice(0, 4).map(({ value }) =>
    ({ text: String(value), insert: `${field}:${written(String(value))} `, what: field }));
  const fields = keys.filter(({ what }) => what === words.field), attributes = keys.filter(({ what }) => what !== words.field);
  return [...fields.slice(0, 4), ...operators, ...of(services, 'service'), ...of(names, 'name'), ...attributes].slice(0, SHOWN_MAX + operators.length);
}

// What may stand at the cursor of the whole line.
export async function choicesAt(text: string, cursor: number, start: string | undefined, signal: AbortSignal): Promise<Choice[]> {
  const word = wordAt(text, cursor), context = contextOf(text, word);
  if (word.key) {
    const found = await choicesOfValue(word.key, word.prefix, context, start, signal);
    return found.map((one) => ({ ...one, insert: `${word.key}${word.operator}${one.insert} ` }));
  }
  const history = text.trim() === '' ? asked('') : text.length === cursor && text.trim().length > 1 ? asked(text.trim()) : [];
  return [...history, ...await choicesOfWord(word.prefix, context, start, signal)];
}
