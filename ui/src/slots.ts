// A service's colour is a slot of ten, given by first sight and kept by the server: every page and every browser shows the
// same. What the server said last is kept by the browser too, so that nothing changes its colour while it is asked.
import { ask } from './ask';

const KEY = 'filigree.slots', SLOTS = 10, KEPT_MAX = 500, PAUSE_MS = 5000;
const CHANGED = 'filigree-slots';

function kept(): string[] {
  try {
    const names: unknown = JSON.parse(localStorage.getItem(KEY) ?? '[]');
    return Array.isArray(names) ? names.filter((name): name is string => typeof name === 'string') : [];
  } catch {
    return [];
  }
}

let known = new Map(kept().map((name, index) => [name, index]));
let fromServer = false, isAsking = false, askedMs = -PAUSE_MS;

function take(names: string[]): void {
  const before = known;
  known = new Map(names.map((name, index) => [name, index]));
  const same = before.size === known.size && names.every((name) => before.get(name) === known.get(name));
  const first = !fromServer;
  fromServer = true;
  try {
    localStorage.setItem(KEY, JSON.stringify(names.filter((name) => name.length <= 200).slice(0, KEPT_MAX)));
  } catch { /* it is asked again next time */ }
  if (!same || first) dispatchEvent(new Event(CHANGED));
}

// Asks for the order of services, at most every few seconds; what can't be had now is asked for when it is next needed.
function look(): void {
  if (isAsking || performance.now() - askedMs < PAUSE_MS) return;
  isAsking = true;
  askedMs = performance.now();
  ask<{ services: string[] }>('/api/v1/services/slots').then(({ services }) => take(services), () => undefined)
    .finally(() => { isAsking = false; });
}

// Until the server has said otherwise a new service takes the next slot.
export function slotOf(service: string): number {
  let index = known.get(service);
  if (index === undefined) {
    index = known.size;
    known.set(service, index);
    look();
  } else if (!fromServer) {
    look();
  }
  return index % SLOTS + 1;
}

export function onSlots(changed: () => void): () => void {
  addEventListener(CHANGED, changed);
  return () => removeEventListener(CHANGED, changed);
}
