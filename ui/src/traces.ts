// The traces that a search found: pages that follow each other by cursor, put together as far as the page shows them.
import { useEffect, useMemo, useState } from 'preact/hooks';
import { linkTo } from './address';
import { Asked, useAsk } from './ask';
import { QUERY_MAX, SearchState, Times, nsText } from './search_address';

export interface Summary {
  trace_id: string; root_service: string; root_name: string; has_root: boolean; start_ns: string; duration_ns: string;
  span_count: number; error_count: number; open_count: number; services: { service: string; span_count: number; error_count: number }[];
}
export interface Page {
  traces: Summary[]; next: string | null; partial: boolean; partial_reason?: string;
  read?: Record<string, number>; plan?: { query: string; store: string; decided_on: string };
}

export interface Found {
  first: Asked<Page>;
  more: Asked<Page>;
  isReadingMore: boolean;
  isOfQuestion: boolean; // what is there answers this question, not the one before
  rows: Summary[];
  next: string | null;
  partial?: string;      // the reason of the first page that was
  last?: Page;
}

const PAGE_MAX = 1000;

export function startMs(one: Summary): number {
  return Number(BigInt(one.start_ns) / 1000n) / 1000;
}

export function pathOf(q: string, times: Times, more: Record<string, string | undefined>): string {
  return linkTo('/api/v1/traces', { q, start: nsText(times.startMs), end: nsText(times.endMs), explain: '1', ...more });
}

export function useTraces(state: SearchState, times: Times): Found {
  const { q, limit } = state;
  const firstLimit = useMemo(() => Math.min(PAGE_MAX, limit), [q, times]);
  const path = q.length > QUERY_MAX ? undefined : pathOf(q, times, { limit: String(firstLimit) });
  const first = useAsk<Page>(path);
  const [kept, setKept] = useState<{ of: Page; pages: Page[] }>();
  const isOfQuestion = path !== undefined && first.path === path;
  const rest = kept && kept.of === first.data ? kept.pages : [];
  const pages = first.data ? [first.data, ...rest] : [];
  const last = pages[pages.length - 1];
  const count = pages.reduce((sum, one) => sum + one.traces.length, 0);
  const morePath = isOfQuestion && last && last.next !== null && count < limit
    ? pathOf(q, times, { limit: String(Math.min(PAGE_MAX, limit - count)), cursor: last.next }) : undefined;
  const more = useAsk<Page>(morePath);
  useEffect(() => {
    if (morePath !== undefined && more.path === morePath && more.data && first.data) setKept({ of: first.data, pages: [...rest, more.data] });
  }, [more.data, more.path]);
  // A trace whose older span comes on a later page stays where it was first.
  const rows = useMemo(() => [...new Map(pages.flatMap(({ traces }) => traces).map((one) => [one.trace_id, one])).values()], [first.data, kept]);
  const partial = pages.find((one) => one.partial);
  return { first, more, isReadingMore: morePath !== undefined, isOfQuestion, rows, next: last?.next ?? null,
    partial: partial && (partial.partial_reason ?? ''), last: pages[0] };
}
