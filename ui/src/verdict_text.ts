// A verdict's sentence, and what a monitor found, in the reader's language. The server's are English and made of names that came with spans: what fits a sentence of
// the catalogue is said by that, and what fits none (the words of a sender) stays as it is.
import { formatDuration } from './format';
import { language, words } from './words';

// Longer ones are a sender's. Names that hold what stands between the parts of a sentence are none.
const LONGEST = 1000, KEPT = 500;
const PARTS: Record<string, string> = { '': '((?:(?!: )[^])+?)', n: '(\\d+)', d: '(\\d+[\\d.a-z]*)', s: '([^]+?)', w: '((?:(?!: )[^])*?)' };
const HOLE = /\{(\d)([ndsw]?)\}/g;

interface Pattern { begin: string; of: RegExp; kinds: string[]; own: string }

function patternOf([english, own]: readonly [string, string]): Pattern {
  const kinds: string[] = [];
  const source = english.replace(/[.*+?^$()|[\]\\]/g, '\\$&').replace(HOLE, (_, __, kind: string) => { kinds.push(kind); return PARTS[kind]!; });
  return { begin: english.split('{')[0]!, of: new RegExp(`^${source}$`), kinds, own };
}

// A form that is nothing but its parts would fit everything.
const patterns = [...words.verdictTexts, ...words.findingForms.filter(([form]) => /[a-z]/.test(form.replace(HOLE, '')))].map(patternOf);
const forms = new Map(words.findingForms.map((one) => [one[0].replace(HOLE, '{$1}'), patternOf(one)]));
const kept = new Map<string, string>();

// As src/base/units.c writes it: 430us, 1.50s, 3m05s, 2h10m, 1d04h.
function durationOf(text: string): string {
  const ns: Record<string, number> = { ns: 1, us: 1e3, ms: 1e6, s: 1e9, m: 6e10, h: 3.6e12, d: 8.64e13 };
  const sum = [...text.matchAll(/([\d.]+)([a-z]+)/g)].reduce((all, [, count, unit]) => all + Number(count) * (ns[unit!] ?? NaN), 0);
  return Number.isFinite(sum) && sum > 0 ? formatDuration(sum) : text;
}

function translated(text: string): string {
  for (const { begin, of, kinds, own } of patterns) {
    const found = text.startsWith(begin) && of.exec(text);
    if (!found) continue;
    return filled(own, kinds, found.slice(1));
  }
  return text;
}

function filled(own: string, kinds: readonly string[], parts: readonly string[]): string {
  return own.replace(/\{(\d)\}/g, (_, digit: string) => {
    const part = parts[Number(digit) - 1] ?? '', kind = kinds[Number(digit) - 1];
    return kind === 'd' ? durationOf(part) : kind === 's' ? translated(part) : kind === 'w' ? words.findingParts[part] ?? part : kind === '' ? labelTold(part) : part;
  });
}

// The same of a form and its parts; undefined where the catalogue has none.
export function toldForm(form: string, parts: readonly string[]): string | undefined {
  const pattern = forms.get(form);
  return pattern && filled(pattern.own, pattern.kinds, parts);
}

// Steps' labels as the flow gives them for the server's sentences, and in the reader's language.
const labels = new Map<string, string>();

interface Labelled {
  name: string; label: string | null; labels?: Record<string, string> | null; human?: string | null; humans?: Record<string, string> | null;
}

export function labelOf(step: Labelled): string {
  return step.labels?.[language] ?? step.label ?? step.name;
}

// What is said of steps from now on; those of several flows may be told.
export function noteLabels(steps: readonly Labelled[]): void {
  for (const step of steps) {
    note(step.label, labelOf(step));
    note(step.human, humanOf(step));
  }
}

function note(text: string | null | undefined, own: string): void {
  if (!text || (labels.get(text) ?? text) === own) return;
  labels.set(text, own);
  kept.clear();
}

// Who has to act; "": a machine.
export function humanOf(step: Labelled): string {
  return step.humans?.[language] ?? step.human ?? '';
}

export function labelTold(label: string): string {
  return labels.get(label) ?? label;
}

export function told(text: string): string {
  if (patterns.length === 0 || text.length > LONGEST) return text;
  let own = kept.get(text);
  if (own === undefined) {
    if (kept.size >= KEPT) kept.clear();
    kept.set(text, own = translated(text));
  }
  return own;
}
