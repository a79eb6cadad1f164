/**
 * Shortcuts: which keys do what, and what a key press means. No document here: whoever listens asks.
 *
 * A shortcut is one key (`l`, `Shift+c`, `Escape`) or two, one after the other (`g s`). None works while somebody
 * types, and single keys can be switched off altogether (WCAG 2.1.4).
 */

export interface Shortcut {
  readonly keys: string;
  readonly label: string;
  readonly group: string;
  readonly run: () => void;
}

/** What a press looks like to us. */
export interface Press {
  readonly key: string;
  readonly shiftKey: boolean;
  readonly ctrlKey: boolean;
  readonly metaKey: boolean;
  readonly altKey: boolean;
}

/** Between the two keys of a shortcut, ms. */
export const WAIT_MS = 1_200;

/** The name of a press; `null` where it is the browser's business. */
export function nameOf(press: Press): string | null {
  if (press.ctrlKey || press.metaKey || press.altKey) return null;
  const key = press.key === ' ' ? 'Space' : press.key;
  if (key.length === 1 && /[a-z]/i.test(key)) return press.shiftKey ? `Shift+${key.toLowerCase()}` : key.toLowerCase();
  // `?` and `+` come with Shift on many keyboards: what counts is the sign.
  return key;
}

/** Follows presses and finds the shortcut that they make. */
export class Keys {
  private known = new Map<string, Shortcut[]>();
  private first = '';
  private firstAt = -Infinity;

  /** Adds shortcuts; the last added goes first. Gives what takes them away again. */
  add(shortcuts: readonly Shortcut[]): () => void {
    for (const one of shortcuts) this.known.set(one.keys, [...(this.known.get(one.keys) ?? []), one]);
    return () => {
      for (const one of shortcuts) {
        const left = (this.known.get(one.keys) ?? []).filter((other) => other !== one);
        if (left.length) this.known.set(one.keys, left);
        else this.known.delete(one.keys);
      }
    };
  }

  /** All that work now, by group. */
  list(): Shortcut[] {
    return [...this.known.values()].map((all) => all[all.length - 1]);
  }

  /** The shortcut that this press ends, if any. */
  press(press: Press, nowMs: number): Shortcut | null {
    const name = nameOf(press);
    if (!name) return null;
    const isSecond = this.first && nowMs - this.firstAt <= WAIT_MS;
    const pair = isSecond ? `${this.first} ${name}` : '';
    this.first = '';
    const found = this.known.get(pair) ?? this.known.get(name);
    if (found) return found[found.length - 1];
    if ([...this.known.keys()].some((keys) => keys.startsWith(`${name} `))) {
      this.first = name;
      this.firstAt = nowMs;
    }
    return null;
  }
}

/** Keys that move a slider. */
const SLIDING = /^(Arrow(Left|Right|Up|Down)|Home|End|PageUp|PageDown)$/;

/** Whether a press belongs to the slider that it is meant for, and to no shortcut. */
export function isSliding(target: { tagName?: string; type?: string } | null, press: Pick<Press, 'key'>): boolean {
  return target?.tagName?.toUpperCase() === 'INPUT' && target.type === 'range' && SLIDING.test(press.key);
}

/** Where a press means a letter. */
export function isTyping(target: { tagName?: string; isContentEditable?: boolean; type?: string } | null): boolean {
  if (!target) return false;
  if (target.isContentEditable) return true;
  const tag = (target.tagName ?? '').toUpperCase();
  if (tag === 'TEXTAREA' || tag === 'SELECT') return true;
  return tag === 'INPUT' && !['checkbox', 'radio', 'range', 'button'].includes(target.type ?? 'text');
}
