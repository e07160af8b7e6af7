// What the server says of journeys, and small things that the front page, the board and an order's page share.
import { useEffect } from 'preact/hooks';
import { linkTo } from './address';
import { Asked } from './ask';
import { words } from './words';

export const STATES = ['broken', 'stuck', 'late', 'waiting', 'flowing', 'done', 'cancelled'] as const;
export type State = typeof STATES[number];
export const OPEN: State[] = ['broken', 'stuck', 'late', 'waiting', 'flowing'];
export const STOPPED: State[] = ['broken', 'stuck', 'late'];

export interface Place { kind: string; service: string | null; name: string | null }
export interface Cause { code: string; text: string | null }
export type Counts = Record<State, number>;

interface Common {
  key: string; value: string; state: State; since: string | null; place: Place | null; cause: Cause | null; confidence: number;
  flow: string | null; last_step: string | null; expected_step: string | null; deadline: string | null; first: string | null; last: string | null;
}
export interface Row extends Common { trace_count: number }
export interface Evidence { kind: 'span' | 'count'; trace_id?: string; span_id?: string; value?: number; text: string | null }
export interface Step {
  name: string; label: string; service: string | null; human: string | null; reached: string | null; trace_id?: string; span_id?: string;
  usual_ns: number; optional: boolean; cancels: boolean;
}
export interface Stay {
  place: Place; operation: string | null; by: string | null; start_ns: string; end_ns: string; trace_id: string; span_id: string;
  failed: boolean; interrupted: boolean; queue: boolean;
}
export interface Journey extends Common {
  evidence: Evidence[]; next: string | null; traces: string[]; more_traces: boolean; steps: Step[]; stays: Stay[]; more_stays: boolean;
}
export interface Group { place: Place; cause: Cause; since: string | null; count: number; states: Counts; key: string; value: string }
export interface Standing { flow: string; key: string; name: string; label: string; service: string | null; human: string | null; states: Counts; since: string | null }
export interface Change { sequence: number; at: string; key: string; value: string; state: State; from: State; place: Place | null; cause: Cause | null; last_step: string | null; expected_step: string | null }
export interface Board { groups: Group[]; steps: Standing[]; changes: Change[]; states: Counts; rebuilding: boolean; now: string }
export interface List { journeys: Row[]; count: number; states: Counts; rebuilding: boolean }

export function orderLink(key: string, value: string): string {
  return `/order/${encodeURIComponent(key)}/${encodeURIComponent(value)}`;
}

export function placeName(place: Place | null): string {
  if (!place) return '';
  return place.service ?? place.name ?? words.places[place.kind] ?? place.kind;
}

export function causeText(cause: Cause | null): string {
  return cause ? words.causes[cause.code] ?? cause.code : '';
}

// As a sentence of its own. A name stays as it is written.
export function sentence(text: string): string {
  return /^(the|a|an|no|it) /.test(text) ? text[0]!.toUpperCase() + text.slice(1) : text;
}

export function sumOf(counts: Counts, states: readonly State[]): number {
  return states.reduce((sum, state) => sum + (counts[state] ?? 0), 0);
}

// The stopped journeys of a place and cause.
export function groupLink(place: Place, cause: Cause): string {
  return linkTo('/board', { state: STOPPED.join(','), place: place.kind, service: place.service ?? undefined, cause: cause.code });
}

// Asks again and again while the page is looked at.
export function useLive(asked: Asked<unknown>, everyMs: number): void {
  const { isWaiting, again } = asked;
  useEffect(() => {
    if (isWaiting) return undefined;
    const timer = setTimeout(() => { if (!document.hidden) again(); }, everyMs);
    const seen = () => { if (!document.hidden) again(); };
    document.addEventListener('visibilitychange', seen);
    return () => { clearTimeout(timer); document.removeEventListener('visibilitychange', seen); };
  }, [isWaiting, everyMs]);
}

// -- Orders that were asked for from this browser

const KEY = 'filigree.orders', KEPT = 5;

export interface Lately { key: string; value: string }

export function askedLately(): Lately[] {
  try {
    const kept: unknown = JSON.parse(localStorage.getItem(KEY) ?? '[]');
    return Array.isArray(kept) ? kept.filter((one): one is Lately => typeof one?.key === 'string' && typeof one?.value === 'string').slice(0, KEPT) : [];
  } catch {
    return [];
  }
}

export function noteAsked(key: string, value: string): void {
  const kept = [{ key, value }, ...askedLately().filter((one) => one.key !== key || one.value !== value)].slice(0, KEPT);
  try {
    localStorage.setItem(KEY, JSON.stringify(kept));
  } catch { /* the next one may fit */ }
}
