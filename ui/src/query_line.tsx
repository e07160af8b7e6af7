// The line that a query is typed into. It completes the word at the cursor: a field or key, its operator, then a value. The text
// belongs to the page, so that the builder and the line are two views of one query.
import { useEffect, useRef, useState } from 'preact/hooks';
import { Choice, choicesAt, wordAt } from './completion';
import { forget, lately } from './history';
import { Long, visible } from './parts';
import { placeOfByte } from './query';
import { words } from './words';

const PAUSE_MS = 120;

// Where the server could not read on: the query again, with the wrong part marked, and the sentence.
function Wrong({ query, at, message, onGo }: { query: string; at: number; message: string; onGo: (place: number) => void }) {
  const place = placeOfByte(query, at);
  const end = /^[^\s()]*/.exec(query.slice(place))![0].length || 1;
  const from = Math.max(0, place - 60), before = query.slice(from, place);
  const part = query.slice(place, place + Math.min(end, 60)) || ' ';
  return <div class="wrong" role="alert" id="query-wrong">
    <code><bdi>{from > 0 ? '…' : ''}{visible(before)}</bdi>
      <button class="wrong-part" aria-label={words.wrongPart(part.trim() || words.lineEnd)} onClick={() => onGo(place)}>{visible(part)}</button>
      <bdi>{visible(query.slice(place + part.length, place + part.length + 60))}</bdi></code>
    <p><Long text={message} /></p>
  </div>;
}

interface Props {
  text: string;
  onText: (text: string) => void;
  onSubmit: (query: string) => void;
  start: string | undefined; // of the times that values are completed from
  wrong?: { query: string; at: number; message: string };
}

export function QueryLine({ text, onText, onSubmit, start, wrong }: Props) {
  const [cursor, setCursor] = useState(-1); // -1: nothing is completed
  const [choices, setChoices] = useState<Choice[]>([]);
  const [active, setActive] = useState(-1);
  const input = useRef<HTMLInputElement>(null);

  useEffect(() => {
    if (cursor < 0) { setChoices([]); return undefined; }
    const control = new AbortController();
    const timer = setTimeout(() => {
      // A completion that can't be had is no loss of the line's own work.
      choicesAt(text, cursor, start, control.signal).then((found) => { setChoices(found); setActive(-1); },
        () => { if (!control.signal.aborted) setChoices([]); });
    }, PAUSE_MS);
    return () => { clearTimeout(timer); control.abort(); };
  }, [text, cursor]);
  useEffect(() => {
    if (active >= 0) document.getElementById(`choice-${active}`)?.scrollIntoView({ block: 'nearest' });
  }, [active]);

  const close = () => { setCursor(-1); setActive(-1); };
  const place = (whole: string, at: number) => {
    // At once and not with the next frame: the next letter may come before that.
    if (input.current) {
      input.current.value = whole;
      input.current.focus();
      input.current.setSelectionRange(at, at);
    }
    onText(whole);
    setCursor(at);
    setChoices([]);
    setActive(-1);
  };
  const accept = (choice: Choice) => {
    if (choice.isWhole) { place(choice.insert, choice.insert.length); return; }
    const word = wordAt(text, cursor < 0 ? text.length : cursor);
    const head = text.slice(0, word.from) + choice.insert;
    place(head + text.slice(word.to).replace(/^ /, ''), head.length);
  };
  const submit = () => { close(); onSubmit(text.trim()); };
  const onKey = (event: KeyboardEvent) => {
    if (event.key === 'ArrowDown' || event.key === 'ArrowUp') {
      event.preventDefault();
      if (choices.length === 0) setCursor(input.current?.selectionStart ?? text.length);
      else setActive((active + (event.key === 'ArrowDown' ? 1 : choices.length + (active < 0 ? 0 : -1))) % choices.length);
    } else if (event.key === 'Escape') {
      event.stopPropagation();
      if (choices.length > 0) close();
      else input.current?.blur();
    } else if (event.key === 'Tab' && !event.shiftKey && choices.length > 0 && cursor >= 0 && text.trim() !== '') {
      event.preventDefault();
      accept(choices[Math.max(0, active)]!);
    } else if (event.key === 'Enter') {
      event.preventDefault();
      if (active >= 0 && choices[active]) accept(choices[active]!);
      else submit();
    }
  };
  const isOpen = choices.length > 0;
  return <form class="query" role="search" onSubmit={(event) => { event.preventDefault(); submit(); }}>
    <div class={`field${wrong ? ' is-wrong' : ''}`}>
      <input ref={input} id="query" type="text" role="combobox" aria-label={words.queryLabel} aria-expanded={isOpen} aria-controls="choices"
        aria-autocomplete="list" aria-activedescendant={active >= 0 ? `choice-${active}` : undefined} aria-invalid={wrong ? true : undefined}
        aria-describedby={wrong ? 'query-wrong' : undefined} placeholder={words.queryHint} value={text}
        autocomplete="off" autocapitalize="off" spellcheck={false} onKeyDown={onKey} onBlur={close}
        onClick={() => { if (text === '' && lately().length > 0) setCursor(0); }}
        onInput={(event) => { onText(event.currentTarget.value); setCursor(event.currentTarget.selectionStart ?? 0); }} />
      {text !== '' && <button type="button" class="as-link clear" aria-label={words.clear} onClick={() => { place('', 0); close(); }}>×</button>}
      <kbd aria-hidden="true">/</kbd>
    </div>
    <button class="btn main" type="submit">{words.find}</button>
    <div class="choices" hidden={!isOpen}>
      <ul id="choices" role="listbox" aria-label={words.suggestions}>
        {choices.map((choice, index) =>
          <li key={choice.insert + choice.what} id={`choice-${index}`} role="option" aria-selected={index === active}
            onMouseDown={(event) => { event.preventDefault(); accept(choice); }}>
            <bdi class="id">{visible(choice.text.slice(0, 120))}</bdi><span class="faint small nw">{choice.what}</span></li>)}
      </ul>
      {choices.some(({ isWhole }) => isWhole) && <button type="button" class="as-link small forget" tabIndex={-1}
        onMouseDown={(event) => { event.preventDefault(); forget(); setChoices(choices.filter(({ isWhole }) => !isWhole)); }}>{words.forget}</button>}
    </div>
    {wrong && <Wrong {...wrong} onGo={(at) => { input.current?.focus(); input.current?.setSelectionRange(at, at); }} />}
  </form>;
}
