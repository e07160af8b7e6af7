// The queries that this browser asked lately, the newest first.
import { keptName } from './address';

const KEY = 'filigree.asked', KEPT_MAX = 30, SIZE_MAX = 1000;

export function lately(): string[] {
  try {
    const found: unknown = JSON.parse(localStorage.getItem(keptName(KEY)) ?? '[]');
    return Array.isArray(found) ? found.filter((one): one is string => typeof one === 'string') : [];
  } catch {
    return [];
  }
}

export function remember(query: string): void {
  if (query === '' || query.length > SIZE_MAX) return;
  try {
    localStorage.setItem(keptName(KEY), JSON.stringify([query, ...lately().filter((one) => one !== query)].slice(0, KEPT_MAX)));
  } catch { /* what can't be kept is not offered again */ }
}

export function forget(): void {
  try { localStorage.removeItem(keptName(KEY)); } catch { /* nothing was kept then */ }
}
