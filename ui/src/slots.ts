// A service's colour is a slot of ten, given by first sight and kept: by this browser, until the server keeps it.
const KEY = 'filigree.services', SLOTS = 10, NAMES_MAX = 500;

function load(): string[] {
  try {
    const names: unknown = JSON.parse(localStorage.getItem(KEY) ?? '[]');
    return Array.isArray(names) ? names.filter((name): name is string => typeof name === 'string') : [];
  } catch {
    return [];
  }
}

const known = new Map(load().map((name, index) => [name, index]));

export function slotOf(service: string): number {
  let index = known.get(service);
  if (index === undefined) {
    index = known.size;
    known.set(service, index);
    if (known.size <= NAMES_MAX && service.length <= 200)
      try { localStorage.setItem(KEY, JSON.stringify([...known.keys()].slice(0, NAMES_MAX))); } catch { /* kept for this page alone */ }
  }
  return index % SLOTS + 1;
}
