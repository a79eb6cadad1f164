/** What all routes share: where we are, the project, theme, shortcuts, undo, and what is said aloud. */
import { json, onNewProject, shareKey, takeKey } from '../api/client';
import { address, here } from '../api/site';
import type { Project } from '../api/types';
import { isTyping, Keys, type Shortcut } from '../lib/keys';
import { route, type Route } from '../lib/route';
import { Undo } from '../lib/undo';
import { Resource } from './resource.svelte';

class Page {
  path = $state(here().path);
  search = $state(here().search);
  route: Route = $derived(route(this.path));
  theme = $state<'dark' | 'light'>('dark');
  project = new Resource<Project>();
  hasKey = $state(false);
  /** The server has read the project anew since this page was opened. */
  isOld = $state(false);
  /** Shown for a moment, and read out. */
  said = $state('');
  isSheetOpen = $state(false);
  keysOff = $state(localStorage.getItem('volary-keys') === 'off');
  readonly keys = new Keys();
  private undoes = new Undo(here().path + here().search);
  canUndo = $state(false);
  canRedo = $state(false);
  private timer = 0;
  /** When the page was last touched, by `performance.now()`. */
  touched = 0;

  start(): void {
    this.hasKey = takeKey();
    const kept = localStorage.getItem('volary-theme');
    const light = matchMedia('(prefers-color-scheme: light)');
    this.setTheme(kept === 'light' || (kept === null && light.matches) ? 'light' : 'dark', false);
    addEventListener('popstate', () => this.follow());
    const touch = () => (this.touched = performance.now());
    for (const kind of ['pointerdown', 'pointerup', 'wheel', 'keydown', 'input']) {
      addEventListener(kind, touch, { passive: true, capture: true });
    }
    addEventListener('keydown', (event) => this.pressed(event));
    addEventListener('hashchange', () => {
      if (takeKey()) location.reload();
    });
    shareKey(() => this.project.retry());
    onNewProject(() => (this.isOld = true));
    void this.project.load((asked) => json<Project>('/project', asked));
  }

  setTheme(theme: 'dark' | 'light', keep = true): void {
    this.theme = theme;
    document.documentElement.dataset.theme = theme;
    if (keep) localStorage.setItem('volary-theme', theme);
  }

  setKeysOff(off: boolean): void {
    this.keysOff = off;
    localStorage.setItem('volary-keys', off ? 'off' : 'on');
  }

  private follow(): void {
    ({ path: this.path, search: this.search } = here());
    this.note();
  }

  private note(): void {
    this.undoes.push(this.path + this.search);
    this.canUndo = this.undoes.canUndo;
    this.canRedo = this.undoes.canRedo;
  }

  /** Another page; Back comes back. */
  go(to: string): void {
    if (to === this.path + this.search) return;
    history.pushState(null, '', address(to));
    this.follow();
    if (!to.startsWith(this.path + '?')) scrollTo(0, 0);
  }

  /** The state of this page in its address: a step of Back, or (while the hand moves) none. */
  put(search: string, isStep: boolean): void {
    if (search === this.search) return;
    const url = address(this.path + search);
    if (isStep) history.pushState(null, '', url);
    else history.replaceState(history.state, '', url);
    this.search = search;
    if (isStep) this.note();
  }

  undo = (): void => this.step(this.undoes.undo(), 'undone');
  redo = (): void => this.step(this.undoes.redo(), 'done again');

  private step(to: string | null, what: string): void {
    if (to === null) return this.say('nothing to undo');
    history.pushState(null, '', address(to));
    ({ path: this.path, search: this.search } = here());
    this.canUndo = this.undoes.canUndo;
    this.canRedo = this.undoes.canRedo;
    this.say(what);
  }

  say(text: string): void {
    this.said = text;
    clearTimeout(this.timer);
    this.timer = setTimeout(() => (this.said = ''), 4_000);
  }

  /** Shortcuts for as long as a component is there. */
  shortcuts(all: readonly Shortcut[]): () => void {
    return this.keys.add(all);
  }

  private pressed(event: KeyboardEvent): void {
    const target = event.target as HTMLElement | null;
    if (isTyping(target as never)) {
      if (event.key === 'Escape') target?.blur();
      return;
    }
    // A button takes Space and Enter for itself, and a box to tick Space.
    if (event.key === ' ' && target?.closest('input, label')) return;
    if ((event.key === ' ' || event.key === 'Enter') && target?.closest('button, a, summary, [role=slider]')) return;
    // The list is a dialog: it takes its own keys.
    if (this.isSheetOpen && event.key !== '?') return;
    if (this.keysOff && event.key !== 'Escape') return;
    const found = this.keys.press(event, event.timeStamp);
    if (!found) return;
    event.preventDefault();
    found.run();
  }
}

export const page = new Page();
