// The search language as the pages read and write it; doc/search.md and the server's parser have it whole. What is wrong with
// values (durations, kinds) only the server knows: here a query is read for its shape, so that the builder can draw it.

export const OPERATORS = [':', '=', '!=', '>', '>=', '<', '<=', '=~', '!~', '==', '!=='] as const;
const LONGEST_FIRST = ['!==', '==', '=~', '!~', '!=', '<=', '>=', '=', ':', '<', '>'];

export interface Condition { is: 'condition'; key: string; operator: string; value: string; isQuoted: boolean }
export interface Group { is: 'group'; how: 'and' | 'or'; isNot: boolean; parts: Part[] }
export type Part = (Condition | Group) & { isNot: boolean };

export interface Misread { at: number; what: 'quote' | 'parenthesis' | 'closing' | 'value' | 'alone' | 'key' | 'depth' }

const DEPTH_MAX = 24;

export function quoted(text: string): string {
  return `"${text.replace(/\\/g, '\\\\').replace(/"/g, '\\"').replace(/\n/g, '\\n').replace(/\t/g, '\\t')}"`;
}

// A value as a condition writes it: bare where it can't be misread.
export function written(text: string): string {
  return /^[\p{L}\p{N}_][\p{L}\p{N}_.\-/@+]*$/u.test(text) ? text : quoted(text);
}

const isKey = (c: string) => c > ' ' && c !== '\x7f' && !'()"=!<>:~'.includes(c);
const isValue = (c: string) => c > ' ' && c !== '\x7f' && !'()"'.includes(c);

class Reader {
  at = 0;
  depth = 0;
  constructor(readonly text: string) {}

  fail(at: number, what: Misread['what']): never {
    const misread: Misread = { at, what };
    throw misread;
  }
  blanks(): void { while (' \t\r\n'.includes(this.text[this.at] ?? 'x')) this.at++; }
  take(is: (c: string) => boolean): string {
    const from = this.at;
    while (this.at < this.text.length && is(this.text[this.at]!)) this.at++;
    return this.text.slice(from, this.at);
  }
  // "…" as it stands, and what it means.
  takeQuoted(): { raw: string; means: string } {
    const from = this.at++;
    let means = '';
    for (; this.at < this.text.length && this.text[this.at] !== '"'; this.at++) {
      let c = this.text[this.at]!;
      if (c === '\\' && this.at + 1 < this.text.length) {
        c = this.text[++this.at]!;
        c = c === 'n' ? '\n' : c === 't' ? '\t' : c;
      }
      means += c;
    }
    if (this.at >= this.text.length) this.fail(from, 'quote');
    this.at++;
    return { raw: this.text.slice(from, this.at), means };
  }
  takeOperator(): string {
    const found = LONGEST_FIRST.find((one) => this.text.startsWith(one, this.at)) ?? '';
    this.at += found.length;
    return found;
  }
  // A word of the language, where it is no key.
  takeWord(lower: string): boolean {
    const from = this.at, word = this.take(isKey), end = this.at;
    this.blanks();
    const isIt = (word === lower || word === lower.toUpperCase()) && this.takeOperator() === '';
    this.at = isIt ? end : from;
    return isIt;
  }

  condition(): Part {
    const from = this.at;
    let key = this.take(isKey);
    if (this.text[this.at] === '"' && (key === '' || key.endsWith('.'))) key += this.takeQuoted().raw;
    if (key === '' || this.text[this.at] === '"') this.fail(from, 'key');
    const end = this.at;
    this.blanks();
    const operator = this.takeOperator();
    if (operator === '') {
      this.at = end;
      if (!/^[0-9a-f]{32}$/i.test(key)) this.fail(from, 'alone');
      return { is: 'condition', key: 'trace_id', operator: '=', value: key, isQuoted: false, isNot: false };
    }
    this.blanks();
    if (this.text[this.at] === '"') return { is: 'condition', key, operator, value: this.takeQuoted().means, isQuoted: true, isNot: false };
    const value = this.take(isValue);
    if (value === '') this.fail(this.at, 'value');
    return { is: 'condition', key, operator, value, isQuoted: false, isNot: false };
  }
  not(): Part {
    if (++this.depth > DEPTH_MAX) this.fail(this.at, 'depth');
    this.blanks();
    const isSign = this.text[this.at] === '-' || this.text[this.at] === '!';
    let part: Part;
    if (isSign || this.takeWord('not')) {
      if (isSign) this.at++;
      const inner = this.not();
      part = { ...inner, isNot: !inner.isNot };
    } else if (this.text[this.at] === '(') {
      const from = this.at++;
      const inner = this.or();
      this.blanks();
      if (this.text[this.at] !== ')') this.fail(from, 'parenthesis');
      this.at++;
      part = inner;
    } else {
      part = this.condition();
    }
    this.depth--;
    return part;
  }
  and(): Part {
    const parts = [this.not()];
    for (;;) {
      this.blanks();
      const from = this.at;
      if (from >= this.text.length || this.text[from] === ')') break;
      if (this.takeWord('or')) { this.at = from; break; }
      this.takeWord('and');
      parts.push(this.not());
    }
    return joined('and', parts);
  }
  or(): Part {
    const parts = [this.and()];
    while (this.takeWord('or')) parts.push(this.and());
    return joined('or', parts);
  }
}

function joined(how: 'and' | 'or', parts: Part[]): Part {
  return parts.length === 1 ? parts[0]! : { is: 'group', how, isNot: false, parts };
}

export function emptyGroup(how: 'and' | 'or' = 'and'): Group {
  return { is: 'group', how, isNot: false, parts: [] };
}

// The whole query as one group, or what is wrong with it.
export function readQuery(text: string): { group: Group; misread?: undefined } | { group?: undefined; misread: Misread } {
  const reader = new Reader(text);
  try {
    reader.blanks();
    if (reader.at >= text.length) return { group: emptyGroup() };
    const part = reader.or();
    reader.blanks();
    if (reader.at < text.length) reader.fail(reader.at, 'closing');
    if (part.is === 'group' && !part.isNot) return { group: part };
    return { group: { ...emptyGroup(), parts: [part] } };
  } catch (error) {
    if (typeof (error as Misread).at === 'number') return { misread: error as Misread };
    throw error;
  }
}

function writeCondition(one: Condition): string {
  const bare = one.value !== '' && !one.isQuoted && [...one.value].every(isValue);
  return one.key + one.operator + (bare ? one.value : quoted(one.value));
}

// Conditions that are not filled in yet are left out.
export function writePart(part: Part | Group, isInner = true): string {
  if (part.is === 'condition') {
    if (part.key === '' || (part.value === '' && !part.isQuoted)) return '';
    return (part.isNot ? 'not ' : '') + writeCondition(part);
  }
  const texts = part.parts.map((one) => writePart(one)).filter((one) => one !== '');
  if (texts.length === 0) return '';
  const text = texts.join(part.how === 'or' ? ' or ' : ' ');
  if (part.isNot) return `not (${text})`;
  return isInner && texts.length > 1 ? `(${text})` : text;
}

export function writeQuery(group: Group): string {
  return writePart(group, false);
}

// Whether some of it is decided on whole traces.
export function asksTraces(text: string): boolean {
  const { group } = readQuery(text);
  const asks = (part: Part | Group): boolean => (part.is === 'group' ? part.parts.some(asks)
    : /^(trace\.(duration|spans|errors)|root\.(service|name))$/.test(part.key));
  return group !== undefined && asks(group);
}

// The query with these conditions in the place of what it said of their keys, as far as that stood beside all others.
export function narrowed(text: string, conditions: string[]): string {
  const added = conditions.map((one) => readQuery(one).group?.parts[0]).filter((one): one is Part => one !== undefined);
  const { group } = readQuery(text);
  if (!group) return text;
  const keys = new Set(added.map((one) => (one.is === 'condition' ? one.key : '')));
  const all: Group = group.how === 'and' || group.parts.length < 2 ? group : { ...emptyGroup(), parts: [group as Part] };
  const kept = all.parts.filter((one) => !(one.is === 'condition' && !one.isNot && keys.has(one.key)));
  return writeQuery({ ...emptyGroup(), parts: [...kept, ...added] });
}

// A place in bytes of UTF-8, from 1, as one in the text, from 0.
export function placeOfByte(text: string, at: number): number {
  let bytes = 1, place = 0;
  for (const one of text) {
    if (bytes >= at) break;
    const code = one.codePointAt(0)!;
    bytes += code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
    place += one.length;
  }
  return place;
}
