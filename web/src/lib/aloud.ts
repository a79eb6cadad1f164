/**
 * What is said aloud of many things that happen: how many, and not more often than every ten seconds. What happens in
 * between is not lost: it is said at the end of the wait.
 */
export class Aloud {
  private n = 0;
  private timer: ReturnType<typeof setTimeout> | null = null;
  private last = -Infinity;

  constructor(
    private readonly say: (n: number) => void,
    private readonly wait_ms = 10_000,
    private readonly now: () => number = Date.now,
  ) {}

  /** One more. */
  add(): void {
    this.n += 1;
    if (this.timer !== null) return;
    const left = this.last + this.wait_ms - this.now();
    if (left <= 0) this.tell();
    else this.timer = setTimeout(() => this.tell(), left);
  }

  stop(): void {
    if (this.timer !== null) clearTimeout(this.timer);
    this.timer = null;
  }

  private tell(): void {
    this.timer = null;
    this.last = this.now();
    this.say(this.n);
    this.n = 0;
  }
}
