/** Steps of the project and what is run of them: asked once, and again when the server says that something happened. */
import { json, Problem } from '../api/client';
import { listen } from '../api/events';
import type { Job, Jobs, Step } from '../api/types';
import { page } from './page.svelte';
import { Resource } from './resource.svelte';

/** Not more often, ms. */
const PAUSE_MS = 500;
/** So often where the event stream cannot be had, ms. */
const POLL_MS = 2_000;

export const hasEnded = (job: Job): boolean => job.state === 'done' || job.state === 'failed' || job.state === 'stopped';

const ENDED: Partial<Record<Job['state'], string>> = { done: 'is done', failed: 'has failed', stopped: 'was stopped' };

export class JobBook {
  all = new Resource<Jobs>();
  problem = $state.raw<Problem | null>(null);
  isAsking = $state(false);
  private isAlive = false;
  private timer = 0;
  private last = 0;

  /** Looks until the function that it gives is called. */
  watch(): () => void {
    this.look();
    const stop = listen('jobs', {
      alive: (is) => {
        // What happened while nobody listened.
        if (is && !this.isAlive) this.soon();
        this.isAlive = is;
      },
      heard: (event) => {
        if (event.name !== 'job.progress') return;
        const said = ENDED[event.data.state as Job['state']];
        const job = this.all.data?.jobs.find((one) => one.id === event.data.id);
        if (said && job && !hasEnded(job)) page.say(`${job.line.slice(0, 40)} ${said}`);
        this.soon();
      },
    });
    const poll = setInterval(() => {
      if (!this.isAlive && this.running) this.soon();
    }, POLL_MS);
    return () => {
      stop();
      clearInterval(poll);
      clearTimeout(this.timer);
    };
  }

  private look(): void {
    this.last = Date.now();
    void this.all.load((asked) => json<Jobs>('/jobs', asked));
  }

  private soon(): void {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.look(), Math.max(0, this.last + PAUSE_MS - Date.now()));
  }

  /** What runs. */
  running: Job | null = $derived(this.all.data?.jobs.find((job) => !hasEnded(job)) ?? null);

  /** The newest job of a step. */
  of(step: Step): Job | null {
    return this.all.data?.jobs.find((job) => job.step_id === step.id) ?? null;
  }

  run(step: Step): Promise<void> {
    // What is up to date would be left out.
    return this.ask('/jobs', { body: { step_id: step.id, again: step.state === 'up_to_date' } });
  }

  stop(job: Job): Promise<void> {
    return this.ask(`/jobs/${encodeURIComponent(job.id)}`, { method: 'DELETE' });
  }

  private async ask(path: string, asked: { body?: unknown; method?: 'DELETE' }): Promise<void> {
    if (this.isAsking) return;
    this.isAsking = true;
    this.problem = null;
    try {
      await json<Job>(path, asked);
    } catch (error) {
      this.problem = error instanceof Problem ? error : new Problem('It was not done', String(error), 0);
    } finally {
      this.isAsking = false;
      this.look();
    }
  }
}
