// From a point of a chart to the traces behind it: one alone opens at once, more than one are listed.
import { go } from './address';
import { ask } from './ask';
import { Times } from './search_address';
import { Page, pathOf } from './traces';

// toList shows the list, which also says what could not be read: so a failure here needs no words of its own.
export async function openTraces(q: string, times: Times, toList: () => void): Promise<void> {
  const from = location.href;
  const page = await ask<Page>(pathOf(q, times, { limit: '2' })).catch(() => undefined);
  if (location.href !== from) return; // somebody went on meanwhile
  if (page && !page.partial && page.next === null && page.traces.length === 1) go(`/trace/${page.traces[0]!.trace_id}`);
  else toList();
}
