/**
 * What comes next, fetched before it is wanted: the pictures of the subjects behind the one that is looked at. The one
 * that is looked at goes first; what is not wanted any more is given up, and what failed is asked for anew.
 */
import { picture } from '../api/client';

/** Subjects behind the one that is looked at. */
export const N_AHEAD = 5;
/** Asked for at once: more would make the first wait for the last. */
const AT_ONCE = 2;

export class Ahead<T> {
  private held = new Map<string, { made: Promise<T>; abort: AbortController; isDone: boolean }>();
  private wanted: readonly string[] = [];

  constructor(private readonly fetch: (id: string, signal: AbortSignal) => Promise<T>) {}

  /** These and no others, in this order. */
  want(ids: readonly string[]): void {
    this.wanted = ids;
    for (const [id, one] of this.held) {
      if (ids.includes(id)) continue;
      this.held.delete(id);
      if (!one.isDone) one.abort.abort();
    }
    this.go();
  }

  /** What was fetched of one, or is on its way; asked for now if it is neither. */
  get(id: string): Promise<T> {
    return (this.held.get(id) ?? this.start(id)).made;
  }

  private go(): void {
    for (const id of this.wanted) {
      if ([...this.held.values()].filter((one) => !one.isDone).length >= AT_ONCE) return;
      if (!this.held.has(id)) this.start(id);
    }
  }

  private start(id: string) {
    const abort = new AbortController();
    const one = { made: this.fetch(id, abort.signal), abort, isDone: false };
    this.held.set(id, one);
    one.made
      .catch(() => {
        // Whoever wants it is told why; who only might want it is not bothered, and asks again.
        if (this.held.get(id) === one) this.held.delete(id);
        this.wanted = this.wanted.filter((other) => other !== id);
      })
      .finally(() => {
        one.isDone = true;
        this.go();
      });
    return one;
  }
}

/** A picture of the server's, as its pixels. */
export async function readPicture(path: string, signal?: AbortSignal): Promise<ImageData> {
  const bitmap = await createImageBitmap(await picture(path, signal));
  const context = new OffscreenCanvas(bitmap.width, bitmap.height).getContext('2d')!;
  context.drawImage(bitmap, 0, 0);
  return context.getImageData(0, 0, bitmap.width, bitmap.height);
}

export const imagePath = (id: string): string => `/project/subjects/${encodeURIComponent(id)}/image`;
export const curvePath = (id: string): string => `/project/subjects/${encodeURIComponent(id)}/light_curve`;
