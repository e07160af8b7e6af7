// What the server says of journeys, and small things that the front page, the board and an order's page share.
import { useEffect, useRef } from 'preact/hooks';
import { keptName, linkTo } from './address';
import { Asked } from './ask';
import { useTold } from './events';
import { Messages } from './queue_table';
import { labelTold, told } from './verdict_text';
import { words } from './words';

export const STATES = ['broken', 'stuck', 'late', 'waiting', 'flowing', 'done', 'cancelled'] as const;
export type State = typeof STATES[number];
export const OPEN: State[] = ['broken', 'stuck', 'late', 'waiting', 'flowing'];
export const STOPPED: State[] = ['broken', 'stuck', 'late'];

export interface Place { kind: string; service: string | null; name: string | null }
export interface Cause { code: string; text: string | null }
export type Counts = Record<State, number>;

// By language, where the flow gives several.
export type Labels = Record<string, string> | null;

interface Common {
  key: string; value: string; state: State; since: string | null; place: Place | null; cause: Cause | null; confidence: number;
  flow: string | null; last_step: string | null; expected_step: string | null; deadline: string | null; first: string | null; last: string | null;
}
export interface Row extends Common { trace_count: number }
export interface Evidence { kind: 'span' | 'count'; trace_id?: string; span_id?: string; value?: number; text: string | null; query?: string | null }
export interface Step {
  name: string; label: string; labels: Labels; service: string | null; human: string | null; humans: Labels; reached: string | null; trace_id?: string; span_id?: string;
  usual_ns: number; optional: boolean; cancels: boolean;
}
export interface Stay {
  place: Place; operation: string | null; by: string | null; start_ns: string; end_ns: string; trace_id: string; span_id: string;
  failed: boolean; interrupted: boolean; queue: boolean; taken?: number; taken_failed?: number;
}
export interface Queue extends Messages { name: string; waited_ns: number }
export interface Recovery { place: Place | null; cause: Cause | null; since: string | null; until: string | null }
export interface Journey extends Common {
  recovered: Recovery | null; incident: string | null;
  evidence: Evidence[]; next: string | null; traces: string[]; more_traces: boolean; steps: Step[]; queues: Queue[]; stays: Stay[]; more_stays: boolean;
}
export interface Group { place: Place; cause: Cause; since: string | null; count: number; states: Counts; key: string; value: string }
export interface Standing { flow: string; key: string; name: string; label: string; labels: Labels; service: string | null; human: string | null; humans: Labels; states: Counts; since: string | null }
export interface Change { sequence: number; at: string; key: string; value: string; state: State; from: State; place: Place | null; cause: Cause | null; last_step: string | null; expected_step: string | null }
export interface Board { groups: Group[]; steps: Standing[]; changes: Change[]; states: Counts; rebuilding: boolean; full?: boolean; now: string }
export interface List { journeys: Row[]; count: number; states: Counts; rebuilding: boolean }

export function orderLink(key: string, value: string): string {
  return `/order/${encodeURIComponent(key)}/${encodeURIComponent(value)}`;
}

export function placeName(place: Place | null): string {
  if (!place) return '';
  if (place.kind === 'person' && place.service) return labelTold(place.service);
  return place.service ?? place.name ?? words.places[place.kind] ?? place.kind;
}

export function causeText(cause: Cause | null): string {
  return cause ? words.causes[cause.code] ?? cause.code : '';
}

// What the server says, in the reader's language and as a sentence of its own. A name stays as it is written.
export function sentence(text: string): string {
  const own = told(text);
  return /^((the|a|an|no|it|all|work|spans|nothing|others|only|published|this|what) |[а-яё])/.test(own) ? own[0]!.toUpperCase() + own.slice(1) : own;
}

export function sumOf(counts: Counts, states: readonly State[]): number {
  return states.reduce((sum, state) => sum + (counts[state] ?? 0), 0);
}

// The stopped journeys of a place and cause.
export function groupLink(place: Place, cause: Cause): string {
  return linkTo('/board', { state: STOPPED.join(','), place: place.kind, service: place.service ?? undefined, cause: cause.code });
}

const TOLD_MS = 250, BESIDE_MS = 5000;

// Asks again when the server tells that something changed. What is not told (a step inside its deadline, an order that is new) is
// found by asking now and then; where nothing is told, by asking every so often. Only while the page is looked at.
export function useLive(asked: Asked<unknown>, everyMs: number): void {
  const { isWaiting, again, refusal } = asked;
  const told = useRef(0);
  const isTold = useTold(() => {
    if (told.current) return;
    told.current = window.setTimeout(() => { told.current = 0; if (!document.hidden) again(); }, TOLD_MS);
  });
  useEffect(() => () => clearTimeout(told.current), []);
  useEffect(() => {
    if (isWaiting) return undefined;
    const timer = setTimeout(() => { if (!document.hidden) again(); }, isTold && !refusal ? Math.max(everyMs, BESIDE_MS) : everyMs);
    const seen = () => { if (!document.hidden) again(); };
    document.addEventListener('visibilitychange', seen);
    return () => { clearTimeout(timer); document.removeEventListener('visibilitychange', seen); };
  }, [isWaiting, everyMs, isTold]);
}

// -- Orders that were asked for from this browser

const KEY = 'filigree.orders', KEPT = 5;

export interface Lately { key: string; value: string }

export function askedLately(): Lately[] {
  try {
    const kept: unknown = JSON.parse(localStorage.getItem(keptName(KEY)) ?? '[]');
    return Array.isArray(kept) ? kept.filter((one): one is Lately => typeof one?.key === 'string' && typeof one?.value === 'string').slice(0, KEPT) : [];
  } catch {
    return [];
  }
}

export function noteAsked(key: string, value: string): void {
  const kept = [{ key, value }, ...askedLately().filter((one) => one.key !== key || one.value !== value)].slice(0, KEPT);
  try {
    localStorage.setItem(keptName(KEY), JSON.stringify(kept));
  } catch { /* the next one may fit */ }
}
