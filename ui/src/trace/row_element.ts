// One row of the waterfall as an element that is filled again for other spans: while one scrolls, fifty of them change in a frame, so
// nothing is made, read or set that stays as it was. Its name for somebody who can't see it is its text.
import { formatCount, formatDuration } from '../format';
import { words } from '../words';
import { isBroken } from './cause';
import { INTERRUPTED, OPEN, ORPHAN, Times, Trace, waitOf } from './columns';
import { Hits } from './find';

const DEPTH_SHOWN_MAX = 24; // deeper ones are not indented further
const PIECES_MAX = 24;      // marks of the critical path under one bar; nearer ones become one
const CROSS = 'M2.2 2.2 11.8 11.8M11.8 2.2 2.2 11.8';

// What all rows follow from besides their span. Another object: every row is to be filled again.
export interface Look {
  trace: Trace; times: Times; folded: Uint8Array; zoom: { from: number; to: number }; isRaw: boolean; hits: Hits | undefined;
  cause: number; selected: number;
  names: string[]; services: string[]; slots: number[]; // by the trace's numbers, as they are shown
  place: Int32Array; of: Int32Array;                    // of siblings
  width: number;  // px of the axis
  indent: number; // px a level
}

export interface RowElement {
  element: HTMLElement;
  at: number;
  row: number;
  fill(look: Look, at: number, isRough: boolean): void; // rough: the name and the bar, for the moment that somebody leaps past
  place(row: number, top: number): void;
  makeFirst(isFirst: boolean): void; // the one that the Tab key comes to
}

function make(name: string, className: string, parent?: Element): HTMLElement {
  const element = document.createElement(name);
  element.className = className;
  parent?.append(element);
  return element;
}

function cross(): Element {
  const svg = document.createElementNS('http://www.w3.org/2000/svg', 'svg'), path = document.createElementNS('http://www.w3.org/2000/svg', 'path');
  for (const [name, value] of [['class', 'g'], ['viewBox', '0 0 14 14'], ['aria-hidden', 'true']]) svg.setAttribute(name!, value!);
  for (const [name, value] of [['d', CROSS], ['fill', 'none'], ['stroke', 'currentColor'], ['stroke-width', '2.8']]) path.setAttribute(name!, value!);
  svg.append(path);
  return svg;
}

// A cross with what it says: to whom sees it (shown), and to whom doesn't (said).
function broken(className: string, shown: string, said: string, title = ''): HTMLElement {
  const mark = make('span', `broken ${className}`);
  if (title) mark.title = title;
  mark.append(cross(), shown);
  make('span', 'vh', mark).textContent = said;
  return mark;
}

// The marks of the critical path under one bar, in percent of the window.
function marksOf({ trace, times, zoom, isRaw }: Look, at: number): [number, number][] {
  const { path } = trace, marks: [number, number][] = [], length = Math.max(1, zoom.to - zoom.from), near = 0.4;
  const off = times.origin + (isRaw ? trace.shift[at]! : 0);
  for (let i = path.begin[at]!; i < path.begin[at + 1]!; i++) {
    const piece = path.order[i]!, from = Math.max(0, 100 * (path.start[piece]! - off - zoom.from) / length), to = Math.min(100, 100 * (path.end[piece]! - off - zoom.from) / length);
    if (to <= 0 || from >= 100) continue;
    const last = marks[marks.length - 1];
    if (last && (from - last[1] < near || marks.length >= PIECES_MAX)) last[1] = Math.max(last[1], to);
    else marks.push([from, to]);
  }
  return marks;
}

// The bar's line: the label stands where there is room, that of the wait on its lines, or else with the other; that after the bar, before
// all that is drawn, or on the bar.
interface Bar { left: number; width: number; isRagged: boolean }
interface Drawn {
  bar?: Bar;
  wait?: { left: number; width: number; label: string }; // label '': there is no room for one
  label: string;
  where: string;
  at: number;    // percent
  marks: [number, number][];
}

function barOf({ trace, times, zoom }: Look, at: number): Bar | undefined {
  const length = Math.max(1, zoom.to - zoom.from), end = 100 * (times.end[at]! - zoom.from) / length;
  const left = Math.max(0, 100 * (times.start[at]! - zoom.from) / length), right = Math.min(100, end);
  if (left > 100 || right < 0) return undefined;
  return { left: Math.min(left, 99.9), width: Math.max(0, right - left), isRagged: ((trace.flags[at]! & OPEN) | (trace.marks[at]! & INTERRUPTED)) !== 0 && end <= 100 + 1e-6 };
}

function drawn(look: Look, at: number): Drawn {
  const { trace, times, zoom, width } = look, length = Math.max(1, zoom.to - zoom.from), part = (ns: number) => 100 * (ns - zoom.from) / length;
  const isOpen = (trace.flags[at]! & OPEN) !== 0, isDead = (trace.marks[at]! & INTERRUPTED) !== 0;
  const left = Math.max(0, part(times.start[at]!)), right = Math.min(100, part(times.end[at]!)), bar = barOf(look, at), isShown = bar !== undefined;
  const waits = waitOf(trace, times, at), waitLeft = waits ? Math.max(0, part(waits[0])) : 0, waitRight = waits ? Math.min(100, part(waits[1])) : 0;
  const lasts = formatDuration(times.end[at]! - times.start[at]!), isWaitShown = waits !== undefined && waitRight > 0;
  const said = isDead ? words.died(lasts) : isOpen ? words.openFor(lasts) : lasts, waited = waits ? words.waited(formatDuration(waits[1] - waits[0])) : '';
  const room = (letters: number) => 100 * (16 + 6.8 * letters) / Math.max(60, width), fitsWait = waits !== undefined && waitRight - waitLeft > room(waited.length);
  const label = isWaitShown && !fitsWait ? `${said} · ${waited}` : said, need = room(label.length + (at === look.cause ? words.firstCause.length + 5 : 0));
  const begin = isWaitShown ? Math.min(left, waitLeft) : left;
  const [where, place] = !isShown ? [left > 100 ? 'off right' : 'off', 0] : right + need < 100 ? ['after', Math.max(0, right)] : begin > need ? ['before', begin]
    : ['inside', Math.max(0, Math.min(left, 100 - need))];
  return { label: isShown ? label : left > 100 ? '→' : '←', where, at: place, marks: marksOf(look, at), bar,
    wait: isWaitShown && waitLeft < 100 ? { left: waitLeft, width: waitRight - waitLeft, label: fitsWait ? waited : '' } : undefined };
}

export function makeRowElement(): RowElement {
  const element = make('div', 'r'), label = make('span', 'nm', element), line = make('span', 'ln', element);
  element.setAttribute('role', 'treeitem');
  const twist = make('span', 'tw', label), swatch = make('i', 'sw', label);
  twist.setAttribute('aria-hidden', 'true');
  swatch.setAttribute('aria-hidden', 'true');
  const name = document.createTextNode(''), service = document.createTextNode(''), rest = document.createTextNode('');
  make('bdi', '', label).append(name);
  const em = make('em', '', label);
  make('bdi', '', em).append(service);
  em.append(rest);
  const bar = make('i', 'b', line), wait = make('i', 'b q'), waitLabel = make('span', 't inside w'), said = make('span', 't', line);
  const crits: HTMLElement[] = [], extras: Element[] = [], kept = new Map<string, string | null>();
  let shownLook: Look | undefined, wasRough = false, shownTop = -1;

  // Sets what has changed.
  const attribute = (key: string, value: string | null) => {
    if (kept.get(key) === value) return;
    kept.set(key, value);
    if (value === null) element.removeAttribute(key);
    else element.setAttribute(key, value);
  };
  const text = (node: Text, value: string) => { if (node.data !== value) node.data = value; };
  const classes = (of: HTMLElement, value: string) => { if (of.className !== value) of.className = value; };
  const along = (of: HTMLElement, left: number, width: number) => { of.style.left = `${left.toFixed(3)}%`; of.style.width = `${width.toFixed(3)}%`; };
  const show = (of: HTMLElement, isShown: boolean) => {
    if (isShown !== (of.parentNode !== null)) { if (isShown) line.insertBefore(of, said); else of.remove(); }
  };

  const fillLabel = (look: Look, at: number) => {
    const { trace, slots } = look, isFolded = look.folded[at] === 1, hidden = isFolded ? trace.brokenBelow[at]! : 0, of = trace.service[at]!;
    label.style.left = `${look.indent * Math.min(trace.depth[at]!, DEPTH_SHOWN_MAX)}px`;
    classes(twist, trace.size[at]! <= 1 ? 'tw' : isFolded ? 'tw folded' : 'tw open');
    classes(swatch, `sw s${slots[of]}`);
    text(name, look.names[trace.name[at]!]!);
    text(service, look.services[of]!);
    text(rest, `${isFolded ? ` +${formatCount(trace.size[at]! - 1)}` : ''}${trace.flags[at]! & ORPHAN ? ` · ${words.missingParent}` : ''}`);
    for (const one of extras.splice(0)) one.remove();
    if (isBroken(trace, at)) extras.push(broken('', '', words.statusError, words.statusError));
    if (hidden > 0) extras.push(broken('small nw', formatCount(hidden), words.errorsHead));
    em.before(...extras);
  };
  const fillBar = (look: Look, at: number, of: Bar | undefined) => {
    show(bar, of !== undefined);
    if (!of) return;
    classes(bar, `b s${look.slots[look.trace.service[at]!]}${of.isRagged ? ' ragged' : ''}`);
    along(bar, of.left, of.width);
  };
  const fillLine = (look: Look, at: number) => {
    const of = drawn(look, at);
    fillBar(look, at, of.bar);
    show(wait, of.wait !== undefined);
    if (of.wait) along(wait, of.wait.left, of.wait.width);
    show(waitLabel, of.wait !== undefined && of.wait.label !== '');
    if (of.wait?.label) {
      waitLabel.textContent = of.wait.label;
      waitLabel.style.left = `${of.wait.left}%`;
    }
    while (crits.length > of.marks.length) crits.pop()!.remove();
    of.marks.forEach(([from, to], i) => {
      const mark = crits[i] ??= make('i', 'crit');
      if (!mark.parentNode) line.insertBefore(mark, said);
      along(mark, from, to - from);
    });
    classes(said, `t ${of.where}`);
    if (of.bar === undefined) said.setAttribute('aria-hidden', 'true');
    else said.removeAttribute('aria-hidden');
    said.style.left = of.where === 'after' || of.where === 'inside' ? `${of.at}%` : '';
    said.style.width = of.where === 'before' ? `${of.at}%` : '';
    if (at === look.cause && of.bar) {
      const first = make('b', 'broken');
      first.append(cross(), ` ${words.firstCause} · ${of.label}`);
      said.replaceChildren(first);
    } else if (said.firstChild instanceof Text && said.childNodes.length === 1) text(said.firstChild, of.label);
    else said.textContent = of.label;
  };

  return {
    element, at: -1, row: -1,
    fill(look, at, isRough) {
      if (look === shownLook && at === this.at && (isRough || !wasRough)) return;
      const { trace } = look;
      shownLook = look;
      wasRough = isRough;
      this.at = at;
      classes(element, look.hits?.is[at] ? 'r hit' : 'r');
      attribute('aria-level', String(trace.depth[at]! + 1));
      attribute('aria-posinset', String(look.place[at]));
      attribute('aria-setsize', String(look.of[trace.parent[at]! + 1]));
      attribute('aria-selected', String(at === look.selected));
      attribute('aria-expanded', trace.size[at]! > 1 ? String(look.folded[at] !== 1) : null);
      fillLabel(look, at);
      if (isRough) fillBar(look, at, barOf(look, at));
      else fillLine(look, at);
    },
    place(row, top) {
      this.row = row;
      if (top === shownTop) return;
      shownTop = top;
      element.style.top = `${top}px`;
    },
    makeFirst(isFirst) { attribute('tabindex', isFirst ? '0' : '-1'); },
  };
}
