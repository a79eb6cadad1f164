/** What all routes share: where we are, the project, theme, shortcuts, undo, and what is said aloud. */
import { json, onNewProject, onRefused, setKey, shareKey, takeKey } from '../api/client';
import { address, here, isCopy } from '../api/site';
import type { Project } from '../api/types';
import { isSliding, isTyping, Keys, type Shortcut } from '../lib/keys';
import { route, type Route } from '../lib/route';
import { Undo } from '../lib/undo';
import { Resource } from './resource.svelte';

class Page {
  path = $state(here().path);
  search = $state(here().search);
  /** The search at the last step: what came since is of a hand that moves. */
  private rested = this.search;
  route: Route = $derived(route(this.path));
  theme = $state<'dark' | 'light'>('dark');
  project = new Resource<Project>();
  hasKey = $state(false);
  /** The server has read the project anew since this page was opened. */
  isOld = $state(false);
  /** The server does not know the key, or not any more. */
  isLocked = $state(false);
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
      if (location.hash.startsWith('#key=') && takeKey()) location.reload();
    });
    shareKey(() => void this.unlock());
    onRefused(() => (this.isLocked = true));
    onNewProject(() => (this.isOld = true));
    void this.ask();
  }

  /** With a key: asks anew for all that is shown, if the server knows it. */
  async unlock(key?: string): Promise<void> {
    if (key !== undefined) setKey(key);
    if (!(await this.ask())) return;
    this.isLocked = false;
    Resource.refresh();
  }

  private ask() {
    return this.project.load((asked) => json<Project>('/project', asked));
  }

  /** What is said where no table is: which ones were found, and why they are not shown. */
  noTable: string = $derived.by(() => {
    const left_out = this.project.data?.left_out ?? [];
    return left_out.length ? `No table can be shown. Found was ${left_out.join('; ')}.` : 'No table to show yet.';
  });
  /** Why nothing can be written here; empty where it can. */
  silence: string = $derived.by(() => {
    const project = this.project.data;
    if (isCopy) return 'this is a copy, and nothing is written in it';
    return project?.may_write === false ? 'this key only reads; a token with the role write may (“volary token make NAME --role write --role read”)' : '';
  });
  /** Subjects may have tags, of Talk or given here. */
  hasTags: boolean = $derived(!isCopy && ((this.project.data?.n_tagged ?? 0) > 0 || this.project.data?.takes_labels === true));
  /** Why no label can be given here; empty where it can. */
  mute: string = $derived(this.silence || (this.project.data?.takes_labels === false ? 'this server keeps no labels; start it as “volary serve DIR”' : ''));

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
    this.rested = this.search;
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
    if (search === this.search && (!isStep || search === this.rested)) return;
    const url = address(this.path + search);
    if (isStep) {
      // Back leads to where the hand took hold, not to the last place that it passed.
      if (this.rested !== this.search) history.replaceState(history.state, '', address(this.path + this.rested));
      history.pushState(null, '', url);
    } else history.replaceState(history.state, '', url);
    this.search = search;
    if (!isStep) return;
    this.rested = search;
    this.note();
  }

  undo = (): void => this.step(this.undoes.undo(), 'undone');
  redo = (): void => this.step(this.undoes.redo(), 'done again');

  private step(to: string | null, what: string): void {
    if (to === null) return this.say('nothing to undo');
    history.pushState(null, '', address(to));
    ({ path: this.path, search: this.search } = here());
    this.rested = this.search;
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
    if (isSliding(target as never, event)) return;
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
