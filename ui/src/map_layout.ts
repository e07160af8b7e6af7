// Where the boxes and arrows of the map lie. dagre puts the boxes into ranks; where its drawing is wider than the page, the boxes of
// a rank are put into rows that fit, and arrows go straight from box to box.
import dagre from '@dagrejs/dagre';
import { MapEdge, MapNode, ServiceMapData, drawable, edgeText } from './map_model';

export interface Point { x: number; y: number }
export interface Box { node: MapNode; x: number; y: number; width: number; height: number } // x, y: the upper left corner
export interface Arrow { edge: MapEdge; path: string; label: Point; isLabelled: boolean }
export interface Drawn { width: number; height: number; boxes: Box[]; edges: Arrow[]; items: Point[]; scale: number } // items: middles of boxes, then labels of arrows

const HEIGHT = 54, HEIGHT_UNWATCHED = 70, GAP = 16, ROW_GAP = 44, SCALE_MIN = 0.84;
// Ever closer, until it fits.
const TRIES = [{ box: 178, label: 64, rank: 34 }, { box: 168, label: 58, rank: 14 }, { box: 160, label: 54, rank: 4 }];
const BOX_MIN = 150, BOX_MAX = 178;

export function layOut(data: ServiceMapData, width: number, isUpright: boolean): Drawn {
  // One order whatever the server's: a box stays where it is while only figures change.
  const shown = drawable(data), nodes = [...shown.nodes].sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : a.id - b.id));
  const edges = [...shown.edges].sort((a, b) => key(data, a).localeCompare(key(data, b)));
  let drawn: Laid | undefined;
  for (const one of TRIES) {
    drawn = ranked(nodes, edges, isUpright, one);
    if (drawn.width <= width || drawn.width * SCALE_MIN * SCALE_MIN > width) break;
  }
  if (drawn!.width * SCALE_MIN > width) drawn = wrapped(drawn!.boxes, edges, width, isUpright);
  const scale = Math.min(1, width / drawn!.width), { boxes } = drawn!;
  boxes.sort((a, b) => a.y - b.y || a.x - b.x);
  const items = [...boxes.map((box) => ({ x: box.x + box.width / 2, y: box.y + box.height / 2 })), ...drawn!.edges.map((edge) => edge.label)];
  return { ...drawn!, scale, items };
}

interface Laid { width: number; height: number; boxes: Box[]; edges: Arrow[] }

function ranked(nodes: readonly MapNode[], edges: readonly MapEdge[], isUpright: boolean, one: typeof TRIES[number]): Laid {
  const height = (node: MapNode) => (node.is_watched ? HEIGHT : HEIGHT_UNWATCHED);
  const graph = new dagre.graphlib.Graph({ directed: true });
  graph.setGraph({ rankdir: isUpright ? 'TB' : 'LR', nodesep: isUpright ? GAP : 26, ranksep: isUpright ? 40 : one.rank, edgesep: 14, marginx: 2, marginy: 6 });
  for (const node of nodes) graph.setNode(String(node.id), { width: one.box, height: height(node) });
  for (const edge of edges) graph.setEdge(String(edge.from), String(edge.to), { width: Math.max(one.label, labelWidth(edge)), height: 18, labelpos: 'c' });
  dagre.layout(graph);
  const size = graph.graph();
  const boxes = nodes.map((node): Box => {
    const at = graph.node(String(node.id));
    return { node, x: at.x - one.box / 2, y: at.y - height(node) / 2, width: one.box, height: height(node) };
  });
  const by = new Map(boxes.map((box) => [box.node.id, box]));
  const lines = edges.map((edge) => {
    const at = graph.edge(String(edge.from), String(edge.to));
    return { edge, inner: at.points.slice(1, -1) as Point[], label: { x: at.x ?? 0, y: at.y ?? 0 } };
  });
  const ends = sidesOf(lines, by, isUpright);
  return {
    width: size.width ?? 1, height: size.height ?? 1, boxes,
    edges: lines.map(({ edge, inner, label }, index) => ({ edge, label, isLabelled: true, path: curved([ends[index]!.start, ...inner, ends[index]!.end], isUpright) })),
  };
}

const labelWidth = (edge: MapEdge) => edgeText(edge).length * 6.1 + 8;

// Arrows leave a box on the side to which they go and arrive on the other, spread over it in the order of where they lead.
function sidesOf(lines: readonly { edge: MapEdge; inner: Point[] }[], by: ReadonlyMap<number, Box>, isUpright: boolean): { start: Point; end: Point }[] {
  const across = (point: Point) => (isUpright ? point.x : point.y), along = (point: Point) => (isUpright ? point.y : point.x);
  const sides = new Map<string, { line: number; isStart: boolean; toward: number }[]>();
  lines.forEach(({ edge, inner }, line) => {
    for (const isStart of [true, false]) {
      const box = by.get(isStart ? edge.from : edge.to)!, next = (isStart ? inner[0] : inner[inner.length - 1]) ?? middle(by.get(isStart ? edge.to : edge.from)!);
      const isFar = along(next) > along(middle(box)), side = `${box.node.id} ${isFar}`;
      sides.set(side, [...sides.get(side) ?? [], { line, isStart, toward: across(next) }]);
    }
  });
  const ends = lines.map(() => ({ start: { x: 0, y: 0 }, end: { x: 0, y: 0 } }));
  for (const [side, members] of sides) {
    const [id, isFar] = side.split(' '), box = by.get(Number(id))!;
    members.sort((a, b) => a.toward - b.toward).forEach(({ line, isStart }, order) => {
      const share = (order + 1) / (members.length + 1);
      const point = isUpright ? { x: box.x + box.width * share, y: box.y + (isFar === 'true' ? box.height : 0) }
        : { x: box.x + (isFar === 'true' ? box.width : 0), y: box.y + box.height * share };
      ends[line]![isStart ? 'start' : 'end'] = point;
    });
  }
  return ends;
}

function middle(box: Box): Point {
  return { x: box.x + box.width / 2, y: box.y + box.height / 2 };
}

function key(data: ServiceMapData, edge: MapEdge): string {
  return `${data.nodes[edge.from]!.name}\u0000${data.nodes[edge.to]!.name}`;
}

// A line through points that runs straight where it leaves, passes and arrives.
function curved(points: Point[], isUpright: boolean): string {
  const text = (x: number, y: number) => `${x.toFixed(1)} ${y.toFixed(1)}`;
  return points.slice(1).reduce((path, to, index) => {
    const from = points[index]!, x = (from.x + to.x) / 2, y = (from.y + to.y) / 2;
    return path + (isUpright ? `C${text(from.x, y)} ${text(to.x, y)} ${text(to.x, to.y)}` : `C${text(x, from.y)} ${text(x, to.y)} ${text(to.x, to.y)}`);
  }, `M${text(points[0]!.x, points[0]!.y)}`);
}

function wrapped(boxes: Box[], edges: readonly MapEdge[], width: number, isUpright: boolean): Laid {
  const perRow = Math.max(1, Math.floor((width + GAP) / (BOX_MIN + GAP))), column = Math.min(BOX_MAX, Math.floor((width - GAP * (perRow - 1)) / perRow));
  const ranks = new Map<number, Box[]>();
  for (const box of boxes) {
    const rank = Math.round(isUpright ? box.y + box.height / 2 : box.x + box.width / 2);
    ranks.set(rank, [...ranks.get(rank) ?? [], box]);
  }
  let y = 6;
  const rows: Box[][] = [];
  let open: Box[] = [];
  const close = () => { if (open.length > 0) rows.push(open); open = []; };
  for (const rank of [...ranks.keys()].sort((a, b) => a - b)) {
    const members = ranks.get(rank)!.sort((a, b) => (isUpright ? a.x - b.x : a.y - b.y));
    // A short rank joins the row before it where there is room: a phone has two columns.
    if (open.length + members.length > perRow) close();
    for (const box of members) {
      if (open.length === perRow) close();
      open.push(box);
    }
    if (perRow > 2) close();
  }
  close();
  for (const row of rows) {
    // Short rows stand in the middle, unless there are but two columns.
    const free = perRow > 2 ? (width - row.length * (column + GAP) + GAP) / 2 : 0;
    row.forEach((box, at) => { box.x = free + at * (column + GAP); box.y = y; box.width = column; });
    y += Math.max(...row.map((box) => box.height)) + ROW_GAP;
  }
  const by = new Map(boxes.map((box) => [box.node.id, box]));
  let bowed = 0;
  const arrows = edges.map((edge) => {
    const from = by.get(edge.from)!, to = by.get(edge.to)!, line = straight(edge, from, to);
    return boxes.some((box) => box !== from && box !== to && crosses(line.path, box)) ? aside(edge, from, to, from.x + column + (from.x + 2 * column > width ? -column - GAP / 2 : GAP / 2), bowed++) : line;
  });
  placeLabels(arrows, boxes);
  return { width, height: y - ROW_GAP + 8, boxes, edges: arrows };
}

// Whether a straight arrow would run through a box.
function crosses(path: string, box: Box): boolean {
  const [x1, y1, x2, y2] = [...path.matchAll(/-?[\d.]+/g)].map(Number) as [number, number, number, number];
  for (let share = 0.02; share < 1; share += 0.02) {
    const x = x1 + (x2 - x1) * share, y = y1 + (y2 - y1) * share;
    if (x > box.x + 2 && x < box.x + box.width - 2 && y > box.y + 2 && y < box.y + box.height - 2) return true;
  }
  return false;
}

// Around the boxes between: through the gap beside the column, each arrow a little apart from the others.
function aside(edge: MapEdge, from: Box, to: Box, gap: number, order: number): Arrow {
  const x = gap + (order % 4 - 1.5) * 3.4, out = from.x < gap ? from.x + from.width : from.x, into = to.x < gap ? to.x + to.width : to.x;
  const y1 = from.y + from.height / 2 + (order % 3 - 1) * 8, y2 = to.y + to.height / 2 + (order % 3 - 1) * 8, turn = y2 > y1 ? 10 : -10;
  const path = `M${out.toFixed(1)} ${y1.toFixed(1)}Q${x.toFixed(1)} ${y1.toFixed(1)} ${x.toFixed(1)} ${(y1 + turn).toFixed(1)}L${x.toFixed(1)} ${(y2 - turn).toFixed(1)}Q${x.toFixed(1)} ${y2.toFixed(1)} ${into.toFixed(1)} ${y2.toFixed(1)}`;
  return { edge, path, label: { x, y: (y1 + y2) / 2 }, isLabelled: false };
}

// Where along an arrow its figures stand free of boxes and of each other; nowhere: they are left to its name and the table.
function placeLabels(arrows: Arrow[], boxes: readonly Box[]): void {
  const placed: { x: number; y: number; width: number }[] = [];
  for (const arrow of arrows.filter((one) => one.isLabelled)) {
    const [x1, y1, x2, y2] = [...arrow.path.matchAll(/-?[\d.]+/g)].map(Number) as [number, number, number, number];
    const width = labelWidth(arrow.edge);
    const spot = [0.5, 0.4, 0.6, 0.3, 0.7, 0.2, 0.8].map((share) => ({ x: x1 + (x2 - x1) * share, y: y1 + (y2 - y1) * share })).find(({ x, y }) =>
      !boxes.some((box) => x + width / 2 > box.x && x - width / 2 < box.x + box.width && y + 8 > box.y && y - 8 < box.y + box.height)
      && !placed.some((other) => Math.abs(other.x - x) < (other.width + width) / 2 && Math.abs(other.y - y) < 14));
    arrow.isLabelled = spot !== undefined;
    if (spot) { arrow.label = spot; placed.push({ ...spot, width }); }
  }
}

// From the border of one box to that of another, a little aside, so that two ways do not lie on each other.
function straight(edge: MapEdge, from: Box, to: Box): Arrow {
  const a = { x: from.x + from.width / 2, y: from.y + from.height / 2 }, b = { x: to.x + to.width / 2, y: to.y + to.height / 2 };
  const side = edge.from < edge.to ? 9 : -9, length = Math.hypot(b.x - a.x, b.y - a.y) || 1;
  const aside = { x: -(b.y - a.y) / length * side, y: (b.x - a.x) / length * side };
  const start = border(from, { x: a.x + aside.x, y: a.y + aside.y }, b), end = border(to, { x: b.x + aside.x, y: b.y + aside.y }, a);
  return { edge, path: `M${start.x.toFixed(1)} ${start.y.toFixed(1)}L${end.x.toFixed(1)} ${end.y.toFixed(1)}`, label: { x: (start.x + end.x) / 2, y: (start.y + end.y) / 2 }, isLabelled: true };
}

function border(box: Box, from: Point, to: Point): Point {
  const dx = to.x - from.x, dy = to.y - from.y;
  const across = dx > 0 ? (box.x + box.width - from.x) / dx : dx < 0 ? (box.x - from.x) / dx : Infinity;
  const down = dy > 0 ? (box.y + box.height - from.y) / dy : dy < 0 ? (box.y - from.y) / dy : Infinity;
  const share = Math.max(0, Math.min(1, across, down));
  return { x: from.x + dx * share, y: from.y + dy * share };
}
