// The map as the server gives it, and its words.
import { Result } from './components_model';
import { formatDuration, formatRate, formatShare } from './format';
import { oneLine } from './parts';
import { Messages } from './queue_table';
import { words } from './words';

export interface Flow { count: number; error_count: number; rate: number; p50_ns: number; p95_ns: number; p99_ns: number; query: string }
export interface MapNode extends Flow { id: number; name: string; kind: 'service' | 'database' | 'queue' | 'object_store' | 'external'; system: string; is_watched: boolean; monitor: Seen | null; messages: Messages | null }
// What the worst of the monitors that look at a node says.
export interface Seen { name: string; result: Result; since: string }
export interface MapEdge extends Flow { from: number; to: number; unanswered_count: number; unanswered_error_count: number; is_through_queue: boolean }
export interface ServiceMapData {
  start: string; end: string; spans_since: string; is_partial: boolean; uncounted: number; left_off: number; nodes: MapNode[]; edges: MapEdge[];
}

const ERROR_SHARE = 0.01, ERRORS_MIN = 1;

export function perSecond(rate: number): string {
  return formatRate(rate, 1);
}

export function kindOf(node: MapNode): string {
  return node.kind === 'service' ? words.application : words[node.kind];
}

// How a monitor sees it, or that nobody does; a service that sends spans needs no word for that.
export function seenOf(node: MapNode): string {
  return node.monitor ? words.resultWords[node.monitor.result] : node.is_watched ? '' : words.notWatched;
}

// Errors that are worth a colour.
export function nodeErrors(flow: Flow & { unanswered_error_count?: number }): boolean {
  return (flow.error_count >= ERRORS_MIN && flow.error_count >= ERROR_SHARE * flow.count) || (flow.unanswered_error_count ?? 0) > 0;
}

export function figuresOf(node: MapNode): string {
  const parts = [perSecond(node.rate)];
  if (node.kind !== 'queue' || nodeErrors(node)) parts.push(formatShare(node.error_count, Math.max(1, node.count)));
  if (node.p95_ns > 0 && (node.kind !== 'queue' || parts.length < 2)) parts.push(formatDuration(node.p95_ns)); // a queue's box is narrow
  return parts.join('  ');
}

export function edgeSaid(data: ServiceMapData, edge: MapEdge): string {
  const parts = [perSecond(edge.rate), words.errorsOf(formatShare(edge.error_count, Math.max(1, edge.count)))];
  if (edge.p95_ns > 0) parts.push(`${words.p95Of(formatDuration(edge.p95_ns))}${data.nodes[edge.from]!.kind === 'queue' ? ` ${words.timeInQueue}` : ''}`);
  if (edge.unanswered_count > 0) parts.push(words.unansweredOf(String(edge.unanswered_count)));
  return words.calls(oneLine(data.nodes[edge.from]!.name), oneLine(data.nodes[edge.to]!.name), parts.join(', '));
}

// More than these are no picture, and take the page's time.
const DRAWN_MAX = 60;

// What of a large map is drawn: the arrows with the most errors, then those with the most calls, and the boxes at their ends.
export function drawable(data: ServiceMapData): { nodes: MapNode[]; edges: MapEdge[]; leftOff: number } {
  const all = edgesDrawn(data);
  if (all.length <= DRAWN_MAX && data.nodes.length <= DRAWN_MAX) return { nodes: data.nodes, edges: all, leftOff: 0 };
  const edges = [...all].sort((a, b) => Number(nodeErrors(b)) - Number(nodeErrors(a)) || b.count - a.count).slice(0, DRAWN_MAX);
  const ends = new Set(edges.flatMap((edge) => [edge.from, edge.to]));
  return { nodes: data.nodes.filter((node) => ends.has(node.id)), edges, leftOff: all.length - edges.length };
}

// Arrows: what goes through a queue goes to it and from it.
export function edgesDrawn(data: ServiceMapData): MapEdge[] {
  return data.edges.filter((edge) => !edge.is_through_queue && edge.count + edge.unanswered_count > 0);
}

export function edgeText(edge: MapEdge): string {
  const rate = perSecond(edge.rate);
  if (edge.unanswered_error_count > 0) return `${rate}, ${words.unansweredOf(String(edge.unanswered_count))}`;
  return nodeErrors(edge) ? `${rate}, ${formatShare(edge.error_count, edge.count)}` : rate;
}
