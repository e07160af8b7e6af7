// The figures of the map's arrows, as a table.
import { formatCount, formatDuration, formatShare } from './format';
import { MapEdge, MapNode, ServiceMapData, kindOf, nodeErrors, perSecond, seenOf } from './map_model';
import { Name, Swatch } from './parts';
import { nodeLink } from './services';
import { Times, tracesLink } from './times';
import { words } from './words';

function NodeName({ node, params, times }: { node: MapNode; params: URLSearchParams; times: Times }) {
  return <>{node.is_watched && <Swatch service={node.name} />}<a href={nodeLink(node, params, times)}><Name text={node.name} /></a>
    {node.kind !== 'service' && <span class="small faint"> {[kindOf(node), seenOf(node)].filter(Boolean).join(', ')}</span>}</>;
}

export function EdgeTable({ data, edges, params, times, side }:
  { data: ServiceMapData; edges: readonly MapEdge[]; params: URLSearchParams; times: Times; side?: 'from' | 'to' }) {
  const hasUnanswered = edges.some((edge) => edge.unanswered_count > 0);
  const sorted = [...edges].sort((a, b) => b.count - a.count);
  return <table class="tb2 edges"><thead><tr>
    {side !== 'to' && <th>{words.caller}</th>}{side !== 'from' && <th>{words.callee}</th>}
    <th class="n">{words.rate}</th><th class="n">{words.errorsShare}</th><th class="n c-p50">p50</th><th class="n">p95</th><th class="n c-p99">p99</th>
    {hasUnanswered && <th class="n">{words.unanswered}</th>}</tr></thead>
  <tbody>{sorted.map((edge) => {
    const link = tracesLink(edge.query, times), isQueue = data.nodes[edge.from]!.kind === 'queue';
    return <tr key={`${edge.from} ${edge.to}`}>
      {side !== 'to' && <td class="nm"><NodeName node={data.nodes[edge.from]!} params={params} times={times} /></td>}
      {side !== 'from' && <td class="nm"><NodeName node={data.nodes[edge.to]!} params={params} times={times} /></td>}
      <td class="n"><a href={link}>{perSecond(edge.rate)}</a></td>
      <td class={`n ${nodeErrors(edge) ? 'broken' : ''}`}>{edge.error_count > 0 ? <a href={`${link.split('?')[0]}?${withErrors(link)}`}>{formatShare(edge.error_count, edge.count)}</a> : <span class="zero">{formatShare(0, 1)}</span>}</td>
      <td class="n c-p50">{edge.p50_ns > 0 ? formatDuration(edge.p50_ns) : '·'}</td>
      <td class="n">{edge.p95_ns > 0 ? formatDuration(edge.p95_ns) : '·'}{isQueue && edge.p95_ns > 0 && <span class="usual">{words.timeInQueue}</span>}</td>
      <td class="n c-p99">{edge.p99_ns > 0 ? formatDuration(edge.p99_ns) : '·'}</td>
      {hasUnanswered && <td class={`n ${edge.unanswered_error_count > 0 ? 'broken' : ''}`}>{edge.unanswered_count > 0 ? formatCount(edge.unanswered_count) : '·'}</td>}
    </tr>;
  })}</tbody></table>;
}

function withErrors(link: string): string {
  const params = new URLSearchParams(link.split('?')[1]);
  params.set('q', `${params.get('q')} status:error`);
  return params.toString();
}
