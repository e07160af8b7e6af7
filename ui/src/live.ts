// Following what becomes durable. The server's tail tells which traces got a span that fits; their figures are then asked for once
// a second. A tail ends after some spans, so that a busy server costs no more than a search a second: what came between two tails,
// or more than one can read, is caught up by a search for the newest. A query about whole traces can't be tailed: it is searched again.
import { useEffect, useRef, useState } from 'preact/hooks';
import { linkTo, ofTenant } from './address';
import { Refusal, ask } from './ask';
import { asksTraces } from './query';
import { Page, Summary, pathOf } from './traces';

export interface Live {
  arrived: Summary[];     // newest arrival first; a trace that was in the list before is among them with its new figures
  how: 'off' | 'tail' | 'again' | 'full'; // full: the server follows for as many as it can; searched again, too
  failingSince?: number;
  round: number;          // of what follows slowly, as charts do
}

const SPANS_A_TAIL = 200, IDS_MAX = 30, FLUSH_MS = 1000, AGAIN_MS = 3000, YOUNG_MS = 20000, KEPT_MAX = 500, CATCH_UP = 50, RETRY_MAX_MS = 10000, CHART_MS = 10000;

const sleep = (ms: number, signal: AbortSignal) => new Promise<void>((resolve) => {
  const timer = setTimeout(resolve, ms);
  signal.addEventListener('abort', () => { clearTimeout(timer); resolve(); }, { once: true });
});

// Reads lines until the tail ends; true: spans were missed, so that only a search tells what came.
async function tail(q: string, signal: AbortSignal, begun: () => void, onTrace: (id: string) => void): Promise<void> {
  const answer = await fetch(ofTenant(linkTo('/api/v1/tail', { q, limit: String(SPANS_A_TAIL) })), { signal });
  if (!answer.ok || !answer.body) throw new Refusal(answer.status, await answer.text().catch(() => ''));
  begun();
  const reader = answer.body.getReader(), decoder = new TextDecoder();
  for (let rest = ''; ;) {
    const { done, value } = await reader.read();
    if (done) return;
    const lines = (rest + decoder.decode(value, { stream: true })).split('\n');
    rest = lines.pop()!;
    for (const line of lines) {
      const found = /^\{"trace_id":"([0-9a-f]{32})"/.exec(line);
      if (found) onTrace(found[1]!);
      else if (line.startsWith('{"missed"')) return; // a new tail, and what came is caught up
    }
  }
}

export function useLive(on: boolean, q: string, times: { startMs?: number }): Live {
  const [live, setLive] = useState<Live>({ arrived: [], how: 'off', round: 0 });
  const since = useRef(0);
  since.current = times.startMs ?? 0;
  useEffect(() => {
    setLive({ arrived: [], how: on ? 'tail' : 'off', round: 0 });
    if (!on) return undefined;
    const control = new AbortController(), { signal } = control;
    const seenMs = new Map<string, number>(); // when a trace was first told of, to look at it again while it grows
    let waiting = new Set<string>();
    const take = (traces: Summary[]) => {
      if (signal.aborted || traces.length === 0) return;
      setLive((old) => {
        const newer = new Map(traces.map((one) => [one.trace_id, one]));
        const kept = old.arrived.map((one) => newer.get(one.trace_id) ?? one), known = new Set(kept.map((one) => one.trace_id));
        return { ...old, arrived: [...traces.filter((one) => !known.has(one.trace_id)), ...kept].slice(0, KEPT_MAX) };
      });
    };
    const newest = async () => take((await ask<Page>(pathOf(q, { startMs: since.current || undefined }, { limit: String(CATCH_UP) }), signal)).traces);
    const some = async (ids: string[]) => {
      const these = ids.map((id) => `trace_id=${id}`).join(' or ');
      take((await ask<Page>(pathOf(q ? `(${q}) (${these})` : these, {}, { limit: String(ids.length) }), signal)).traces);
    };
    const flush = async () => {
      const now = Date.now(), ids = [...waiting];
      waiting = new Set();
      const hasMany = ids.length > IDS_MAX;
      const young = [...seenMs].filter(([id, ms]) => now - ms < YOUNG_MS && !ids.includes(id)).map(([id]) => id);
      for (const [id, ms] of seenMs) if (now - ms >= YOUNG_MS) seenMs.delete(id);
      for (const id of ids) if (!seenMs.has(id)) seenMs.set(id, now);
      if (hasMany) await newest();
      else if (ids.length > 0) await some([...ids, ...young].slice(0, IDS_MAX));
      return hasMany;
    };
    let pauseMs = 1000;
    const well = (how: Live['how']) => {
      pauseMs = 1000;
      setLive((old) => (old.how === how && old.failingSince === undefined ? old : { ...old, how, failingSince: undefined }));
    };
    const failed = () => setLive((old) => ({ ...old, failingSince: old.failingSince ?? Date.now() }));
    const follow = async () => {
      let isFull = false;
      while (!signal.aborted) {
        try {
          if (asksTraces(q) || isFull) {
            await newest();
            well(isFull ? 'full' : 'again');
            isFull = false;
            await sleep(AGAIN_MS, signal);
          } else {
            await tail(q, signal, () => { well('tail'); void newest().catch(failed); }, (id) => waiting.add(id));
            await sleep(FLUSH_MS, signal);
          }
        } catch (error) {
          if (signal.aborted) return;
          isFull = error instanceof Refusal && error.status === 429;
          if (error instanceof Refusal && !error.mayPass) return; // the search says what is wrong with the query
          if (!isFull) {
            failed();
            pauseMs = Math.min(RETRY_MAX_MS, pauseMs * 2);
            await sleep(pauseMs, signal);
          }
        }
      }
    };
    const flushing = async () => {
      while (!signal.aborted) {
        await sleep(FLUSH_MS, signal);
        if (!signal.aborted && waiting.size > 0) await flush().catch(() => undefined); // the tail says that the server is gone
      }
    };
    void follow();
    void flushing();
    const chart = setInterval(() => setLive((old) => ({ ...old, round: old.round + 1 })), CHART_MS);
    return () => { control.abort(); clearInterval(chart); };
  }, [on, q]);
  return live;
}
