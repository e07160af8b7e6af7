// Who calls whom, drawn: boxes in the order of the calls, arrows as thick as there are calls. Left to right where there is room,
// upright where there is not. Every box and arrow is a link; the arrow keys go from each to the nearest.
import { useMemo, useRef, useState } from 'preact/hooks';
import { followed } from './map_links';
import { Box, Drawn, layOut } from './map_layout';
import { MapEdge, MapNode, ServiceMapData, edgeSaid, edgeText, figuresOf, kindOf, nodeErrors, seenOf } from './map_model';
import { Shape } from './marks';
import { oneLine } from './parts';
import { useWidth } from './plot';
import { hasMessages, messagesSaid } from './queue_table';
import { State } from './series';
import { slotOf } from './slots';
import { language, words } from './words';

interface Props {
  data: ServiceMapData;
  states: ReadonlyMap<string, State>;
  nodeLink: (node: MapNode) => string;
  edgeLink: (edge: MapEdge) => string;
}

const UPRIGHT_BELOW = 1100, NAME_MAX = 20;

function cut(text: string, most = NAME_MAX): string {
  const shown = oneLine(text);
  return shown.length > most ? `${shown.slice(0, most - 1)}…` : shown;
}

export function ServiceMap({ data, states, nodeLink, edgeLink }: Props) {
  const [ref, width] = useWidth<HTMLDivElement>(1200);
  const drawn = useMemo(() => layOut(data, width, innerWidth < UPRIGHT_BELOW), [data, width]);
  const [at, setAt] = useState(0);
  const [lit, setLit] = useState<number | undefined>(undefined); // the box whose arrows stand out
  const svg = useRef<SVGSVGElement>(null);
  const focus = (to: number) => { setAt(to); svg.current?.querySelector<SVGAElement>(`a[data-at="${to}"]`)?.focus(); };
  const onKey = (event: KeyboardEvent) => {
    const to = event.key.startsWith('Arrow') && !event.altKey && !event.ctrlKey && !event.metaKey ? nearest(drawn, at, event.key) : undefined;
    if (to === undefined) return;
    event.preventDefault();
    focus(to);
  };
  const isDim = (edge: MapEdge) => lit !== undefined && edge.from !== lit && edge.to !== lit;
  return <div ref={ref} class="map-frame">
    <svg ref={svg} class="whom" width={drawn.width * drawn.scale} height={drawn.height * drawn.scale} viewBox={`0 0 ${drawn.width} ${drawn.height}`} role="group"
      aria-label={words.mapName(String(data.nodes.length), String(drawn.edges.length))} onKeyDown={onKey} onClick={followed}>
      <defs>{['plain', 'broken'].map((tone) => <marker key={tone} id={`arrow-${tone}`} class={`arrow ${tone}`} viewBox="0 0 10 10" refX="9" refY="5" markerWidth="8" markerHeight="8" markerUnits="userSpaceOnUse" orient="auto">
        <path d="M0 1 10 5 0 9z" /></marker>)}</defs>
      {drawn.edges.map(({ edge, path, label, isLabelled }, index) => {
        const order = drawn.boxes.length + index, errors = nodeErrors(edge), said = edgeSaid(data, edge);
        return <a key={`${edge.from} ${edge.to}`} href={edgeLink(edge)} class={`call ${errors ? 'broken' : ''} ${isDim(edge) ? 'is-dim' : ''} ${data.nodes[edge.to]!.is_watched && data.nodes[edge.from]!.is_watched ? '' : 'is-unwatched'}`}
          data-at={order} tabIndex={at === order ? 0 : -1} onFocus={() => setAt(order)} aria-label={said}>
          <title>{said}</title>
          <path class="edge-hit" d={path} />
          <path class="edge-line" d={path} stroke-width={thickness(edge)} marker-end={`url(#arrow-${errors ? 'broken' : 'plain'})`} />
          {isLabelled && <text class="edge-text" x={label.x} y={label.y + 4} text-anchor="middle">{edgeText(edge)}</text>}
        </a>;
      })}
      {drawn.boxes.map((box, index) => <Node key={box.node.id} box={box} href={nodeLink(box.node)} state={box.node.monitor?.result === 'down' ? 'failing' : box.node.is_watched ? states.get(box.node.name) : nodeErrors(box.node) ? 'failing' : undefined}
        at={index} tabIndex={at === index ? 0 : -1} onFocus={() => { setAt(index); setLit(box.node.id); }} onLeave={() => setLit(undefined)} onEnter={() => setLit(box.node.id)} />)}
    </svg>
  </div>;
}

function thickness(edge: MapEdge): number {
  return Math.max(1, Math.min(4.5, 1.2 + Math.log10(Math.max(0.01, edge.rate) * 10) * 0.7));
}

interface NodeProps { at: number; box: Box; href: string; state?: State; tabIndex: number; onFocus: () => void; onEnter: () => void; onLeave: () => void }

function Node({ at, box, href, state, tabIndex, onFocus, onEnter, onLeave }: NodeProps) {
  const { node, x, y, width, height } = box;
  const tone = state && state !== 'well' && state !== 'fresh' ? state : undefined;
  const kind = [kindOf(node), seenOf(node)].filter(Boolean).join(', ');
  const said = `${oneLine(node.name)}, ${kind}${state ? `, ${words.stateWords[state]}` : ''}: ${figuresOf(node)}${node.messages && hasMessages(node.messages) ? `; ${messagesSaid(node.messages)}` : ''}`;
  return <a href={href} class={`node ${tone ? `is-${tone}` : ''} ${node.is_watched ? '' : 'is-unwatched'}`} data-at={at} tabIndex={tabIndex} aria-label={said}
    onFocus={onFocus} onBlur={onLeave} onPointerEnter={onEnter} onPointerLeave={onLeave}>
    <title>{node.is_watched ? said : `${said}. ${words.notWatchedWhy}`}</title>
    <rect class="node-box" x={x} y={y} width={width} height={height} rx={node.kind === 'queue' ? height / 2 : 6} />
    {node.is_watched && <rect class={`sw-mark s${slotOf(node.name)}`} x={x + 12} y={y + 13} width="8" height="8" rx="2" />}
    <text class="node-name" x={x + (node.is_watched ? 26 : node.kind === 'queue' ? 22 : 12)} y={y + 21}>{cut(node.name, node.kind === 'queue' ? 18 : NAME_MAX)}</text>
    {tone && <svg x={x + width - (node.kind === 'queue' ? 34 : 22)} y={y + 10} width="12" height="12" class="node-mark"><Shape state={tone} /></svg>}
    {!node.is_watched && <text class="node-kind" x={x + (node.kind === 'queue' ? 22 : 12)} y={y + 37}>{kindText(node, width)}</text>}
    <text class={`node-figures ${width < 175 ? 'is-tight' : ''}`} x={x + (node.kind === 'queue' ? 22 : 12)} y={y + height - 10}>{figuresOf(node)}</text>
  </a>;
}

// What it is, and how a monitor sees it or that none does, where both fit.
function kindText(node: MapNode, width: number): string {
  const room = Math.floor((width - (node.kind === 'queue' ? 36 : 22)) / (language === 'ru' ? 6.9 : 6.2)), kind = cut(node.system || kindOf(node), room);
  const both = `${kind}, ${seenOf(node)}`;
  return both.length <= room ? both : node.monitor ? cut(seenOf(node), room) : kind;
}

// The nearest thing in a direction: what lies more to the side counts as farther.
function nearest(drawn: Drawn, at: number, key: string): number | undefined {
  const here = drawn.items[at];
  if (!here) return undefined;
  const [dx, dy] = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[key] ?? [0, 0];
  let best: number | undefined, least = Infinity;
  drawn.items.forEach((item, index) => {
    const along = (item.x - here.x) * dx! + (item.y - here.y) * dy!, aside = Math.abs((item.x - here.x) * dy! - (item.y - here.y) * dx!);
    const far = along + 2.5 * aside;
    if (index !== at && along > 4 && far < least) { least = far; best = index; }
  });
  return best;
}
