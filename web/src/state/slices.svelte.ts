/** Slices that the project keeps: a name and a filter, counted by the server. */
import { drop, json, Problem } from '../api/client';
import type { SavedSlice, SavedSlices } from '../api/types';
import { Resource } from './resource.svelte';

export class SliceBook {
  all = new Resource<SavedSlices>();
  problem = $state.raw<Problem | null>(null);

  constructor() {
    void this.load();
  }

  private load() {
    return this.all.load((asked) => json<SavedSlices>('/slices', asked));
  }

  /** Of a table, those that can be followed. */
  of(table: string): readonly SavedSlice[] {
    return (this.all.data?.slices ?? []).filter((one) => one.table === table && one.n !== undefined);
  }

  /** Saves one under a name; whether it is on disk. */
  async save(name: string, table: string, filter: string): Promise<boolean> {
    return this.done(() => json('/slices', { body: { name, table, filter } }));
  }

  async remove(id: string): Promise<boolean> {
    return this.done(async () => {
      await drop(`/slices/${encodeURIComponent(id)}`).catch((error: unknown) => {
        // Somebody else was faster.
        if (!(error instanceof Problem && error.status === 404)) throw error;
      });
    });
  }

  private async done(what: () => Promise<unknown>): Promise<boolean> {
    this.problem = null;
    try {
      await what();
      await this.load();
      return true;
    } catch (error) {
      this.problem = error instanceof Problem ? error : new Problem('The slice was not saved', String(error), 0);
      return false;
    }
  }
}
