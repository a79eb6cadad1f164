// The real binary over a project folder of its own, and a browser in front of it.
import { execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { deflateSync } from 'node:zlib';
import { chromium } from './browser.mjs';

export const VOLARY = process.env.VOLARY ?? new URL('../../target/debug/volary', import.meta.url).pathname;

/** The same numbers each time, between 0 and 1. */
export function noise(seed) {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}

/** A name that would do harm if it became markup. */
export const EVIL = `<img src=x onerror="document.title='hacked'">`;

/** A PNG of one colour. */
function png(side, rgb) {
  const crcTable = Array.from({ length: 256 }, (_, n) => {
    let c = n;
    for (let k = 0; k < 8; k++) c = c & 1 ? 0xedb88320 ^ (c >>> 1) : c >>> 1;
    return c >>> 0;
  });
  const crc = (bytes) => (bytes.reduce((c, b) => crcTable[(c ^ b) & 255] ^ (c >>> 8), 0xffffffff) ^ 0xffffffff) >>> 0;
  const chunk = (kind, data) => {
    const body = Buffer.concat([Buffer.from(kind), data]);
    const out = Buffer.alloc(body.length + 8);
    out.writeUInt32BE(data.length, 0);
    body.copy(out, 4);
    out.writeUInt32BE(crc(body), body.length + 4);
    return out;
  };
  const head = Buffer.alloc(13);
  head.writeUInt32BE(side, 0);
  head.writeUInt32BE(side, 4);
  head.set([8, 2, 0, 0, 0], 8);
  const line = Buffer.concat([Buffer.from([0]), Buffer.from(Array(side).fill(rgb).flat())]);
  const data = deflateSync(Buffer.concat(Array(side).fill(line)));
  return Buffer.concat([Buffer.from([137, 80, 78, 71, 13, 10, 26, 10]), chunk('IHDR', head), chunk('IDAT', data), chunk('IEND', Buffer.alloc(0))]);
}

export const N = 3_000;

/** A project of points in four clusters with scores, classes, vectors, images; and one that cannot be joined. */
export function project(folder) {
  mkdirSync(join(folder, 'images'), { recursive: true });
  const next = noise(11);
  const bell = () => (next() + next() + next() + next() - 2) * 0.5;
  const rows = [];
  for (let i = 0; i < N; i++) {
    const kind = i % 4;
    const [cx, cy] = [[-2, -1], [2, -1], [0, 2], [3, 3]][kind];
    const [x, y] = [cx + bell(), cy + bell()];
    const id = i === 7 ? EVIL : `g${i}`;
    const score = i % 50 === 3 ? '' : (0.2 * kind + 0.4 * next()).toFixed(4);
    const ring = Math.min(1, Math.max(0, kind / 4 + 0.3 * bell()));
    const disk = Math.min(1, Math.max(0, 0.9 - ring + 0.2 * bell()));
    const vector = [x + 0.1 * bell(), y + 0.1 * bell(), bell(), bell()].map((v) => v.toFixed(4));
    rows.push([`"${id.replaceAll('"', '""')}"`, i % 97 === 5 ? '' : x.toFixed(5), y.toFixed(5), ['spiral', 'ring', 'merger', EVIL.replaceAll('"', '')][kind], score, (5 + (i % 20)).toString(), ring.toFixed(3), disk.toFixed(3), ...vector].join(','));
    if (i < 40 && i !== 7) writeFileSync(join(folder, 'images', `g${i}.png`), i === 9 ? 'no picture' : png(48, [40 + 5 * i, 90, 250 - 5 * i]));
  }
  const head = 'subject_id,x,y,kind,anomaly_score,n_seen,consensus(ring),consensus(disk),z0,z1,z2,z3';
  writeFileSync(join(folder, 'points.csv'), `${head}\n${rows.join('\n')}\n`);
  writeFileSync(join(folder, 'zz-other.csv'), 'name,value\na,1\n');
  writeFileSync(join(folder, 'volary.toml'), '[project]\ntitle = "Test <b>sky</b>"\n\n[input]\nimages = "images"\n');
}

export const ROUTES = ['', 'space', 'subjects', 'subjects/g5', 'confusion', 'anomaly', 'live', 'volunteers', 'classify', 'jobs', 'help'];

/** More alerts than the page draws at once. */
export async function raiseAlerts(site) {
  const votes = [];
  for (let s = 0; s < 210; s++) {
    for (let n = 0; n < 8; n++) {
      votes.push({ source: 'e2e', id: `${s}-${n}`, at_ms: 1_700_000_000_000 + s, kind: 'vote', workflow: '1', version: '1.1', subject: `c${s}`, actor: { user: String(n + 10 * s) }, answers: { T0: ['real'] } });
    }
  }
  for (let at = 0; at < votes.length; at += 400) await site.api('/classifications', votes.slice(at, at + 400));
}

export class Site {
  /** Serves a folder (made by `fill`), or no project at all. */
  static async start(fill, more = []) {
    const folder = mkdtempSync(join(tmpdir(), 'volary-e2e-'));
    const site = new Site();
    site.folder = folder;
    site.more = more;
    if (fill) {
      await fill(folder);
      site.more = [folder, ...more];
    }
    await site.serve();
    return site;
  }

  async serve(port = 0) {
    this.child = spawn(VOLARY, ['serve', '--address', `127.0.0.1:${port}`, ...this.more], { cwd: this.folder, stdio: ['ignore', 'ignore', 'pipe'] });
    let said = '';
    await new Promise((then, fail) => {
      this.child.stderr.on('data', (data) => {
        said += data;
        if (said.includes('Ctrl-C stops it')) then();
      });
      this.child.on('exit', () => fail(new Error(`volary ended: ${said}`)));
    });
    this.said = said;
    this.url = /the page: (http:\/\/[^/]+\/)/.exec(said)[1];
    this.key = /#key=(\S+)/.exec(said)[1];
    this.token = /this once: (\S+)/.exec(said)?.[1] ?? this.token;
    this.port = Number(new URL(this.url).port);
  }

  /** Ends it without asking, as a power cut does. */
  async kill() {
    const gone = new Promise((then) => this.child.once('exit', then));
    this.child.removeAllListeners('exit');
    this.child.once('exit', () => {});
    this.child.kill('SIGKILL');
    await Promise.race([gone, new Promise((then) => setTimeout(then, 3_000))]);
  }

  async api(path, body) {
    const response = await fetch(`${this.url}api/v1${path}`, {
      method: body ? 'POST' : 'GET',
      headers: { authorization: `Bearer ${this.key}`, ...(body ? { 'content-type': 'application/json' } : {}) },
      body: body ? JSON.stringify(body) : undefined,
    });
    if (!response.ok) throw new Error(`${path}: ${response.status} ${await response.text()}`);
    return response.json();
  }

  /** The command line's record. */
  record(...args) {
    return JSON.parse(execFileSync(VOLARY, [...args, '--json'], { cwd: this.folder, encoding: 'utf8' }));
  }

  async end() {
    await this.kill();
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** A tab with the key, which fails the test on an error in the page and on anything that leaves this machine. */
export async function open(browser, site, path = '', options = {}) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 800 }, ...options });
  const page = await context.newPage();
  page.faults = [];
  page.on('pageerror', (error) => page.faults.push(`error: ${error.message}`));
  page.on('console', (message) => {
    if (/Content Security Policy|Refused to/i.test(message.text())) page.faults.push(message.text());
  });
  page.on('dialog', (dialog) => {
    page.faults.push(`dialog: ${dialog.message()}`);
    void dialog.dismiss();
  });
  page.on('request', (request) => {
    const url = new URL(request.url());
    if (['http:', 'https:', 'ws:', 'wss:'].includes(url.protocol) && url.hostname !== '127.0.0.1') page.faults.push(`asked ${url}`);
  });
  await page.addInitScript((key) => sessionStorage.setItem('volary-key', key), site.key);
  await page.goto(site.url + path);
  return page;
}

export const settled = (page) => page.waitForFunction(() => !document.querySelector('[data-state=loading], [data-state=waiting], [aria-busy=true]'), null, { timeout: 30_000 });

export { chromium };
