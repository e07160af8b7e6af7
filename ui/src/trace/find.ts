// Searching inside a trace: names and services at once, the rest (keys, values, events) as soon as the server has looked.
import { useEffect, useMemo, useState } from 'preact/hooks';
import { ask } from '../ask';
import { Trace } from './columns';

export interface Hits {
  is: Uint8Array;     // by span
  list: number[];     // in order
  isWhole: boolean;   // the server has looked too
  failed?: string;    // it could not
}

export function useFind(trace: Trace, text: string): Hits | undefined {
  const [answer, setAnswer] = useState<{ trace: Trace; text: string; spans?: number[]; failed?: string }>();
  useEffect(() => {
    if (!text) return undefined;
    const control = new AbortController();
    const timer = setTimeout(() => {
      ask<{ spans: number[] }>(`/api/v1/traces/${trace.id}/find?text=${encodeURIComponent(text)}`, control.signal)
        .then(({ spans }) => setAnswer({ trace, text, spans }))
        .catch((error: unknown) => { if (!control.signal.aborted) setAnswer({ trace, text, failed: error instanceof Error ? error.message : String(error) }); });
    }, 100);
    return () => { control.abort(); clearTimeout(timer); };
  }, [trace, text]);
  return useMemo(() => {
    if (!text) return undefined;
    const small = text.toLowerCase(), has = (one: string) => one.toLowerCase().includes(small);
    const names = trace.names.map(has), services = trace.services.map(has), is = new Uint8Array(trace.count);
    for (let at = 0; at < trace.count; at++) if (names[trace.name[at]!] || services[trace.service[at]!]) is[at] = 1;
    const isOf = answer?.trace === trace && answer.text === text;
    if (isOf) for (const at of answer.spans ?? []) if (at < trace.count) is[at] = 1;
    const list: number[] = [];
    for (let at = 0; at < trace.count; at++) if (is[at]) list.push(at);
    return { is, list, isWhole: isOf && answer.spans !== undefined, failed: isOf ? answer.failed : undefined };
  }, [trace, text, answer]);
}
