/** Labels that are given here: on the server's disk before the page goes on, taken back one by one. */
import { json, newId, Problem } from '../api/client';
import type { Label } from '../api/types';
import { page } from './page.svelte';
import { Resource } from './resource.svelte';

export class LabelBook {
  all = new Resource<{ labels: Label[]; n_log: number; me?: string }>();
  isWriting = $state(false);
  problem = $state.raw<Problem | null>(null);
  private mine: Label[] = [];
  /** Known answers of the subject that was just labelled; told only then. */
  gold = $state.raw<{ subject: string; answers: Record<string, string> } | null>(null);

  constructor(readonly question: string) {
    void this.all.load((asked) => json('/labels', asked));
  }

  /** What holds, by subject. */
  bySubject: Map<string, string> = $derived(
    new Map(
      (this.all.data?.labels ?? [])
        .filter((label) => label.question === this.question)
        .map((label) => [label.subject_id, label.value ?? '']),
    ),
  );

  /** What I said, by subject. */
  byMe: Map<string, string> = $derived(
    new Map(
      (this.all.data?.labels ?? [])
        .filter((label) => label.question === this.question && label.by === this.all.data?.me)
        .map((label) => [label.subject_id, label.value ?? '']),
    ),
  );

  /** Gives a label; whether it is on disk. A request that may have got lost is sent again with the same id. */
  async give(subject: string, value: string): Promise<boolean> {
    return this.write({ id: newId(), subject_id: subject, question: this.question, value });
  }

  /** Takes the last label of this tab back; the subject it was on. */
  async takeBack(): Promise<string | null> {
    const last = this.mine.at(-1);
    if (!last) {
      page.say('nothing to take back');
      return null;
    }
    const done = await this.write({ id: newId(), subject_id: last.subject_id, question: this.question, retracts: last.id });
    if (!done) return null;
    this.mine.pop();
    return last.subject_id;
  }

  private async write(body: Partial<Label> & { id: string }): Promise<boolean> {
    if (this.isWriting) return false;
    this.isWriting = true;
    this.problem = null;
    try {
      const label = await this.send(body);
      if (label.value !== undefined) this.mine.push(label);
      this.gold = label.gold ? { subject: label.subject_id, answers: label.gold } : null;
      await this.all.load((asked) => json('/labels', asked));
      return true;
    } catch (error) {
      this.problem = error instanceof Problem ? error : new Problem('The label was not written', String(error), 0);
      return false;
    } finally {
      this.isWriting = false;
    }
  }

  private async send(body: object): Promise<Label> {
    try {
      return await json<Label>('/labels', { body });
    } catch (error) {
      // Nobody knows whether it arrived; with its id it cannot be written twice.
      if (error instanceof Problem && error.status === 0) return json<Label>('/labels', { body });
      throw error;
    }
  }
}
