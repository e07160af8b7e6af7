// Adding and changing a monitor: a form by kind, and beside it the text as in a file of monitors, which is what is sent. The form reads
// the text and changes it, so that both always say the same; the server reads it by the same parser as a file, says what is wrong of which
// key, and can look once with it before it is kept.
import { useEffect, useMemo, useRef, useState } from 'preact/hooks';
import { Finding, Monitor, pathOf, send, sentenceOf } from './components_model';
import { formatDuration } from './format';
import { Field, KINDS, Sort, fieldsOf } from './monitor_fields';
import { complaintsOf, entriesOf, withValue } from './monitor_text';
import { Copy, Long } from './parts';
import { ResultMark, Values } from './component_parts';
import { words } from './words';

export const EXAMPLE = 'name: shop-api\nkind: http\nurl: http://shop-api.internal:8080/healthz\nservice: shop-api\n';

const NAME: Field = { key: 'name', sort: 'text', needed: true };

function nameOf(text: string): string | undefined {
  return /^\s*name:\s*["']?([A-Za-z0-9_][A-Za-z0-9_.-]*)["']?\s*$/m.exec(text)?.[1];
}

// What a file of monitors has of this one.
function fileText(text: string): string {
  return `monitors:\n${text.trimEnd().split('\n').map((line, at) => `${at === 0 ? '  - ' : '    '}${line}`).join('\n')}\n`;
}

interface RowProps { field: Field; kind: string; value: string; wrong?: string; onValue: (value: string) => void }

function FieldRow({ field, kind, value, wrong, onValue }: RowProps) {
  const { key, sort, otherwise } = field, id = `monitor-${key}`, said = words.monitorFields[`${kind}.${key}`] ?? words.monitorFields[key] ?? [key, ''];
  const hint = [said[1], words.fieldSorts[sort]].filter(Boolean).join('. ');
  const common = { id, 'data-key': key, 'aria-required': field.needed, 'aria-invalid': wrong !== undefined, 'aria-describedby': `${id}-hint` };
  const type = (event: Event) => onValue((event.currentTarget as HTMLInputElement).value);
  const choices = field.choices ?? (sort === 'flag' ? ['false', 'true'] : undefined);
  return <div class="form-row">
    <label for={id}>{said[0]}{field.needed && <span class="faint"> · {words.fieldNeeded}</span>} <span class="id faint">{key}</span></label>
    {choices ? <select {...common} class="btn" value={value || otherwise} onChange={(event) => onValue(event.currentTarget.value === otherwise ? '' : event.currentTarget.value)}>
      {choices.map((one) => <option key={one} value={one}>{sort === 'flag' ? (one === 'true' ? words.yes : words.no) : one}</option>)}</select>
      : sort === 'list' ? <textarea {...common} rows={Math.max(1, value.split('\n').length)} placeholder={otherwise} spellcheck={false} value={value} onInput={type} />
        : <span class={wrong === undefined ? 'field' : 'field is-wrong'}><input {...common} type="text" inputMode={sort === 'count' ? 'numeric' : undefined} placeholder={otherwise} autocomplete="off" autocapitalize="none" spellcheck={false} value={value} onInput={type} /></span>}
    <span id={`${id}-hint`} class="small">{wrong !== undefined && <span class="broken wrong"><Long text={wrong} /> </span>}<span class="dim">{hint}</span></span>
  </div>;
}

function KindRow({ kind, wrong, onKind }: { kind: string; wrong?: string; onKind: (kind: string) => void }) {
  return <div class="form-row"><label for="monitor-kind">{words.monitorKind}<span class="faint"> · {words.fieldNeeded}</span> <span class="id faint">kind</span></label>
    <select id="monitor-kind" data-key="kind" class="btn" value={kind} aria-invalid={wrong !== undefined} aria-describedby="monitor-kind-hint" onChange={(event) => onKind(event.currentTarget.value)}>
      {!(kind in KINDS) && <option value={kind}>{kind || words.chooseKind}</option>}
      {Object.keys(KINDS).map((one) => <option key={one} value={one}>{one}</option>)}</select>
    <span id="monitor-kind-hint" class="small">{wrong !== undefined && <span class="broken wrong">{wrong} </span>}<span class="dim">{words.monitorKinds[kind] ?? ''}</span></span></div>;
}

// What is asked, by the kind; empty where the text is not of a form.
function Fields({ text, complaints, onText }: { text: string; complaints: Map<string, string>; onText: (text: string) => void }) {
  const entries = useMemo(() => entriesOf(text), [text]);
  if (!entries) return <p class="note">{words.noForm}</p>;
  const valueOf = (key: string) => entries.find((one) => one.key === key)?.value ?? '', kind = valueOf('kind'), { first, rest } = fieldsOf(kind);
  const set = (key: string, value: string, sort: Sort) => onText(withValue(text, key, value, sort === 'list'));
  // What the other kind has no use for goes with the kind.
  const turnInto = (next: string) => {
    const { first: some, rest: others } = fieldsOf(next), kept = ['name', 'kind', ...[...some, ...others].map((one) => one.key)];
    const pruned = entries.filter((one) => !kept.includes(one.key)).reduce((old, one) => withValue(old, one.key, '', false), text);
    onText(withValue(pruned, 'kind', next, false));
  };
  const row = (field: Field) => <FieldRow key={field.key} field={field} kind={kind} value={valueOf(field.key)} wrong={complaints.get(field.key)} onValue={(value) => set(field.key, value, field.sort)} />;
  const isOpen = rest.some((one) => complaints.has(one.key));
  return <div class="monitor-fields">{row(NAME)}<KindRow kind={kind} wrong={complaints.get('kind')} onKind={turnInto} />
    {kind in KINDS && <>{first.map(row)}<details open={isOpen || undefined}><summary class="as-link">{words.moreSettings(String(rest.length))}</summary><div class="monitor-fields">{rest.map(row)}</div></details></>}</div>;
}

type Tried = Pick<Monitor, 'result' | 'took_ns' | 'findings' | 'values'>;

function Found({ tried }: { tried: Tried }) {
  return <div class="tried" role="status"><p><ResultMark result={tried.result} /> <span class="dim">{words.triedIn(formatDuration(tried.took_ns))}</span></p>
    {tried.findings.length > 0 && <ul class="findings">{tried.findings.map((one: Finding) => <li key={one.code}><ResultMark result={one.result} /> <span><Long text={sentenceOf(one)} /> <span class="small faint id">{one.code}</span></span></li>)}</ul>}
    <Values values={tried.values} /></div>;
}

export function MonitorForm({ text, turn, onSaved }: { text: string; turn: number; onSaved: (name: string) => void }) {
  const [typed, setTyped] = useState(text), [wrong, setWrong] = useState<string>(), [tried, setTried] = useState<Tried>(), [busy, setBusy] = useState<'' | 'save' | 'try'>('');
  const form = useRef<HTMLFormElement>(null);
  useEffect(() => {
    setTyped(text);
    setWrong(undefined);
    setTried(undefined);
    if (turn === 0) return;
    form.current?.querySelector<HTMLElement>('[data-key=name], textarea')?.focus({ preventScroll: true });
    form.current?.scrollIntoView({ block: 'start' });
  }, [text, turn]);
  const change = (next: string) => { setTyped(next); setTried(undefined); };
  const run = async (what: 'save' | 'try') => {
    const name = nameOf(typed);
    if (!name) { setWrong(`:1: name: ${words.nameMissing}`); return; }
    setBusy(what);
    try {
      if (what === 'try') setTried(await send<Tried>('POST', `${pathOf(name)}/try`, typed));
      else await send('PUT', pathOf(name), typed);
      setWrong(undefined);
      if (what === 'save') onSaved(name);
    } catch (error) {
      setTried(undefined);
      setWrong(error instanceof Error ? error.message : String(error));
    }
    setBusy('');
  };
  const complaints = useMemo(() => complaintsOf(wrong ?? ''), [wrong]);
  return <form class="monitor-form" ref={form} onSubmit={(event) => { event.preventDefault(); void run('save'); }}>
    <div class="monitor-sides">
      <Fields text={typed} complaints={wrong === undefined ? new Map() : complaints} onText={change} />
      <div class="monitor-yaml"><label class="small dim" for="monitor-text">{words.addText}</label>
        <textarea id="monitor-text" class="id" rows={Math.max(8, typed.split('\n').length)} spellcheck={false} value={typed} aria-describedby="monitor-hint"
          aria-invalid={wrong !== undefined} onInput={(event) => change(event.currentTarget.value)} />
        <p class="small dim" id="monitor-hint">{words.addHint} {typed.trim() !== '' && <Copy text={() => fileText(typed)} label={words.copyFile} />}</p>
        <div aria-live="polite">{wrong !== undefined && <p class="note wrong"><span class="broken">{words.notSaved}</span> <Long text={wrong.replace(/^:1: name: /, '')} /></p>}</div>
        <div class="acts"><button class="btn main" disabled={busy !== '' || typed.trim() === ''}>{words.saveMonitor}</button>
          <button class="btn" type="button" disabled={busy !== '' || typed.trim() === ''} onClick={() => { void run('try'); }}>{busy === 'try' ? words.looking : words.tryMonitor}</button></div>
        {tried && <Found tried={tried} />}</div>
    </div>
  </form>;
}
