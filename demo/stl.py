#!/usr/bin/env python3
"""stl.py SHAPE DETAIL >FILE: a sample model as binary STL. SHAPE: ring, signet, twist, bangle; DETAIL: steps around, 3 to 2000.

Closed surfaces in millimetres, so that volume, surface and support can be computed; the number of triangles is DETAIL squared, so that the
work can be chosen: 160 is an ordinary model of 1.3 MB, 1000 one of 50 MB.
"""
import math
import struct
import sys

TAU = 2 * math.pi


def torus(radius, thickness):
    """A ring whose band is as thick as thickness(u) says, u from 0 to 1 around."""
    def at(u, v):
        band = thickness(u)
        out = radius + band * math.cos(v * TAU)
        return out * math.cos(u * TAU), out * math.sin(u * TAU), band * math.sin(v * TAU)
    return at


SHAPES = {
    "ring": torus(9, lambda u: 1.1),
    "signet": torus(9.5, lambda u: 1.2 + 1.6 * math.exp(-40 * (u - 0.5) ** 2)),
    "twist": torus(10, lambda u: 1.3 + 0.25 * math.sin(12 * u * TAU)),
    "bangle": torus(32, lambda u: 2.4 + 0.4 * math.cos(3 * u * TAU)),
}


def normal(a, b, c):
    u, v = [b[i] - a[i] for i in range(3)], [c[i] - a[i] for i in range(3)]
    n = (u[1] * v[2] - u[2] * v[1], u[2] * v[0] - u[0] * v[2], u[0] * v[1] - u[1] * v[0])
    length = math.hypot(*n) or 1
    return [x / length for x in n]


def make(shape, detail):
    """The file's bytes: 84, and 50 a triangle."""
    around, across = detail, max(3, detail // 2)
    points = [[SHAPES[shape](i / around, j / across) for j in range(across)] for i in range(around)]
    out = bytearray(struct.pack("<80sI", f"sample {shape}".encode(), 2 * around * across))
    for i in range(around):
        for j in range(across):
            a, b = points[i][j], points[(i + 1) % around][j]
            c, d = points[(i + 1) % around][(j + 1) % across], points[i][(j + 1) % across]
            for corners in ((a, b, c), (a, c, d)):
                out += struct.pack("<12fH", *normal(*corners), *corners[0], *corners[1], *corners[2], 0)
    return bytes(out)


def main():
    if len(sys.argv) != 3 or sys.argv[1] not in SHAPES or not sys.argv[2].isdigit() or not 3 <= int(sys.argv[2]) <= 2000:
        print(__doc__.strip(), file=sys.stderr)
        return 2
    sys.stdout.buffer.write(make(sys.argv[1], int(sys.argv[2])))
    return 0


if __name__ == "__main__":
    sys.exit(main())
