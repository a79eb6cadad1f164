/**
 * Something that is asked of the server, in the five states that are the same everywhere: empty, loading, partial,
 * stale, error. What was shown stays until something newer comes.
 */
import { onDestroy } from 'svelte';
import { Problem, type Asked } from '../api/client';

/** Shorter waits are not shown. */
const PATIENCE_MS = 150;

export class Resource<T> {
  data = $state.raw<T | null>(null);
  problem = $state.raw<Problem | null>(null);
  isLoading = $state(false);
  /** Loading for so long that it is shown. */
  isSlow = $state(false);
  progress = $state.raw<{ bytes: number; total: number | null } | null>(null);
  updated = $state.raw<Date | null>(null);
  private last: ((asked: Asked) => Promise<T>) | null = null;
  private abort: AbortController | null = null;
  private static readonly all = new Set<Resource<unknown>>();

  constructor() {
    Resource.all.add(this);
    try {
      onDestroy(() => {
        Resource.all.delete(this);
        this.abort?.abort();
      });
    } catch {
      // Made outside of a component: it lives as long as the page.
    }
  }

  /** Asks for everything anew that is shown now. */
  static refresh(): void {
    for (const one of Resource.all) one.retry();
  }

  /** Asks; an answer to an older question is dropped. */
  async load(ask: (asked: Asked) => Promise<T>): Promise<T | null> {
    this.last = ask;
    this.abort?.abort();
    const abort = new AbortController();
    this.abort = abort;
    this.isLoading = true;
    const timer = setTimeout(() => (this.isSlow = this.abort === abort), PATIENCE_MS);
    try {
      const progress = (bytes: number, total: number | null) => (this.progress = { bytes, total });
      const data = await ask({ signal: abort.signal, progress });
      if (this.abort !== abort) return null;
      this.data = data;
      this.problem = null;
      this.updated = new Date();
      return data;
    } catch (error) {
      if (this.abort !== abort || (error as Error).name === 'AbortError') return null;
      this.problem = error instanceof Problem ? error : new Problem('Something went wrong', String(error), 0);
      return null;
    } finally {
      clearTimeout(timer);
      if (this.abort === abort) {
        this.isLoading = false;
        this.isSlow = false;
        this.progress = null;
      }
    }
  }

  /** Gives up what is being asked for; what is shown stays. */
  stop(): void {
    this.abort?.abort();
    this.abort = null;
    this.isLoading = false;
    this.isSlow = false;
    this.progress = null;
  }

  /** The same question again. */
  retry = (): void => {
    if (this.last) void this.load(this.last);
  };

  /** What it is in, for `State.svelte` and for tests. */
  get state(): 'waiting' | 'loading' | 'error' | 'stale' | 'ready' {
    if (this.data !== null) return this.problem ? 'stale' : 'ready';
    if (this.problem) return 'error';
    return this.isSlow ? 'loading' : 'waiting';
  }
}
