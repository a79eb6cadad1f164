/**
 * The event stream, with the key in a header (which EventSource cannot send), and back again after a break from where
 * it left off.
 */
import { headers, refusedBy } from './client';

export interface Heard {
  readonly id: string;
  readonly name: string;
  readonly data: Record<string, unknown>;
}

export interface Listener {
  /** `reset`: what is shown is to be asked for anew, since something may have been missed. */
  readonly heard: (event: Heard) => void;
  /** Whether the stream is there. */
  readonly alive: (is: boolean) => void;
}

/** Takes lines until an event is whole. */
export class Parser {
  private rest = '';
  private id = '';
  private name = '';
  private data: string[] = [];

  constructor(private readonly heard: (event: Heard) => void) {}

  push(text: string): void {
    this.rest += text;
    const lines = this.rest.split('\n');
    this.rest = lines.pop() ?? '';
    for (const line of lines) this.line(line.replace(/\r$/, ''));
  }

  private line(line: string): void {
    if (line === '') {
      if (this.data.length) {
        try {
          this.heard({ id: this.id, name: this.name || 'message', data: JSON.parse(this.data.join('\n')) });
        } catch {
          // What is no JSON is not from our server.
        }
      }
      this.name = '';
      this.data = [];
      return;
    }
    const [, field, value] = /^([^:]*):? ?(.*)$/.exec(line) ?? [];
    if (field === 'id') this.id = value;
    else if (field === 'event') this.name = value;
    else if (field === 'data') this.data.push(value);
  }
}

/** Listens until the returned function is called. */
export function listen(topics: string, listener: Listener): () => void {
  const abort = new AbortController();
  let last = '';
  let isFirst = true;
  let wait = 1_000;
  const follow = async () => {
    while (!abort.signal.aborted) {
      try {
        const more: Record<string, string> = last ? { 'last-event-id': last } : {};
        const response = await fetch(`/api/v1/events?topics=${topics}`, { headers: headers(more), signal: abort.signal });
        refusedBy(response);
        if (!response.ok || !response.body) throw new Error(String(response.status));
        listener.alive(true);
        wait = 1_000;
        // Without a number nobody can say what came while nobody listened.
        if (!isFirst && !last) listener.heard({ id: '', name: 'reset', data: {} });
        isFirst = false;
        const parser = new Parser((event) => {
          if (event.name === 'reset') last = '';
          else if (event.id) last = event.id;
          listener.heard(event);
        });
        const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
        for (let part = await reader.read(); !part.done; part = await reader.read()) parser.push(part.value);
      } catch {
        if (abort.signal.aborted) return;
      }
      listener.alive(false);
      await new Promise((then) => setTimeout(then, wait));
      wait = Math.min(wait * 2, 30_000);
    }
  };
  void follow();
  return () => abort.abort();
}
