/**
 * Where the plot looks: data to the unit square ({@link Frame}), the unit square to pixels ({@link Camera}).
 *
 * Pure arithmetic, no canvas. Pixels count from the top left, y of the data grows upwards.
 */

/** How data fall into the unit square: `u = (x - x0) * sx`, likewise for y. */
export interface Frame {
  readonly x0: number;
  readonly y0: number;
  readonly sx: number;
  readonly sy: number;
}

/** The middle of the view in the unit square, and how often the unit square fits into the shorter side. */
export interface Camera {
  readonly cx: number;
  readonly cy: number;
  readonly zoom: number;
}

/** Size of the canvas in pixels. */
export interface Size {
  readonly width: number;
  readonly height: number;
}

/** The whole unit square with a margin. */
export const WHOLE: Camera = { cx: 0.5, cy: 0.5, zoom: 0.94 };

/** Closer than this, 32-bit coordinates show their grain. */
export const MAX_ZOOM = 20_000;
const MIN_ZOOM = 0.2;

/** Bounds of finite values; `null` if there are none. */
export function bounds(values: ArrayLike<number>): readonly [number, number] | null {
  let low = Infinity;
  let high = -Infinity;
  for (let i = 0; i < values.length; i++) {
    const v = values[i];
    if (v < low && v > -Infinity) low = v;
    if (v > high && v < Infinity) high = v;
  }
  return low <= high ? [low, high] : null;
}

/**
 * The frame of two columns. Of a map (`equal`) both axes have one scale, so that distances mean the same in every
 * direction; of two measured columns each fills its own axis. A column with one value stands in the middle.
 */
export function frame(
  x: readonly [number, number],
  y: readonly [number, number],
  equal: boolean,
): Frame {
  const spanX = x[1] - x[0];
  const spanY = y[1] - y[0];
  const both = Math.max(spanX, spanY);
  const scale = (span: number) => (equal ? (both > 0 ? 1 / both : 1) : span > 0 ? 1 / span : 1);
  const [sx, sy] = [scale(spanX), scale(spanY)];
  const middle = (range: readonly [number, number], s: number) =>
    (range[0] + range[1]) / 2 - 0.5 / s;
  return { x0: middle(x, sx), y0: middle(y, sy), sx, sy };
}

/** Pixels per unit. */
export function pxPerUnit(camera: Camera, size: Size): number {
  return Math.max(1, Math.min(size.width, size.height)) * camera.zoom;
}

/** A place of the unit square in pixels. */
export function toPx(camera: Camera, size: Size, u: number, v: number): [number, number] {
  const s = pxPerUnit(camera, size);
  return [size.width / 2 + (u - camera.cx) * s, size.height / 2 - (v - camera.cy) * s];
}

/** A pixel in the unit square. */
export function toUnit(camera: Camera, size: Size, px: number, py: number): [number, number] {
  const s = pxPerUnit(camera, size);
  return [camera.cx + (px - size.width / 2) / s, camera.cy - (py - size.height / 2) / s];
}

/** A place of the unit square in the data's own units. */
export function toData(frame: Frame, u: number, v: number): [number, number] {
  return [frame.x0 + u / frame.sx, frame.y0 + v / frame.sy];
}

/** A place in the data's own units in the unit square. */
export function fromData(frame: Frame, x: number, y: number): [number, number] {
  return [(x - frame.x0) * frame.sx, (y - frame.y0) * frame.sy];
}

/** Moved by pixels. */
export function panned(camera: Camera, size: Size, dx: number, dy: number): Camera {
  const s = pxPerUnit(camera, size);
  return kept({ ...camera, cx: camera.cx - dx / s, cy: camera.cy + dy / s });
}

/** Zoomed so that what is under the pixel stays there. */
export function zoomed(camera: Camera, size: Size, factor: number, px: number, py: number): Camera {
  const [u, v] = toUnit(camera, size, px, py);
  const zoom = clamp(camera.zoom * factor, MIN_ZOOM, MAX_ZOOM);
  const f = camera.zoom / zoom;
  return kept({ cx: u + (camera.cx - u) * f, cy: v + (camera.cy - v) * f, zoom });
}

/** The view that holds these points of the unit square, with a margin; the whole where there are none. */
export function around(u: ArrayLike<number>, v: ArrayLike<number>, size: Size): Camera {
  const [bu, bv] = [bounds(u), bounds(v)];
  if (!bu || !bv) return WHOLE;
  const short = Math.max(1, Math.min(size.width, size.height));
  const need = Math.max(
    ((bu[1] - bu[0]) * short) / Math.max(1, size.width),
    ((bv[1] - bv[0]) * short) / Math.max(1, size.height),
    1e-4,
  );
  return kept({
    cx: (bu[0] + bu[1]) / 2,
    cy: (bv[0] + bv[1]) / 2,
    zoom: clamp(0.85 / need, MIN_ZOOM, MAX_ZOOM),
  });
}

/** Nobody gets lost: the middle of the view stays near the data. */
function kept(camera: Camera): Camera {
  return { ...camera, cx: clamp(camera.cx, -0.5, 1.5), cy: clamp(camera.cy, -0.5, 1.5) };
}

export function clamp(value: number, low: number, high: number): number {
  return Math.min(high, Math.max(low, value));
}
