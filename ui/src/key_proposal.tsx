// Which attribute may name the orders, where none is followed yet: what the spans say for it, and against the others.
import { may, useMe } from './account';
import { useAsk } from './ask';
import { formatCount, formatShare } from './format';
import { Copy, Name, Said } from './parts';
import { plural, words } from './words';

const OTHERS_SHOWN = 6;

interface Candidate { key: string; fits: boolean; fault: string | null; group_of: string | null; values: number; traces: number; services: number; coverage: number; several_traces: number; several_services: number; values_a_trace: number }
interface Proposal { proposed: string | null; few: boolean; spans: number; traces: number; candidates: Candidate[] }

function Row({ one }: { one: Candidate }) {
  return <tr><th scope="row" class="row-head"><Name text={one.key} /></th>
    <td class="n">{one.values > 0 ? formatCount(one.values) : <span class="faint">·</span>}</td>
    <td class="n opt">{one.values > 0 ? formatShare(one.coverage, 1) : <span class="faint">·</span>}</td>
    <td>{one.fits ? words.keyFits : one.fault === 'group' && one.group_of ? words.keyGroup(one.group_of) : words.keyFaults[one.fault ?? ''] ?? one.fault}</td></tr>;
}

export function KeyProposalPart() {
  const me = useMe();
  const asked = useAsk<Proposal>(may(me, 'view') ? '/api/v1/key-proposal' : undefined);
  const told = asked.data;
  if (!told || told.traces === 0) return <Said asked={asked} />;
  const best = told.candidates.find((one) => one.key === told.proposed), others = told.candidates.filter((one) => one !== best && one.fault !== 'well_known').slice(0, OTHERS_SHOWN);
  return <section class="key-proposal" aria-labelledby="key-proposal">
    <div class="head"><h2 id="key-proposal">{words.keyTitle}</h2><span class="dim">{words.keyRead(formatCount(told.traces), plural(told.traces, words.traceWord))}</span></div>
    {best ? <><p class="lead"><b><Name text={best.key} /></b></p>
      <p class="note">{words.keyWhy(formatCount(best.values), formatShare(best.several_traces, 1), formatCount(best.services), plural(best.services, words.serviceWord), formatShare(best.coverage, 1))}</p>
      <p class="note"><code>journey-keys: {best.key}</code> <Copy text={`journey-keys: ${best.key}`} /></p></> : <p class="note">{told.few ? words.keyFew : words.keyNone}</p>}
    {!told.few && others.length > 0 && <table class="orders"><thead><tr><th>{words.keyHead}</th><th class="n">{words.valuesHead}</th><th class="n opt">{words.inTraces}</th><th>{words.why}</th></tr></thead><tbody>{others.map((one) => <Row key={one.key} one={one} />)}</tbody></table>}
  </section>;
}
