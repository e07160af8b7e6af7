// How a search was answered: what was understood, what the store looked for, what it could leave out and what it read.
import { formatBytes, formatCount } from './format';
import { Long } from './parts';
import { Page } from './traces';
import { words } from './words';

export function Explain({ page }: { page: Page }) {
  const { plan, read } = page;
  const part = (pruned: string, all: string) => (read ? words.prunedOf(formatCount(read[pruned] ?? 0), formatCount(read[all] ?? 0)) : '·');
  return <section class="explain" aria-label={words.explain}>
    <dl>
      {plan && <><dt>{words.explainQuery}</dt><dd class="id">{plan.query ? <Long text={plan.query} /> : words.explainAll}</dd>
        <dt>{words.explainStore}</dt><dd class="id">{plan.store ? <Long text={plan.store} /> : words.explainAll}</dd>
        <dt>{words.explainDecided}</dt><dd>{plan.decided_on === 'spans' ? words.decidedSpans : words.decidedTraces(formatCount(read?.traces_examined ?? 0))}</dd></>}
      {read && <><dt>{words.explainSegments}</dt><dd>{part('segments_pruned', 'segments')}</dd>
        <dt>{words.explainGroups}</dt><dd>{part('row_groups_pruned', 'row_groups')}</dd>
        <dt>{words.explainPages}</dt><dd>{part('pages_pruned', 'pages')}</dd>
        <dt>{words.explainSpans}</dt><dd>{words.matchedOf(formatCount(read.spans_matched ?? 0), formatCount(read.spans_scanned ?? 0))}</dd>
        <dt>{words.explainRead}</dt><dd>{formatBytes(read.bytes ?? 0)}</dd>
        {(read.damaged_pages ?? 0) > 0 && <><dt>{words.explainDamaged}</dt><dd class="late-text">{formatCount(read.damaged_pages!)}</dd></>}</>}
    </dl>
  </section>;
}
