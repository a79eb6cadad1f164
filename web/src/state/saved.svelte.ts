/**
 * Views that somebody wants to come back to: a name and an address, which holds the filters and the region as what
 * they are and not as a list of ids. Kept in this browser, by project.
 */
import { page } from './page.svelte';

export interface SavedView {
  readonly name: string;
  readonly path: string;
  readonly search: string;
}

/** More names than this help nobody. */
const MOST = 60;

class Saved {
  private list = $state.raw<SavedView[] | null>(null);

  private get place(): string {
    return `volary-saved:${page.project.data?.title ?? ''}`;
  }

  get all(): readonly SavedView[] {
    if (this.list) return this.list;
    try {
      const read: unknown = JSON.parse(localStorage.getItem(this.place) ?? '[]');
      return Array.isArray(read) ? read.filter(isView).slice(0, MOST) : [];
    } catch {
      return [];
    }
  }

  /** The view that is shown, under a name; an older one of this name goes. */
  add(name: string): void {
    const mine = { name: name.trim().slice(0, 80), path: page.path, search: page.search };
    if (mine.name) this.keep([mine, ...this.all.filter((one) => one.name !== mine.name)].slice(0, MOST));
  }

  drop(name: string): void {
    this.keep(this.all.filter((one) => one.name !== name));
  }

  private keep(list: SavedView[]): void {
    this.list = list;
    localStorage.setItem(this.place, JSON.stringify(list));
  }
}

function isView(one: unknown): one is SavedView {
  const view = one as Partial<SavedView> | null;
  const isPath = typeof view?.path === 'string' && /^\/[a-z]/.test(view.path);
  return isPath && typeof view.name === 'string' && typeof view.search === 'string';
}

export const saved = new Saved();
