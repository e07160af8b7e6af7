// The query as rows of key, operator and value, for those who prefer that to the line. Both are views of one text: what is changed
// here is written into the line, and what is typed there is read back. A row that is not filled in yet is only here.
import { useEffect, useRef, useState } from 'preact/hooks';
import { Choice, choicesOfKeys, choicesOfValue, operatorOf, operatorsOf } from './completion';
import { visible } from './parts';
import { Condition, Group, Misread, Part, asksTraces, emptyGroup, readQuery, writePart, writeQuery } from './query';
import { words } from './words';

const DEPTH_MAX = 5, PAUSE_MS = 120;

interface Props { text: string; onText: (text: string) => void; onSubmit: () => void; start: string | undefined }

function emptyCondition(): Condition & { isNot: boolean } {
  return { is: 'condition', key: '', operator: ':', value: '', isQuoted: false, isNot: false };
}

function withRow(group: Group): Group {
  return group.parts.length > 0 ? group : { ...group, parts: [emptyCondition()] };
}

export function Builder({ text, onText, onSubmit, start }: Props) {
  const own = useRef<string[]>([]); // what this wrote: the last is what rows and line both say; others the line has yet to say
  const [group, setGroup] = useState<Group>(() => withRow(emptyGroup()));
  const [misread, setMisread] = useState<Misread>();
  useEffect(() => {
    const at = own.current.indexOf(text);
    if (at >= 0) {
      own.current.splice(0, at);
      setMisread(undefined);
      return;
    }
    const read = readQuery(text);
    setMisread(read.misread);
    if (read.group) {
      own.current = [text];
      setGroup(withRow(read.group));
    }
  }, [text]);
  const change = (part: Part) => {
    if (part.is !== 'group') return;
    const next = writeQuery(part);
    own.current.push(next);
    setGroup(part);
    onText(next);
  };
  return <section class="builder" aria-label={words.builder} onKeyDown={(event) => {
    if (event.key === 'Enter' && (event.target as HTMLElement).tagName === 'INPUT' && !event.defaultPrevented) { event.preventDefault(); onSubmit(); }
  }}>
    {misread ? <p class="note small" role="status">{words.builderWaits(words.misread[misread.what] ?? '', misread.at + 1)}</p>
      : <GroupRows group={group} depth={0} start={start} context={(skip) => rest(group, skip)} onChange={change} />}
  </section>;
}

// The rest of the query, to narrow a row's values by: only conditions on the same span, all of which must hold.
function rest(group: Group, skip: Part): string {
  if (group.how !== 'and' && group.parts.length > 1) return '';
  const text = writeQuery({ ...group, parts: group.parts.filter((one) => one !== skip) });
  return asksTraces(text) ? '' : text;
}

interface GroupProps { group: Group; depth: number; start: string | undefined; context: (skip: Part) => string; onChange: (group: Part) => void; onRemove?: () => void }

function GroupRows({ group, depth, start, context, onChange, onRemove }: GroupProps) {
  const replace = (index: number, part: Part) => onChange({ ...group, parts: group.parts.map((one, at) => (at === index ? part : one)) });
  const remove = (index: number) => onChange(depth === 0 ? withRow({ ...group, parts: group.parts.filter((_, at) => at !== index) })
    : { ...group, parts: group.parts.filter((_, at) => at !== index) });
  const add = (part: Part) => onChange({ ...group, parts: [...group.parts, part] });
  return <div class="b-group" role="group" aria-label={group.how === 'and' ? words.allOf : words.anyOf}>
    <div class="b-head">
      {depth > 0 && <Not on={group.isNot} onChange={(isNot) => onChange({ ...group, isNot })} />}
      <select class="btn" aria-label={words.howJoined} value={group.how} onChange={(event) => onChange({ ...group, how: event.currentTarget.value === 'or' ? 'or' : 'and' })}>
        <option value="and">{words.allOf}</option><option value="or">{words.anyOf}</option></select>
      {onRemove && <button class="as-link" onClick={onRemove}>{words.removeGroup}</button>}
    </div>
    <ul>{group.parts.map((part, index) => <li key={index}>
      {part.is === 'group'
        ? <GroupRows group={part} depth={depth + 1} start={start} context={() => ''} onChange={(one) => replace(index, one)} onRemove={() => remove(index)} />
        : <Row one={part} start={start} context={() => (depth === 0 ? context(part) : '')} onChange={(one) => replace(index, one)} onRemove={() => remove(index)} />}
    </li>)}</ul>
    <div class="b-foot">
      <button class="as-link" onClick={() => add(emptyCondition())}>{words.addCondition}</button>
      {depth < DEPTH_MAX && <button class="as-link" onClick={() => add({ ...emptyGroup(group.how === 'and' ? 'or' : 'and'), parts: [emptyCondition()] })}>{words.addGroup}</button>}
    </div>
  </div>;
}

function Not({ on, onChange }: { on: boolean; onChange: (on: boolean) => void }) {
  return <button class="btn b-not" aria-pressed={on} onClick={() => onChange(!on)}>{words.not}</button>;
}

type RowPart = Condition & { isNot: boolean };

function Row({ one, start, context, onChange, onRemove }: { one: RowPart; start: string | undefined; context: () => string; onChange: (one: Part) => void; onRemove: () => void }) {
  const operators = operatorsOf(one.key), all = operators.includes(one.operator) ? operators : [one.operator, ...operators];
  const isUnfinished = writePart(one) === '' && one.key !== '';
  return <div class="b-row">
    <Not on={one.isNot} onChange={(isNot) => onChange({ ...one, isNot })} />
    <Combo label={words.key} value={one.key} placeholder={words.key} onInput={(key) => onChange({ ...one, key: key.replace(/[\s()"=!<>:~]/g, '') })}
      onTake={(choice) => onChange({ ...one, key: choice.insert, operator: operatorOf(choice.insert) })}
      choices={(prefix, signal) => choicesOfKeys(prefix, start, signal)} />
    <select class="btn" aria-label={words.operator} value={one.operator} onChange={(event) => onChange({ ...one, operator: event.currentTarget.value })}>
      {all.map((operator) => <option value={operator} key={operator}>{operator} {words.operatorOf[operator] ?? ''}</option>)}</select>
    <Combo label={words.value} value={one.value} placeholder={isUnfinished ? words.valueMissing : words.value} onInput={(value) => onChange({ ...one, value })}
      onTake={(choice) => onChange({ ...one, value: choice.text, isQuoted: choice.insert.startsWith('"') })}
      choices={(prefix, signal) => (one.key === '' ? Promise.resolve([]) : choicesOfValue(one.key, prefix, context(), start, signal))} />
    <button class="as-link b-remove" aria-label={words.removeCondition} onClick={onRemove}>×</button>
  </div>;
}

let comboCount = 0;

interface ComboProps {
  label: string; value: string; placeholder: string; onInput: (value: string) => void; onTake: (choice: Choice) => void;
  choices: (prefix: string, signal: AbortSignal) => Promise<Choice[]>;
}

// A field that offers what may be typed.
function Combo({ label, value, placeholder, onInput, onTake, choices }: ComboProps) {
  const [id] = useState(() => `combo-${++comboCount}`);
  const [isOpen, setOpen] = useState(false);
  const [found, setFound] = useState<Choice[]>([]);
  const [active, setActive] = useState(-1);
  useEffect(() => {
    if (!isOpen) { setFound([]); return undefined; }
    const control = new AbortController();
    const timer = setTimeout(() => {
      choices(value, control.signal).then((all) => { setFound(all); setActive(-1); }, () => { if (!control.signal.aborted) setFound([]); });
    }, PAUSE_MS);
    return () => { clearTimeout(timer); control.abort(); };
  }, [isOpen, value]);
  const take = (choice: Choice) => {
    setOpen(false);
    setFound([]);
    setActive(-1);
    onTake(choice);
  };
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.key === 'ArrowDown' || event.key === 'ArrowUp') {
      event.preventDefault();
      setOpen(true);
      if (found.length > 0) setActive((active + (event.key === 'ArrowDown' ? 1 : found.length + (active < 0 ? 0 : -1))) % found.length);
    } else if (event.key === 'Enter' && active >= 0 && found[active]) {
      event.preventDefault();
      take(found[active]!);
    } else if (event.key === 'Escape' && found.length > 0) {
      event.stopPropagation();
      setOpen(false);
    }
  };
  return <span class="combo">
    <span class="field"><input type="text" role="combobox" aria-label={label} placeholder={placeholder} value={value} autocomplete="off" autocapitalize="off" spellcheck={false}
      aria-expanded={found.length > 0} aria-controls={id} aria-autocomplete="list" aria-activedescendant={active >= 0 ? `${id}-${active}` : undefined}
      onInput={(event) => { onInput(event.currentTarget.value); setOpen(true); }} onFocus={() => setOpen(true)} onBlur={() => setOpen(false)} onKeyDown={onKeyDown} /></span>
    <ul id={id} class="choices" role="listbox" aria-label={words.suggestions} hidden={found.length === 0}>
      {found.map((choice, index) => <li key={choice.insert} id={`${id}-${index}`} role="option" aria-selected={index === active}
        onMouseDown={(event) => { event.preventDefault(); take(choice); }}>
        <bdi class="id">{visible(choice.text.slice(0, 120))}</bdi><span class="faint small nw">{choice.what}</span></li>)}
    </ul>
  </span>;
}
