// A service's colour is a slot of ten, given by first sight and kept by the server: every page and every browser shows the
// same. What the server said last is kept by the browser too, so that nothing changes its colour while it is asked.
import { keptName } from './address';
import { ask } from './ask';

const KEY = 'filigree.places', SLOTS = 10, KEPT_MAX = 500, PAUSE_MS = 5000;
const CHANGED = 'filigree-slots';

interface Place { service: string; place: number }

function kept(): Place[] {
  try {
    const places: unknown = JSON.parse(localStorage.getItem(keptName(KEY)) ?? '[]');
    return Array.isArray(places) ? places.filter((one: Partial<Place> | null): one is Place => typeof one?.service === 'string' && Number.isInteger(one.place)) : [];
  } catch {
    return [];
  }
}

const mapOf = (places: Place[]) => new Map(places.map(({ service, place }) => [service, place]));
let known = mapOf(kept()), next = Math.max(-1, ...known.values()) + 1;
let fromServer = false, isAsking = false, askedMs = -PAUSE_MS;

function take(places: Place[]): void {
  const before = known, isFirst = !fromServer;
  known = mapOf(places);
  next = Math.max(-1, ...known.values()) + 1;
  fromServer = true;
  const isSame = before.size === known.size && places.every(({ service, place }) => before.get(service) === place);
  try {
    localStorage.setItem(keptName(KEY), JSON.stringify(places.filter(({ service }) => service.length <= 200).slice(0, KEPT_MAX)));
  } catch { /* it is asked again next time */ }
  if (!isSame || isFirst) dispatchEvent(new Event(CHANGED));
}

// Asks for the order of services, at most every few seconds; what can't be had now is asked for when it is next needed.
function look(): void {
  if (isAsking || performance.now() - askedMs < PAUSE_MS) return;
  isAsking = true;
  askedMs = performance.now();
  ask<{ services: Place[] }>('/api/v1/services/slots').then(({ services }) => take(services), () => undefined)
    .finally(() => { isAsking = false; });
}

// Until the server has said otherwise a new service takes the next slot.
export function slotOf(service: string): number {
  let place = known.get(service);
  if (place === undefined) {
    place = next++;
    known.set(service, place);
    look();
  } else if (!fromServer) {
    look();
  }
  return place % SLOTS + 1;
}

export function onSlots(changed: () => void): () => void {
  addEventListener(CHANGED, changed);
  return () => removeEventListener(CHANGED, changed);
}
