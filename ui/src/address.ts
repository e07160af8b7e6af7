// The address is the state: what is shown is read from it, and what is clicked goes into it.
import { options } from 'preact';
import { useEffect, useState } from 'preact/hooks';

export interface Address {
  path: string;
  params: URLSearchParams;
}

const CHANGED = 'filigree-address';

function read(): Address {
  return { path: location.pathname, params: new URLSearchParams(location.search) };
}

export function useAddress(): Address {
  const [address, setAddress] = useState(read), [first] = useState(location.href);
  useEffect(() => {
    const changed = () => setAddress(read());
    addEventListener('popstate', changed);
    addEventListener(CHANGED, changed);
    if (location.href !== first) changed(); // a page that leads on at once did so before this listened
    return () => { removeEventListener('popstate', changed); removeEventListener(CHANGED, changed); };
  }, []);
  return address;
}

// -- Whose data: tenant=NAME in the address. Each tab has its own, and a link that is sent leads to the same; without it
// the server shows what the account has, or the default where it has all.

export function tenantNamed(): string | undefined {
  return new URLSearchParams(location.search).get('tenant') || undefined;
}

// The address may name one that the reader may not see: nothing on that page leads there again.
let isForeign = false;

export function setForeign(foreign: boolean): void {
  isForeign = foreign;
}

// What is the same for all tenants: who asks, and the server as a whole.
const NOBODYS = /^\/(login|setup)$|^\/auth\/|^\/api\/v1\/(auth\/|stats$)/;

// The same place for the tenant that is shown, unless it names one. All that the pages ask, and all that they lead to, goes through here.
export function ofTenant(to: string): string {
  const tenant = isForeign ? undefined : tenantNamed(), [, path, search = '', hash] = /^([^?#]*)(?:\?([^#]*))?(#.*)?$/s.exec(to)!;
  if (!tenant || !path!.startsWith('/') || path!.startsWith('//') || NOBODYS.test(path!) || new URLSearchParams(search).has('tenant')) return to;
  return `${path}?${search && `${search}&`}tenant=${encodeURIComponent(tenant)}${hash ?? ''}`;
}

// What the browser keeps of what was looked at is kept for each tenant by itself.
export function keptName(name: string): string {
  const tenant = tenantNamed();
  return tenant ? `${name}@${tenant}` : name;
}

// Links have it where they are made, so that what is copied or opened in another tab has it too.
export function carryTenant(): void {
  const before = options.vnode;
  options.vnode = (vnode) => {
    const props = vnode.props as { href?: unknown };
    if (vnode.type === 'a' && typeof props.href === 'string') props.href = ofTenant(props.href);
    before?.(vnode);
  };
}

export function linkTo(path: string, params: Record<string, string | undefined> = {}): string {
  const search = new URLSearchParams();
  for (const [name, value] of Object.entries(params)) if (value) search.set(name, value);
  const text = search.toString();
  return text ? `${path}?${text}` : path;
}

export function go(to: string): void {
  history.pushState(null, '', ofTenant(to));
  dispatchEvent(new Event(CHANGED));
  scrollTo(0, 0);
}

// The same without a step for the browser's Back.
export function replaceBy(to: string): void {
  history.replaceState(null, '', ofTenant(to));
  dispatchEvent(new Event(CHANGED));
}

// A change inside a page: no step of its own for the browser's Back.
export function amend(changes: Record<string, string | undefined>): void {
  const params = new URLSearchParams(location.search);
  for (const [name, value] of Object.entries(changes)) {
    if (value) params.set(name, value);
    else params.delete(name);
  }
  const text = params.toString();
  history.replaceState(null, '', location.pathname + (text ? `?${text}` : ''));
  dispatchEvent(new Event(CHANGED));
}

// Links inside the pages change the address without loading the document again.
export function followLinks(event: MouseEvent): void {
  if (event.defaultPrevented || event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
  const link = (event.target as Element).closest?.('a');
  if (!link || link.target || link.origin !== location.origin || link.pathname.startsWith('/api/') || link.hash) return;
  if ((new URLSearchParams(link.search).get('tenant') || undefined) !== tenantNamed() && !NOBODYS.test(link.pathname)) return; // another's pages begin anew
  event.preventDefault();
  go(link.pathname + link.search);
}

// -- Time ranges, by word

export const RANGES = ['15m', '1h', '24h', '7d', 'all'] as const;
export type Range = typeof RANGES[number];

const SECONDS: Record<Range, number> = { '15m': 900, '1h': 3600, '24h': 86400, '7d': 604800, all: 0 };

export function rangeOf(params: URLSearchParams, otherwise: Range): Range {
  const range = params.get('range');
  return RANGES.find((one) => one === range) ?? otherwise;
}

export function rangeSeconds(range: Range): number {
  return SECONDS[range];
}

// Milliseconds since 1970; undefined: from the beginning.
export function rangeStart(range: Range, now: number): string | undefined {
  return range === 'all' ? undefined : String(Math.round(now - SECONDS[range] * 1000));
}
