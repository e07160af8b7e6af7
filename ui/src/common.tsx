// What orders that stopped have in common, and those that are well have not, with the counts of both; nothing where nothing is known.
import { may, useMe } from './account';
import { linkTo } from './address';
import { useAsk } from './ask';
import { formatCount } from './format';
import { useLive } from './journeys';
import { Name } from './parts';
import { words } from './words';

const EVERY_MS = 20000;

interface Facet { service: string; attribute: string; value: string; stopped: number; healthy: number }
interface Common { count: number; stopped: number; healthy: number; few: boolean; partial: boolean; facets: Facet[] }
export interface CommonFilter { state?: string; place?: string; service?: string; cause?: string; step?: string }

export function CommonPart({ filter }: { filter: CommonFilter }) {
  const me = useMe();
  const asked = useAsk<Common>(may(me, 'view') ? linkTo('/api/v1/common', { ...filter }) : undefined);
  useLive(asked, EVERY_MS);
  const told = asked.data;
  if (!told || told.facets.length === 0) return null;
  return <section class="common" aria-labelledby="common"><div class="head"><h2 id="common">{words.commonTitle}</h2><span class="dim">{words.commonRead(formatCount(told.stopped), formatCount(told.healthy))}</span></div>
    <ul>{told.facets.map((one) => <li key={`${one.service}\n${one.attribute}\n${one.value}`}><b><Name text={one.value} /></b> <span class="dim"><Name text={words.commonAttributes[one.attribute] ?? one.attribute} />, <Name text={one.service} /></span>{' '}
      <span class="nw">{words.commonCounts(formatCount(one.stopped), formatCount(told.stopped), formatCount(one.healthy), formatCount(told.healthy))}</span></li>)}</ul>
  </section>;
}
