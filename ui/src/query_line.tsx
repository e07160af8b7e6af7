// The line that a query is typed into. It completes the word at the cursor: a field or key, or after its operator a value.
import { useEffect, useRef, useState } from 'preact/hooks';
import { ask } from './ask';
import { visible } from './parts';
import { written } from './trace_model';
import { words } from './words';

const FIELDS = ['service', 'name', 'status', 'duration', 'kind', 'trace.duration', 'trace.errors', 'trace.spans', 'root.service',
  'root.name', 'status.message', 'open', 'root', 'event', 'scope', 'trace_id', 'span_id', 'parent_id'];
const KNOWN_VALUES: Record<string, string[]> = {
  status: ['error', 'ok', 'unset'], kind: ['server', 'client', 'producer', 'consumer', 'internal'], open: ['true', 'false'],
  root: ['true', 'false'], duration: ['100ms', '1s', '10s'], 'trace.duration': ['1s', '10s', '1m'],
};
const VALUES_OF: Record<string, string> = { operation: 'name', 'root.service': 'service', 'root.name': 'name' };
const SHOWN_MAX = 10, PAUSE_MS = 120;

interface Choice { text: string; insert: string; what: string }
interface Keys { keys: { key: string; of: string; spans: number }[] }
interface Values { values: { value: unknown; type: string; spans: number }[] }
interface Word { from: number; to: number; key: string; operator: string; prefix: string }

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

function operatorOf(key: string): string {
  if (key === 'duration' || key === 'trace.duration' || key === 'trace.errors' || key === 'trace.spans') return '>';
  return FIELDS.includes(key) ? ':' : '=';
}

async function choicesOfValue(word: Word, signal: AbortSignal): Promise<Choice[]> {
  const make = (text: string, insert: string) => ({ text, insert: `${word.key}${word.operator}${insert} `, what: '' });
  const known = KNOWN_VALUES[word.key];
  if (known) return known.filter((one) => one.startsWith(word.prefix)).map((one) => make(one, one));
  const key = VALUES_OF[word.key] ?? word.key.replace(/^(span|resource)?\./, '');
  const search = new URLSearchParams({ key, prefix: word.prefix, limit: String(SHOWN_MAX) });
  const { values } = await ask<Values>(`/api/v1/values?${search}`, signal);
  return values.map(({ value, type }) => {
    const text = String(value);
    return make(text, type === 'string' ? written(text) : text);
  });
}

async function choicesOfKey(prefix: string, signal: AbortSignal): Promise<Choice[]> {
  const fields = FIELDS.filter((one) => one.startsWith(prefix)).map((one) => ({ text: one, insert: one + operatorOf(one), what: words.field }));
  if (prefix === '') return fields.slice(0, SHOWN_MAX);
  const search = new URLSearchParams({ prefix, limit: String(SHOWN_MAX) });
  const [keys, services, names] = await Promise.all([
    ask<Keys>(`/api/v1/keys?${search}`, signal),
    ask<Values>(`/api/v1/values?key=service&${search}`, signal),
    ask<Values>(`/api/v1/values?key=name&${search}`, signal)]);
  const of = (found: Values, field: string) => found.values.slice(0, 4).map(({ value }) =>
    ({ text: String(value), insert: `${field}:${written(String(value))} `, what: field }));
  return [...fields.slice(0, 4), ...of(services, 'service'), ...of(names, 'name'),
    ...keys.keys.filter(({ of: place }) => place === 'span' || place === 'resource')
      .map(({ key }) => ({ text: key, insert: `${key}=`, what: words.key }))].slice(0, SHOWN_MAX);
}

export function QueryLine({ query, onSubmit }: { query: string; onSubmit: (query: string) => void }) {
  const [text, setText] = useState(query);
  const [cursor, setCursor] = useState(-1); // -1: nothing is completed
  const [choices, setChoices] = useState<Choice[]>([]);
  const [active, setActive] = useState(-1);
  const input = useRef<HTMLInputElement>(null);
  useEffect(() => setText(query), [query]);

  useEffect(() => {
    if (cursor < 0) { setChoices([]); return undefined; }
    const control = new AbortController();
    const word = wordAt(text, cursor);
    const timer = setTimeout(() => {
      const asked = word.key ? choicesOfValue(word, control.signal) : choicesOfKey(word.prefix, control.signal);
      // A completion that can't be had is no loss of the line's own work.
      asked.then((found) => { setChoices(found); setActive(-1); }, () => { if (!control.signal.aborted) setChoices([]); });
    }, PAUSE_MS);
    return () => { clearTimeout(timer); control.abort(); };
  }, [text, cursor]);

  const close = () => { setCursor(-1); setActive(-1); };
  const accept = (choice: Choice) => {
    const word = wordAt(text, cursor < 0 ? text.length : cursor);
    const head = text.slice(0, word.from) + choice.insert;
    const whole = head + text.slice(word.to).replace(/^ /, '');
    // At once and not with the next frame: the next letter may come before that.
    if (input.current) {
      input.current.value = whole;
      input.current.focus();
      input.current.setSelectionRange(head.length, head.length);
    }
    setText(whole);
    setCursor(head.length);
    setChoices([]);
  };
  const onKey = (event: KeyboardEvent) => {
    if (event.key === 'ArrowDown' || event.key === 'ArrowUp') {
      event.preventDefault();
      if (choices.length === 0) setCursor(input.current?.selectionStart ?? text.length);
      else setActive((active + (event.key === 'ArrowDown' ? 1 : choices.length + (active < 0 ? 0 : -1))) % choices.length);
    } else if (event.key === 'Escape') {
      if (choices.length > 0) close();
      else input.current?.blur();
    } else if (event.key === 'Tab' && choices.length > 0 && active >= 0) {
      event.preventDefault();
      accept(choices[active]!);
    } else if (event.key === 'Enter') {
      event.preventDefault();
      if (active >= 0 && choices[active]) accept(choices[active]!);
      else { close(); onSubmit(text.trim()); }
    }
  };
  const isOpen = choices.length > 0;
  return <form class="query" role="search" onSubmit={(event) => { event.preventDefault(); close(); onSubmit(text.trim()); }}>
    <div class="field">
      <input ref={input} id="query" type="text" role="combobox" aria-label={words.queryLabel} aria-expanded={isOpen} aria-controls="choices"
        aria-autocomplete="list" aria-activedescendant={active >= 0 ? `choice-${active}` : undefined} placeholder={words.queryHint} value={text}
        autocomplete="off" autocapitalize="off" spellcheck={false} onKeyDown={onKey} onBlur={close}
        onInput={(event) => { setText(event.currentTarget.value); setCursor(event.currentTarget.selectionStart ?? 0); }} />
      <kbd>/</kbd>
    </div>
    <button class="btn main" type="submit">{words.find}</button>
    <ul id="choices" class="choices" role="listbox" aria-label={words.suggestions} hidden={!isOpen}>
      {choices.map((choice, index) =>
        <li key={choice.insert} id={`choice-${index}`} role="option" aria-selected={index === active}
          onMouseDown={(event) => { event.preventDefault(); accept(choice); }}>
          <bdi class="id">{visible(choice.text.slice(0, 120))}</bdi><span class="faint small">{choice.what}</span></li>)}
    </ul>
  </form>;
}
