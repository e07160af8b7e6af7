// Sample models as binary STL: 80 bytes of head, the count of triangles, and 50 bytes a triangle (normal, three corners, two of nothing).
// All are closed surfaces in millimetres, so that a volume can be computed.

type Point = readonly [number, number, number];
/** A surface over two angles, u and v in 0…1; both close. */
type Surface = (u: number, v: number) => Point;

const TAU = 2 * Math.PI;

function torus(radius: number, thickness: (u: number) => number): Surface {
  return (u, v) => {
    const band = thickness(u) * Math.cos(v * TAU);
    return [(radius + band) * Math.cos(u * TAU), (radius + band) * Math.sin(u * TAU), thickness(u) * Math.sin(v * TAU)];
  };
}

export interface Sample {
  name: string;
  label: string;
  surface: Surface;
}

export const SAMPLES: readonly Sample[] = [
  { name: "ring", label: "Plain ring", surface: torus(9, () => 1.1) },
  { name: "signet", label: "Signet ring", surface: torus(9.5, (u) => 1.2 + 1.6 * Math.exp(-40 * (u - 0.5) ** 2)) },
  { name: "twist", label: "Twisted band", surface: torus(10, (u) => 1.3 + 0.25 * Math.sin(12 * u * TAU)) },
  { name: "bangle", label: "Bangle", surface: torus(32, (u) => 2.4 + 0.4 * Math.cos(3 * u * TAU)) },
];

/** The model with `detail` steps around (3 to 1000) and half as many across. */
export function makeStl(sample: Sample, detail: number): Blob {
  const around = Math.max(3, Math.min(1000, Math.round(detail)));
  const across = Math.max(3, Math.round(around / 2));
  const count = 2 * around * across;
  const bytes = new ArrayBuffer(84 + 50 * count);
  const view = new DataView(bytes);
  new Uint8Array(bytes).set(new TextEncoder().encode(`sample ${sample.name}`).slice(0, 80));
  view.setUint32(80, count, true);
  let at = 84;
  const put = (a: Point, b: Point, c: Point): void => {
    for (const point of [normal(a, b, c), a, b, c]) for (const value of point) (view.setFloat32(at, value, true), (at += 4));
    at += 2;
  };
  for (let i = 0; i < around; i++) {
    for (let j = 0; j < across; j++) {
      const corner = (u: number, v: number): Point => sample.surface((u % around) / around, (v % across) / across);
      const [a, b, c, d] = [corner(i, j), corner(i + 1, j), corner(i + 1, j + 1), corner(i, j + 1)];
      put(a, b, c);
      put(a, c, d);
    }
  }
  return new Blob([bytes], { type: "model/stl" });
}

function normal(a: Point, b: Point, c: Point): Point {
  const [ux, uy, uz] = [b[0] - a[0], b[1] - a[1], b[2] - a[2]];
  const [vx, vy, vz] = [c[0] - a[0], c[1] - a[1], c[2] - a[2]];
  const [x, y, z] = [uy * vz - uz * vy, uz * vx - ux * vz, ux * vy - uy * vx];
  const length = Math.hypot(x, y, z) || 1;
  return [x / length, y / length, z / length];
}
