// What the server says of monitors and of how far watching has come; see doc/api.md.
import { ofTenant } from './address';
import { ask } from './ask';
import { formatDuration, formatTime } from './format';
import { told, toldForm } from './verdict_text';

export type Result = 'ok' | 'degraded' | 'down' | 'unknown';
export const RESULTS: readonly Result[] = ['down', 'degraded', 'unknown', 'ok'];

export interface Finding { code: string; result: Result; text: string; standing: boolean; form?: string; parts?: string[] }
export interface Period { result: Result; start: string; end: string }
export interface Look { start: string; took_ns: number; result: Result; code: string; text: string; trace_id: string }

export interface Monitor {
  name: string; kind: string; service: string | null; result: Result; since: string | null;
  is_new: boolean; is_added: boolean; is_paused: boolean; is_overdue: boolean; doubts: number;
  looked: string | null; took_ns: number; interval_ns: number; runs: number;
  findings: Finding[]; values: Record<string, string | number | boolean>; history: Period[];
  looks?: Look[]; text?: string;
}

export interface Monitors { start: string; end: string; monitors: Monitor[]; counts: Record<Result | 'new', number> }

export interface Place {
  name: string; kind: string; system: string; status: 'instrumented' | 'watched' | 'unknown'; calls: number; errors: number;
  monitors: string[]; action: 'instrument' | 'watch' | null; why?: string; proposal: { name: string; text: string } | null;
}

export interface Stage { is_partial: boolean; counts: Record<Place['status'], number>; next: number; places: Place[] }

// Like a journey's states, so that one look at the mark suffices.
export const SHAPE: Record<Result, 'done' | 'late' | 'broken' | undefined> = { ok: 'done', degraded: 'late', down: 'broken', unknown: undefined };

// The catalogue's sentence for its form, where it has one in this language; otherwise the check's own, which is English.
export function sentenceOf(finding: Finding): string {
  const own = finding.form === undefined ? told(finding.text) : toldForm(finding.form, finding.parts ?? []) ?? finding.text;
  return own.charAt(0).toUpperCase() + own.slice(1);
}

export function worst(monitor: Monitor): Finding | undefined {
  const rank = (result: Result) => RESULTS.indexOf(result);
  return [...monitor.findings].sort((a, b) => rank(a.result) - rank(b.result))[0];
}

// The worst first, then by name.
export function inOrder(monitors: readonly Monitor[]): Monitor[] {
  const rank = (one: Monitor) => one.is_new ? RESULTS.length : RESULTS.indexOf(one.result);
  return [...monitors].sort((a, b) => rank(a) - rank(b) || (a.name < b.name ? -1 : 1));
}

export function sinceOf(monitor: Monitor, now: number): { time: string; age: string } | undefined {
  if (!monitor.since) return undefined;
  const since = Date.parse(monitor.since);
  return { time: formatTime(since, now), age: formatDuration(Math.max(0, now - since) * 1e6) };
}

// Milliseconds of each result in the window, and of nobody looking.
export function sharesOf(history: readonly Period[], startMs: number, endMs: number): Record<Result | 'gap', number> {
  const shares = { ok: 0, degraded: 0, down: 0, unknown: 0, gap: Math.max(0, endMs - startMs) };
  for (const period of history) {
    const ms = Math.max(0, Math.min(endMs, Date.parse(period.end)) - Math.max(startMs, Date.parse(period.start)));
    shares[period.result] += ms;
    shares.gap -= ms;
  }
  return shares;
}

// A change on the server, with the token of the session where there is one; the answer, or the refusal's own sentence is thrown.
export async function send<T = unknown>(method: 'PUT' | 'POST' | 'DELETE', path: string, body?: string): Promise<T> {
  const me = await ask<{ csrf?: string | null }>('/api/v1/auth/me').catch(() => undefined);
  const headers: Record<string, string> = {};
  if (body !== undefined) headers['content-type'] = 'application/yaml';
  if (me?.csrf) headers['filigree-csrf'] = me.csrf;
  const answer = await fetch(ofTenant(path), { method, body, headers });
  if (answer.ok) return await answer.json() as T;
  const text = await answer.text().catch(() => '');
  let said: string | undefined;
  try { said = (JSON.parse(text) as { error?: string }).error; } catch { said = text.slice(0, 500); }
  throw new Error(said || `${answer.status} ${answer.statusText}`);
}

export function pathOf(name: string): string {
  return `/api/v1/monitors/${encodeURIComponent(name)}`;
}

const KIND_OF: Record<string, string> = { postgresql: 'database', rabbitmq: 'broker', s3: 'object_store' };

// What is found wrong now with the component that a journey's place names (ADDRESS, with :PORT where that is not the usual one of its
// kind), or with the service of that name; the worst of all its monitors.
export function findingAt(monitors: readonly Monitor[], kind: string, name: string): Finding | undefined {
  const of = monitors.filter((one) => {
    const address = one.values['server.address'], isKind = (KIND_OF[one.kind] ?? kind) === kind;
    return one.service === name || (isKind && address !== undefined && (name === address || name === `${address}:${one.values['server.port']}`));
  });
  return inOrder(of).map(worst).find((one) => one !== undefined);
}
