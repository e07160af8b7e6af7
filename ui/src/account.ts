// Who asks: what the server says of whoever looks at the page, and changes, which need its token.
import { useEffect, useState } from 'preact/hooks';
import { ofTenant, tenantNamed } from './address';
import { ask, Refusal, sentenceOf } from './ask';

export type Permission = 'ingest' | 'support' | 'view' | 'operate' | 'admin';

export interface Me {
  mode: 'open' | 'starting' | 'accounts';
  who: string | null;
  roles?: string[];
  may?: Permission[];
  tenant?: string;
  every_tenant?: boolean;
  tenants?: string[];
  csrf?: string;
  provider?: string; // the name of the OpenID provider, where there is one
}

let known: Me | undefined;
const listeners = new Set<() => void>();

export function setMe(me: Me | undefined): void {
  known = me;
  for (const listener of listeners) listener();
}

export function askMe(): void {
  ask<Me>('/api/v1/auth/me').then(setMe, () => undefined);
}

// undefined until the server has answered.
export function useMe(): Me | undefined {
  const [, setRound] = useState(0);
  useEffect(() => {
    const changed = () => setRound((old) => old + 1);
    listeners.add(changed);
    if (!known) askMe();
    return () => { listeners.delete(changed); };
  }, []);
  return known;
}

export function may(me: Me | undefined, permission: Permission): boolean {
  return !me || me.mode === 'open' || (me.may ?? []).includes(permission);
}

// A change. Refusals come as those of ask().
export async function send<T>(path: string, body: unknown = {}): Promise<T> {
  let answer: Response;
  try {
    answer = await fetch(ofTenant(path), {
      method: 'POST', body: JSON.stringify(body),
      headers: { accept: 'application/json', 'content-type': 'application/json', ...(known?.csrf ? { 'filigree-csrf': known.csrf } : {}) },
    });
  } catch (error) {
    throw new Refusal(0, String(error));
  }
  const text = await answer.text().catch(() => '');
  if (!answer.ok) throw new Refusal(answer.status, sentenceOf(text) ?? `${answer.status} ${answer.statusText}`, undefined, Number(answer.headers.get('retry-after')) || undefined);
  return JSON.parse(text) as T;
}

// The tenant whose data this tab shows.
export function tenantShown(me: Me): string | undefined {
  return tenantNamed() ?? me.tenant;
}

// Whether the address means a tenant that the reader may see: one that is not there and one of others are told alike.
export function maySee(me: Me | undefined, tenant: string | undefined): boolean {
  return !me || !me.who || !tenant || tenant === me.tenant || (me.tenants ?? []).includes(tenant);
}

// Where signing in leads: a place of this server and no other.
export function placeAfter(params: URLSearchParams): string {
  const next = params.get('next') ?? '/';
  try {
    const url = new URL(next, location.origin);
    return next.startsWith('/') && url.origin === location.origin && url.pathname !== '/login' ? url.pathname + url.search : '/';
  } catch {
    return '/';
  }
}
