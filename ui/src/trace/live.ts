// A trace that is read again while it may grow, and looked for again while it is not there.
import { useEffect, useRef, useState } from 'preact/hooks';
import { Asked, Refusal, askText } from '../ask';
import { Trace, ViewJson, makeTrace } from './columns';

const YOUNG_MS = 60e3;         // late spans may still come
const GROWING_MS = 15 * 60e3;  // an open span that is quiet for longer does not grow any more: nobody knows of it
const POLL_MS = 2000, MISSING_POLL_MS = 3000;
const COST_SHARE = 10;         // of the time at most a tenth goes into reading again
const RETRY_MAX_MS = 15000;

export interface Live extends Asked<Trace> {
  isMissing: boolean;   // the server answers, and has no such trace
  isYoung: boolean;     // late spans may still come
  isGrowing: boolean;   // it has spans without an end of which something was heard lately
}

function nowOf(trace: Trace): number {
  return Date.now() - Number(trace.base / 1000000n);
}

export function isGrowing(trace: Trace): boolean {
  return trace.open.length > 0 && nowOf(trace) - trace.last / 1e6 < GROWING_MS;
}

export function isYoung(trace: Trace): boolean {
  return nowOf(trace) - trace.last / 1e6 < YOUNG_MS;
}

type State = Omit<Live, 'again' | 'isYoung' | 'isGrowing'> & { id?: string };

// id undefined: nothing to read.
export function useTrace(id: string | undefined): Live {
  const [round, setRound] = useState(0);
  const [state, setState] = useState<State>({ isWaiting: true, isSlow: false, isMissing: false, retryMs: 0 });
  const text = useRef('');
  useEffect(() => {
    if (id === undefined) return undefined;
    const control = new AbortController();
    let timer = 0, retryMs = 1000, failingSince: number | undefined, trace: Trace | undefined;
    const slow = window.setTimeout(() => setState((old) => ({ ...old, isSlow: old.isWaiting })), 3000);
    setState((old) => (old.id === id ? { ...old, isWaiting: true, isSlow: false } : { isWaiting: true, isSlow: false, isMissing: false, retryMs: 0, id }));
    const later = (ms: number) => { timer = window.setTimeout(run, ms); };
    const run = async () => {
      const began = performance.now();
      try {
        const read = await askText(`/api/v1/traces/${id}/view`, control.signal);
        if (!trace || read !== text.current) {
          trace = makeTrace(JSON.parse(read) as ViewJson);
          text.current = read;
          setState({ id, data: trace, retryMs: 0, isWaiting: false, isSlow: false, isMissing: false });
        } else if (failingSince !== undefined) setState((old) => ({ ...old, failingSince: undefined, retryMs: 0 }));
        failingSince = undefined;
        retryMs = 1000;
        if (isGrowing(trace) || isYoung(trace)) later(Math.max(POLL_MS, COST_SHARE * (performance.now() - began)));
      } catch (error) {
        if (control.signal.aborted) return;
        const refusal = error instanceof Refusal ? error : error instanceof SyntaxError ? new Refusal(0, String(error)) : new Refusal(-1, String(error));
        if (refusal.status === 404) {
          setState({ id, retryMs: 0, isWaiting: false, isSlow: false, isMissing: true });
          later(MISSING_POLL_MS);
        } else if (refusal.mayPass) {
          failingSince ??= Date.now();
          retryMs = Math.min(2 * retryMs, RETRY_MAX_MS);
          const since = failingSince, next = retryMs;
          setState((old) => ({ ...old, failingSince: since, retryMs: next, isSlow: false }));
          later(next);
        } else setState({ id, refusal, retryMs: 0, isWaiting: false, isSlow: false, isMissing: false });
      }
    };
    void run();
    return () => { control.abort(); clearTimeout(timer); clearTimeout(slow); };
  }, [id, round]);
  const data = state.id === id ? state.data : undefined;
  return { ...state, data, isYoung: data !== undefined && isYoung(data), isGrowing: data !== undefined && isGrowing(data),
    again: () => setRound((old) => old + 1) };
}

// How far open spans are drawn, ns after trace.base: to the present while the trace grows, else as far as it tells of.
export function useOpenUntil(trace: Trace): number {
  const [, tick] = useState(0);
  const grows = isGrowing(trace);
  useEffect(() => {
    if (!grows) return undefined;
    const timer = setInterval(() => tick((old) => old + 1), trace.count > 20000 ? 2000 : 500);
    return () => clearInterval(timer);
  }, [grows, trace]);
  return grows ? Math.max(trace.last, nowOf(trace) * 1e6) : trace.last;
}
