// Asking the server. What was read stays on the page while the next answer is on its way; a server that does not answer
// is asked again, and that is said.
import { useEffect, useState } from 'preact/hooks';
import { ofTenant } from './address';

export class Refusal extends Error {
  constructor(readonly status: number, message: string, readonly at?: number, readonly retryAfter?: number) { super(message); }
  get mayPass(): boolean { return this.status === 0 || this.status === 429 || this.status === 502 || this.status === 503; }
}

export async function askText(path: string, signal?: AbortSignal): Promise<string> {
  let answer: Response;
  try {
    answer = await fetch(ofTenant(path), { signal, headers: { accept: 'application/json' } });
    if (answer.ok) return await answer.text();
  } catch (error) {
    if (signal?.aborted) throw error;
    throw new Refusal(0, String(error));
  }
  const text = await answer.text().catch(() => '');
  if (answer.status === 401) signInFirst();
  throw new Refusal(answer.status, sentenceOf(text) ?? `${answer.status} ${answer.statusText}`, placeOf(text));
}

// The session is over: to the page where one signs in, which leads back here.
function signInFirst(): void {
  if (location.pathname !== '/login') location.assign(`/login?next=${encodeURIComponent(location.pathname + location.search)}`);
}

export async function ask<T>(path: string, signal?: AbortSignal): Promise<T> {
  const text = await askText(path, signal);
  try {
    return JSON.parse(text) as T;
  } catch (error) {
    throw new Refusal(0, String(error)); // cut on its way: half an answer is none
  }
}

export function sentenceOf(text: string): string | undefined {
  try {
    const body: unknown = JSON.parse(text);
    const said = (body as { error?: unknown }).error;
    return typeof said === 'string' ? said : undefined;
  } catch {
    return text.slice(0, 500) || undefined;
  }
}

// The byte of the query, from 1, that the server names as wrong.
function placeOf(text: string): number | undefined {
  try {
    const at = (JSON.parse(text) as { at?: unknown }).at;
    return typeof at === 'number' ? at : undefined;
  } catch {
    return undefined;
  }
}

export interface Asked<T> {
  data?: T;
  path?: string;         // that data or refusal answer
  refusal?: Refusal;
  failingSince?: number; // ms: the server has not answered since
  retryMs: number;       // when it is asked again
  isWaiting: boolean;
  isSlow: boolean;       // no answer for three seconds
  again: () => void;
}

const RETRY_MAX_MS = 15000;

// path undefined: nothing to ask. The path is made anew by `round`, so that a repeated question sees the present time.
export function useAsk<T>(path: string | undefined): Asked<T> {
  const [round, setRound] = useState(0);
  const [state, setState] = useState<Omit<Asked<T>, 'again'>>({ isWaiting: true, isSlow: false, retryMs: 0 });
  useEffect(() => {
    if (path === undefined) return undefined;
    const control = new AbortController();
    let timer = 0, retryMs = 1000, failingSince: number | undefined;
    const slow = setTimeout(() => setState((old) => ({ ...old, isSlow: old.isWaiting })), 3000);
    setState((old) => ({ ...old, isWaiting: true, isSlow: false }));
    const run = async () => {
      try {
        const data = await ask<T>(path, control.signal);
        setState({ path, data, retryMs: 0, isWaiting: false, isSlow: false });
      } catch (error) {
        if (control.signal.aborted) return;
        const refusal = error instanceof Refusal ? error : new Refusal(-1, String(error));
        if (refusal.mayPass) {
          failingSince ??= Date.now();
          retryMs = Math.min(retryMs * 2, RETRY_MAX_MS);
          timer = window.setTimeout(run, retryMs);
          const since = failingSince, next = retryMs;
          setState((old) => ({ ...old, failingSince: since, retryMs: next, isSlow: false }));
        } else {
          setState({ path, refusal, retryMs: 0, isWaiting: false, isSlow: false });
        }
      }
    };
    void run();
    return () => { control.abort(); clearTimeout(timer); clearTimeout(slow); };
  }, [path, round]);
  return { ...state, again: () => setRound((old) => old + 1) };
}
