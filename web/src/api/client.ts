/**
 * Asks the server. Every answer is JSON, Arrow or a picture; every failure is a {@link Problem} with a sentence, a
 * number that stands in the server's log, and a way to try again.
 *
 * The key comes behind `#` of the address that `volary serve` prints; it is kept for this tab only and taken out of
 * the address.
 */

import { isCopy } from './site';

export class Problem extends Error {
  constructor(
    readonly title: string,
    readonly detail: string,
    readonly status: number,
    readonly requestId = '',
    readonly kind = '',
    readonly faults: readonly Fault[] = [],
  ) {
    super(`${title}: ${detail}`);
  }

  /** The characters of a filter that are meant, if the problem is one of a filter. */
  get characters(): readonly [number, number] | null {
    const found = /^characters:(\d+)-(\d+)$/.exec(this.faults[0]?.code ?? '');
    return found ? [Number(found[1]), Number(found[2])] : null;
  }
}

export interface Fault {
  readonly pointer: string;
  readonly code: string;
  readonly message: string;
}

const KEPT = 'volary-key';
let key = '';

/** Takes the key out of the address, or remembers the tab's. Whether there is one. */
export function takeKey(): boolean {
  if (isCopy) return false;
  const found = /^#key=(.+)$/.exec(location.hash);
  if (found) {
    key = decodeURIComponent(found[1]);
    sessionStorage.setItem(KEPT, key);
    history.replaceState(history.state, '', location.pathname + location.search);
  } else key = sessionStorage.getItem(KEPT) ?? '';
  return key !== '';
}

export function setKey(text: string): void {
  key = text.trim();
  sessionStorage.setItem(KEPT, key);
}

/** Tabs of this page give each other the key: a link from a report opens without asking for it. */
const tabs = typeof BroadcastChannel === 'undefined' || isCopy ? null : new BroadcastChannel('volary');

export function shareKey(got: () => void): void {
  if (!tabs) return;
  tabs.onmessage = ({ data }: MessageEvent<unknown>) => {
    if (data === 'key?' && key) tabs.postMessage({ key });
    const given = (data as { key?: unknown } | null)?.key;
    if (!key && typeof given === 'string') {
      setKey(given);
      got();
    }
  };
  if (!key) tabs.postMessage('key?');
}

export function headers(more: Record<string, string> = {}): Record<string, string> {
  return key ? { ...more, authorization: `Bearer ${key}` } : more;
}

export interface Asked {
  readonly body?: unknown;
  /** Where it is neither GET nor, with a body, POST. */
  readonly method?: 'DELETE';
  /** The same for repeats of one request. */
  readonly once?: string;
  readonly signal?: AbortSignal;
  /** Told of bytes that came, and of how many there will be if that is known. */
  readonly progress?: (bytes: number, total: number | null) => void;
}

async function ask(path: string, asked: Asked): Promise<Response> {
  if (isCopy) {
    const { answer } = await import('../copy/answer');
    const said = await answer(path, asked.body);
    asked.signal?.throwIfAborted();
    if (!said.ok) throw await problem(said);
    return said;
  }
  const isPost = asked.body !== undefined;
  let response: Response;
  try {
    response = await fetch(`/api/v1${path}`, {
      method: asked.method ?? (isPost ? 'POST' : 'GET'),
      headers: headers({ ...(isPost ? { 'content-type': 'application/json' } : {}), ...(asked.once ? { 'idempotency-key': asked.once } : {}) }),
      body: isPost ? JSON.stringify(asked.body) : undefined,
      signal: asked.signal,
    });
  } catch (error) {
    if ((error as Error).name === 'AbortError') throw error;
    throw new Problem(
      'The server does not answer',
      'Look whether `volary serve` still runs, and try again.',
      0,
      '',
      'unreachable',
    );
  }
  if (!response.ok) throw await problem(response);
  check(path, response.headers.get('volary-revision'));
  return response;
}

let revision: string | null = null;
let isNew = () => {};

/** Told once, when the server has read the project anew: what is shown here is of before. */
export function onNewProject(told: () => void): void {
  isNew = told;
}

/** A part of one reading of the project is never put beside a part of another: rows have other numbers there. */
function check(path: string, now: string | null): void {
  revision ??= now;
  if (now === null || now === revision) return;
  isNew();
  if (/^\/(tables|project|sprites)\b/.test(path)) throw new Problem('The project was read anew', 'Show what is new, and go on there.', 409, '', 'revision');
}

let isRefused = () => {};

/** Told whenever the server does not know the key: a server that was started anew has another one. */
export function onRefused(told: () => void): void {
  isRefused = told;
}

/** Looks whether an answer says that the key is not known. */
export function refusedBy(response: Response): void {
  if (response.status === 401) isRefused();
}

async function problem(response: Response): Promise<Problem> {
  refusedBy(response);
  try {
    const said = await response.json();
    const kind = String(said.type ?? '').replace('/problems/', '');
    // What a program is told to send, a person has a line for.
    const detail = response.status === 401 && key ? 'the server does not know this key; give it another one above, and try again' : said.detail;
    return new Problem(said.title, detail, response.status, said.request_id, kind, said.errors ?? []);
  } catch {
    if (response.status === 414 || response.status === 431) return new Problem('The address is too long', 'Write a shorter filter, or keep the slice under a name and use that.', response.status);
    return new Problem('The server failed', `It answered ${response.status}.`, response.status);
  }
}

export async function json<T>(path: string, asked: Asked = {}): Promise<T> {
  return (await ask(path, asked)).json() as Promise<T>;
}

/** Takes something away; what is said of it is not needed. */
export async function drop(path: string): Promise<void> {
  await ask(path, { method: 'DELETE' });
}

/** Bytes as they come. */
export async function bytes(path: string, asked: Asked = {}): Promise<Uint8Array> {
  const response = await ask(path, asked);
  try {
    return await body(response, asked);
  } catch (error) {
    if ((error as Error).name === 'AbortError') throw error;
    throw new Problem('The answer broke off', 'It did not come whole. Look whether `volary serve` still runs, and try again.', 0, '', 'broken-off');
  }
}

async function body(response: Response, asked: Asked): Promise<Uint8Array> {
  const length = response.headers.get('content-length');
  const total = length === null ? null : Number(length);
  if (!response.body || !asked.progress) return new Uint8Array(await response.arrayBuffer());
  // What is sent as it is has a known length, and goes where it belongs as it comes.
  if (total !== null && !response.headers.get('content-encoding')) {
    const whole = await inPlace(response.body, total, (n) => asked.progress?.(n, total));
    if (whole) return whole;
  }
  const parts: Uint8Array[] = [];
  let n = 0;
  const reader = response.body.getReader();
  for (let part = await reader.read(); !part.done; part = await reader.read()) {
    parts.push(part.value);
    n += part.value.length;
    asked.progress(n, total);
  }
  const out = new Uint8Array(n);
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}

/** What TypeScript does not know of it yet: how much is waited for. Where a browser does not either, less comes at a time. */
interface Filler {
  read(room: Uint8Array<ArrayBuffer>, how: { min: number }): Promise<{ done: boolean; value?: Uint8Array<ArrayBuffer> }>;
}

/** So many bytes at a time are told of. */
const PIECE = 1 << 19;

/**
 * A body of a known length, without a copy of it; null where the browser cannot. A stream that breaks off is shorter,
 * and whoever reads it finds that.
 */
async function inPlace(body: ReadableStream<Uint8Array>, total: number, told: (n: number) => void): Promise<Uint8Array | null> {
  let reader: Filler;
  try {
    reader = body.getReader({ mode: 'byob' });
  } catch {
    return null;
  }
  let memory = new ArrayBuffer(total);
  let n = 0;
  while (n < total) {
    const room = new Uint8Array(memory, n, total - n);
    const part = await reader.read(room, { min: Math.min(PIECE, room.length) });
    if (part.value) [memory, n] = [part.value.buffer, n + part.value.length];
    if (part.done) break;
    told(n);
  }
  return new Uint8Array(memory, 0, n);
}

export async function picture(path: string, signal?: AbortSignal): Promise<Blob> {
  return (await ask(path, { signal })).blob();
}

/** `?a=1&b=2` without what is undefined. */
export function query(parameters: Record<string, string | number | undefined>): string {
  const out = new URLSearchParams();
  for (const [name, value] of Object.entries(parameters)) if (value !== undefined) out.set(name, String(value));
  const text = out.toString();
  return text ? `?${text}` : '';
}

/** An id of one's own for what must not be done twice. */
export function newId(): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(12)), (b) => b.toString(16).padStart(2, '0')).join('');
}
