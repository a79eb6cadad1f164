/** Labels that are given here: on the server's disk before the page goes on, taken back one by one. */
import { json, newId, Problem } from '../api/client';
import type { Label, Signal } from '../api/types';
import { held, latestOf, TAG } from '../lib/labels';
import { page } from './page.svelte';
import { Resource } from './resource.svelte';

interface Held {
  labels: Label[];
  n_log: number;
  me?: string;
}

export class LabelBook {
  all = new Resource<Held>();
  isWriting = $state(false);
  problem = $state.raw<Problem | null>(null);
  private mine: Label[] = [];
  /** What is known of the subject that was just labelled; told only then. */
  known = $state.raw<{ subject: string; answers: Record<string, string>; signals: Signal[] } | null>(null);

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

  /** What each person said, by subject, person and question. */
  said: Map<string, Map<string, Map<string, string>>> = $derived.by(() => {
    const out = new Map<string, Map<string, Map<string, string>>>();
    for (const { subject_id, by, question, value } of this.all.data?.labels ?? []) {
      const people = out.get(subject_id) ?? new Map<string, Map<string, string>>();
      out.set(subject_id, people.set(by, (people.get(by) ?? new Map()).set(question, value ?? '')));
    }
    return out;
  });

  /** What I said of a subject, by question. */
  mineOf(subject: string): ReadonlyMap<string, string> {
    return this.said.get(subject)?.get(this.all.data?.me ?? '') ?? new Map();
  }

  /** Gives a label; whether it is on disk. A request that may have got lost is sent again with the same id. */
  async give(subject: string, value: string, question = this.question): Promise<boolean> {
    return this.write({ id: newId(), subject_id: subject, question, value });
  }

  /** What I called a subject. */
  tagsOf(subject: string): Label[] {
    const { labels = [], me } = this.all.data ?? {};
    return labels.filter((label) => label.by === me && label.subject_id === subject && label.question.startsWith(TAG));
  }

  /** Takes a label of mine back, whichever it is; whether that is on disk. */
  async retract(label: Label): Promise<boolean> {
    return this.write({ id: newId(), subject_id: label.subject_id, question: label.question, retracts: label.id });
  }

  /** The last label that holds and is mine, of this tab or of before: a page that was loaded anew takes back too. */
  private latest(): Label | null {
    const { labels = [], me } = this.all.data ?? {};
    return latestOf(labels, me ?? '', this.question);
  }

  /** Takes the last label back; the subject it was on. */
  async takeBack(): Promise<string | null> {
    const last = this.mine.at(-1) ?? this.latest();
    if (!last) {
      page.say('nothing to take back');
      return null;
    }
    const done = await this.write({ id: newId(), subject_id: last.subject_id, question: last.question, retracts: last.id });
    if (!done) return null;
    this.mine.pop();
    return last.subject_id;
  }

  private async write(body: Partial<Label> & { id: string }): Promise<boolean> {
    if (this.isWriting) {
      page.say('still writing what came before; this was not taken');
      return false;
    }
    this.isWriting = true;
    this.problem = null;
    // A list that comes meanwhile may hold the label before its answer is here: the next card would come, and not yet
    // take a key.
    this.all.stop();
    const read = () => this.all.load((asked) => json<Held>('/labels', asked));
    try {
      const label = await this.send(body);
      if (label.value !== undefined) this.mine.push(label);
      const isKnown = label.gold !== undefined || label.signals !== undefined;
      this.known = isKnown ? { subject: label.subject_id, answers: label.gold ?? {}, signals: label.signals ?? [] } : null;
      // It is on disk, and holds here too, whether or not the list can be read anew. What a label that was taken back
      // had replaced, only the list says.
      if (label.retracts !== undefined && (await read())) return true;
      this.all.data = this.all.data && { ...this.all.data, labels: held(this.all.data.labels, label) };
      if (label.retracts === undefined) void read();
      return true;
    } catch (error) {
      this.problem = error instanceof Problem ? error : new Problem('The label was not written', String(error), 0);
      void read();
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
