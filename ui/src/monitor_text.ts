// A monitor's text as its form reads and changes it: YAML of one level, a key a line, or a list below its key. What is written otherwise
// (JSON, comments between, deeper levels) is left to the text: then the form says so.
export interface Entry { key: string; from: number; to: number; value: string } // lines [from, to); of a list an item a line

const KEY = /^([A-Za-z][\w-]*):(?:[ \t]+(.*))?$/, PLAIN = /^[A-Za-z0-9_./][\w./:@+%?&=~*-]*$/;

function plainOf(text: string): string | undefined {
  const given = text.trim();
  if (given.startsWith('"')) {
    try { const value: unknown = JSON.parse(given); return typeof value === 'string' ? value : undefined; } catch { return undefined; }
  }
  if (given.startsWith("'")) return /^'([^']|'')*'$/.test(given) ? given.slice(1, -1).replace(/''/g, "'") : undefined;
  return /^[[{&*!|>%@`]|: | #/.test(given) ? undefined : given;
}

// A list on one line: [a, "b, c"].
function itemsOf(text: string): string[] | undefined {
  const items = text.trim().slice(1, -1).match(/"(?:[^"\\]|\\.)*"|'(?:[^']|'')*'|[^,]+/g) ?? [];
  const read = items.map((one) => plainOf(one)).filter((one) => one !== '');
  return read.every((one): one is string => one !== undefined) ? read : undefined;
}

// undefined: it can't be shown as a form.
export function entriesOf(text: string): Entry[] | undefined {
  const lines = text.split('\n'), found: Entry[] = [];
  for (let at = 0; at < lines.length;) {
    const line = lines[at]!.trimEnd();
    if (line === '' || line === '---') { at++; continue; }
    const [, key, given = ''] = KEY.exec(line) ?? [];
    if (!key || found.some((one) => one.key === key)) return undefined;
    let to = at + 1, value: string | undefined;
    if (given !== '') value = /^\[.*\]$/.test(given) ? itemsOf(given)?.join('\n') : plainOf(given);
    else {
      const items: (string | undefined)[] = [];
      for (; /^\s*- /.test(lines[to] ?? ''); to++) items.push(plainOf(lines[to]!.replace(/^\s*- /, '')));
      value = items.includes(undefined) ? undefined : items.join('\n');
    }
    if (value === undefined) return undefined;
    found.push({ key, from: at, to, value });
    at = to;
  }
  return found;
}

const scalar = (value: string): string => (PLAIN.test(value) && !value.endsWith(':') ? value : JSON.stringify(value));

function written(key: string, value: string, isList: boolean): string {
  const items = value.split('\n').map((one) => one.trim()).filter((one) => one !== '');
  return `${key}: ${isList && items.length > 0 ? `[${items.map((one) => (/[,[\]{}]/.test(one) ? JSON.stringify(one) : scalar(one))).join(', ')}]` : scalar(value)}`;
}

// The text with another value of one key, where it stands or at the end; without it where the value is empty.
export function withValue(text: string, key: string, value: string, isList: boolean): string {
  const lines = text.split('\n'), entry = entriesOf(text)?.find((one) => one.key === key), line = value.trim() === '' ? [] : [written(key, value, isList)];
  if (entry) lines.splice(entry.from, entry.to - entry.from, ...line);
  else {
    while (lines.length > 0 && lines[lines.length - 1]!.trim() === '') lines.pop();
    lines.push(...line);
  }
  while (lines.length > 0 && lines[lines.length - 1]!.trim() === '') lines.pop();
  return lines.length > 0 ? `${lines.join('\n')}\n` : '';
}

// What the server says of a text, a line for each thing: `NAME:LINE: key: what`. By key; under '' what names none.
export function complaintsOf(message: string): Map<string, string> {
  const found = new Map<string, string>();
  for (const line of message.split('\n')) {
    const [, key = '', what = line] = /^[^\s:]*:\d+: (?:([a-z][a-z0-9-]*): )?(.*)$/.exec(line) ?? [];
    found.set(key, found.has(key) ? `${found.get(key)}\n${what}` : what);
  }
  return found;
}
