/**
 * Regions of the plot: polygons drawn by lasso or rectangle, in the data's own units, so that they mean the same on
 * every screen, on the server and on the command line.
 *
 * The server counts; what is here draws while the hand moves, and keeps polygons short enough to send.
 */

export type Op = 'add' | 'remove';
export type Point = readonly [number, number];

/** A polygon, closed from its last point to its first, and whether it adds to the selection or takes from it. */
export interface Shape {
  readonly op: Op;
  readonly points: readonly Point[];
}

/** Corners of a polygon at most; more say no more on a screen. */
export const MAX_POINTS = 400;

/** Whether a point lies inside, by the non-zero winding rule; the border belongs to one side only. */
export function inside(points: readonly Point[], x: number, y: number): boolean {
  return isWound(edgesOf(points), x, y);
}

/** Edges, four numbers each: from where, to where. */
export type Edges = Float64Array;

export function edgesOf(points: readonly Point[]): Edges {
  const edges = new Float64Array(4 * points.length);
  points.forEach((a, i) => {
    edges.set(a, 4 * i);
    edges.set(points[(i + 1) % points.length], 4 * i + 2);
  });
  return edges;
}

/** Whether edges wind around a point; those that do not reach its height may be left out. */
export function isWound(edges: Edges, x: number, y: number): boolean {
  let winding = 0;
  for (let i = 0; i < edges.length; i += 4) {
    const ay = edges[i + 1];
    const by = edges[i + 3];
    if (ay <= y === by <= y) continue;
    const ax = edges[i];
    const side = (edges[i + 2] - ax) * (y - ay) - (x - ax) * (by - ay);
    if (ay <= y) {
      if (side > 0) winding++;
    } else if (side < 0) winding--;
  }
  return winding !== 0;
}

/** Whether a point is selected by shapes, the later ones over the earlier. */
export function isSelected(shapes: readonly Shape[], x: number, y: number): boolean {
  return selecting(shapes)(x, y);
}

/** The same for many points: the edges are made once. */
export function selecting(shapes: readonly Shape[]): (x: number, y: number) => boolean {
  const all = shapes.map((shape) => ({ is: shape.op === 'add', edges: edgesOf(shape.points) }));
  return (x, y) => {
    let is = false;
    for (const shape of all) if (shape.is !== is && isWound(shape.edges, x, y)) is = shape.is;
    return is;
  };
}

export function rectangle(a: Point, b: Point): Point[] {
  return [a, [b[0], a[1]], b, [a[0], b[1]]];
}

/** The outline of a line drawn with a broad brush: along one side and back along the other. */
export function stroke(drawn: readonly Point[], radius: number): Point[] {
  const line = drawn.filter(([x, y], i) => i === 0 || x !== drawn[i - 1][0] || y !== drawn[i - 1][1]);
  const there: Point[] = [];
  const back: Point[] = [];
  /** From one point to another, as long as the brush is wide to one side. */
  const towards = (a: Point, b: Point): Point => {
    const long = Math.hypot(b[0] - a[0], b[1] - a[1]) || 1;
    return [((b[0] - a[0]) / long) * radius, ((b[1] - a[1]) / long) * radius];
  };
  /** Both sides of a place on the line, `along` steps of a radius further in the direction. */
  const sides = ([x, y]: Point, [dx, dy]: Point, along: number) => {
    there.push([x + along * dx - dy, y + along * dy + dx]);
    back.push([x + along * dx + dy, y + along * dy - dx]);
  };
  for (let i = 0; i < line.length; i++) {
    const [before, at, after] = [line[i - 1] ?? null, line[i], line[i + 1] ?? null];
    // The ends are as far out as the sides.
    if (!before || !after) sides(at, towards(before ?? at, after ?? at), before ? 1 : -1);
    else {
      const [from, to] = [towards(before, at), towards(at, after)];
      // Where the hand turns back, one part ends and the next begins: the way from before to after says nothing there.
      if (from[0] * to[0] + from[1] * to[1] < 0) {
        sides(at, from, 1);
        sides(at, to, -1);
      } else {
        // As wide around a corner as along the arms.
        const sum: Point = [from[0] + to[0], from[1] + to[1]];
        const longer = (2 * radius * radius) / (sum[0] ** 2 + sum[1] ** 2);
        sides(at, [sum[0] * longer, sum[1] * longer], 0);
      }
    }
  }
  return [...there, ...back.reverse()];
}

/** Fewer corners (Douglas & Peucker 1973), none further than `tolerance` from the line that was drawn. */
export function simplified(points: readonly Point[], tolerance: number): Point[] {
  if (points.length < 3) return [...points];
  const keep = new Uint8Array(points.length);
  keep[0] = keep[points.length - 1] = 1;
  const todo: [number, number][] = [[0, points.length - 1]];
  for (let part = todo.pop(); part; part = todo.pop()) {
    const [from, to] = part;
    let [worst, at] = [tolerance, -1];
    for (let i = from + 1; i < to; i++) {
      const d = distance(points[i], points[from], points[to]);
      if (d > worst) [worst, at] = [d, i];
    }
    if (at > 0) {
      keep[at] = 1;
      todo.push([from, at], [at, to]);
    }
  }
  return points.filter((_, i) => keep[i]);
}

/** A drawn line as a polygon that may be sent. */
export function polygon(points: readonly Point[], tolerance: number): Point[] {
  let out = simplified(points, tolerance);
  for (let t = tolerance * 2 || 1e-6; out.length > MAX_POINTS; t *= 2) out = simplified(points, t);
  return out;
}

function distance(p: Point, a: Point, b: Point): number {
  const [dx, dy] = [b[0] - a[0], b[1] - a[1]];
  const long = dx * dx + dy * dy;
  const t = long > 0 ? Math.min(1, Math.max(0, ((p[0] - a[0]) * dx + (p[1] - a[1]) * dy) / long)) : 0;
  return Math.hypot(p[0] - a[0] - t * dx, p[1] - a[1] - t * dy);
}
