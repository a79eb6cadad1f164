/** Steps back and forward through states that are plain texts (the page's are URLs). */
export class Undo {
  private past: string[] = [];
  private future: string[] = [];

  constructor(
    private present: string,
    private readonly limit = 200,
  ) {}

  /** Notes a new state; the same state again is no step. */
  push(state: string): void {
    if (state === this.present) return;
    this.past.push(this.present);
    if (this.past.length > this.limit) this.past.shift();
    this.present = state;
    this.future = [];
  }

  undo(): string | null {
    const state = this.past.pop();
    if (state === undefined) return null;
    this.future.push(this.present);
    this.present = state;
    return state;
  }

  redo(): string | null {
    const state = this.future.pop();
    if (state === undefined) return null;
    this.past.push(this.present);
    this.present = state;
    return state;
  }

  get canUndo(): boolean {
    return this.past.length > 0;
  }

  get canRedo(): boolean {
    return this.future.length > 0;
  }
}
