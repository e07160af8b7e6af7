// What the server says of incidents, and what people do to them.
import { ofTenant } from './address';
import { Refusal, ask } from './ask';
import { Cause, Place, causeText, placeName, sentence } from './journeys';
import { words } from './words';

export type IncidentState = 'open' | 'acknowledged' | 'resolved' | 'merged';
export interface Incident {
  id: string; state: IncidentState; place: Place | null; cause: Cause | null; text: string | null; owner: string | null; opened: string; found: string;
  acknowledged: string | null; acknowledged_by: string | null; resolved: string | null; resolved_by: string | null; open_ns: string;
  order_count: number; standing_count: number; reopened_count: number; merged_into: string | null; imported: boolean;
}
export interface IncidentEvent { at: string; what: string; by: string | null; text: string | null }
export interface IncidentOrder { key: string | null; value: string; since: string | null; stands: boolean }
export interface WholeIncident extends Incident { timeline: IncidentEvent[]; orders: IncidentOrder[]; now: string }
export interface IncidentList { incidents: Incident[]; count: number; open_count: number; now: string }

export function isOpen(one: Incident): boolean {
  return one.state === 'open' || one.state === 'acknowledged';
}

export function incidentLink(id: string): string {
  return `/incidents/${encodeURIComponent(id)}`;
}

export function incidentTitle(one: Incident): string {
  if (one.text && one.text !== one.cause?.code) return sentence(one.text);
  return one.cause ? `${placeName(one.place)}: ${causeText(one.cause)}` : placeName(one.place);
}

export function stateWord(state: IncidentState): string {
  return { open: words.incidentOpen, acknowledged: words.incidentAcknowledged, resolved: words.incidentResolved, merged: words.incidentMerged }[state];
}

// Throws a Refusal with the server's sentence. What changes something carries the token of the session, where there is one.
export async function act(id: string, deed: 'acknowledge' | 'resolve' | 'note', by: string, text: string): Promise<void> {
  const body = JSON.stringify(text && deed !== 'acknowledge' ? { by, text } : { by });
  const me = await ask<{ csrf?: string | null }>('/api/v1/auth/me').catch(() => undefined);
  const headers: Record<string, string> = { 'content-type': 'application/json', ...(me?.csrf ? { 'filigree-csrf': me.csrf } : {}) };
  const answer = await fetch(ofTenant(`/api/v1/incidents/${encodeURIComponent(id)}/${deed}`), { method: 'POST', headers, body });
  if (answer.ok) return;
  const said: unknown = await answer.json().catch(() => ({}));
  const error = (said as { error?: unknown }).error;
  throw new Refusal(answer.status, typeof error === 'string' ? error : `${answer.status} ${answer.statusText}`);
}

// -- Who does it, as this browser last said

const KEY = 'filigree.name';

export function ownName(): string {
  try { return localStorage.getItem(KEY) ?? ''; } catch { return ''; }
}

export function keepName(name: string): void {
  try { localStorage.setItem(KEY, name); } catch { /* it is asked for again */ }
}
