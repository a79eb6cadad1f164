// The real binary over a project folder of its own, and a browser in front of it.
import { execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, mkdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { deflateSync } from 'node:zlib';
import { chromium } from './browser.mjs';

/** How long something is waited for before a test gives up; a machine may be busy, and speed is not tested here. */
export const WAIT_MS = 120_000;

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

/** A PNG of squares side by side, each of one colour. */
function png(side, ...colours) {
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
  head.writeUInt32BE(side * colours.length, 0);
  head.writeUInt32BE(side, 4);
  head.set([8, 2, 0, 0, 0], 8);
  const line = Buffer.concat([Buffer.from([0]), Buffer.from(colours.flatMap((rgb) => Array(side).fill(rgb).flat()))]);
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
    rows.push([`"${id.replaceAll('"', '""')}"`, i % 97 === 5 ? '' : x.toFixed(5), y.toFixed(5), ['spiral', 'ring', 'merger', EVIL.replaceAll('"', '')][kind], score, (5 + (i % 20)).toString(), ring.toFixed(3), disk.toFixed(3), Math.min(1, Math.max(0, ring + 0.1 * Math.sin(i))).toFixed(3), (1 - Math.abs(2 * ring - 1)).toFixed(3), ...vector].join(','));
    if (i < 40 && i !== 7) writeFileSync(join(folder, 'images', `g${i}.png`), i === 9 ? 'no picture' : png(48, [40 + 5 * i, 90, 250 - 5 * i]));
  }
  const head = 'subject_id,x,y,kind,anomaly_score,n_seen,consensus(ring),consensus(disk),predicted(ring),entropy_bits(T0),z0,z1,z2,z3';
  writeFileSync(join(folder, 'points.csv'), `${head}\n${rows.join('\n')}\n`);
  // What a model looked at in two of them, as `volary attention` writes it.
  mkdirSync(join(folder, 'attention', 'overlays'), { recursive: true });
  writeFileSync(join(folder, 'attention', 'attention.csv'), 'subject_id,answer,logit,has_map\ng4,ring,1,true\ng4,disk,-1,true\ng5,ring,2.5,true\ng5,disk,-0.5,true\n');
  writeFileSync(join(folder, 'attention', 'overlaps.csv'), 'subject_id,answer,other_answer,soft_iou,soft_iou_z\ng5,ring,disk,0.25,-1.5\n');
  writeFileSync(join(folder, 'attention', 'overlays', '00001_g5.png'), png(24, [60, 60, 60], [200, 60, 60], [60, 60, 200]));
  // One subject has a second frame. Which image is whose says a table.
  writeFileSync(join(folder, 'images', 'g5-template.png'), png(48, [250, 250, 0]));
  const listed = Array.from({ length: 40 }, (_, i) => i).filter((i) => i !== 7);
  writeFileSync(join(folder, 'images', 'list.csv'), `subject_id,image,template\n${listed.map((i) => `g${i},g${i}.png,${i === 5 ? 'g5-template.png' : ''}`).join('\n')}\n`);
  findings(folder);
  writeFileSync(join(folder, 'zz-other.csv'), 'name,value\na,1\n');
  writeFileSync(join(folder, 'volary.toml'), '[project]\ntitle = "Test <b>sky</b>"\n\n[input]\nimages = "images/list.csv"\ntruth = "truth.csv"\n');
}

/** Small tables, tags, known answers and a record, as the commands write them. */
function findings(folder) {
  const slice = (x, low, high, k, n, flagged) => `crowd,false_positive,${x},${low},${high},,,,,,${k},${n},20,900,${k / n},${k / n / 2},${Math.min(1, (2 * k) / n)},${k / n},0.2,0.1,0.3,0.001,0.01,${flagged}`;
  writeFileSync(
    join(folder, 'bias.csv'),
    `who,error,x,x_low,x_high,x_label,y,y_low,y_high,y_label,n_errors,n,n_errors_rest,n_rest,rate,rate_low,rate_high,rate_shrunk,difference,difference_low,difference_high,p,q,flagged\n${slice('brightness', 1, 2, 5, 200, false)}\n${slice('brightness', 8, 9, 90, 200, true)}\n${slice('sensor', 0, 1, 3, 9, false)}\n`,
  );
  writeFileSync(join(folder, 'retirement.csv'), 'workflow_id,task,about,rule,order,n_orders,n_subjects,mean_votes,saved,accuracy\n1,T0,,agree:8:0.8,time,1,3000,11.5,0.42,0.97\n1,T0,,agree:8:0.8,random,20,3000,11.4,0.43,0.97\n');
  writeFileSync(join(folder, 'talk_tags_subjects.csv'), 'subject_id,n_comments,n_people,tags\ng3,2,2,odd;ring\ng4,1,1,odd\ng11,1,1,<b>loud</b>\n');
  writeFileSync(join(folder, 'truth.csv'), `subject_id,T0\ng0,spiral\ng1,ring\n`);
  writeFileSync(join(folder, 'scores.run.json'), JSON.stringify({ volary: '0.1.0', command: 'score', command_line: ['volary', 'score', '<i>model</i>'], seed: 7, inputs: [{ path: 'images', bytes: 12, blake3: 'ab'.repeat(32) }], outputs: [], wall_s: 1.25 }));
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

/** Those that run. */
const servers = new Set();
process.on('exit', () => servers.forEach((child) => child.kill('SIGKILL')));

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
    // A test that fails leaves its server behind; the run is not to wait for it, and no server outlives the run.
    this.child.unref();
    this.child.stderr.unref();
    servers.add(this.child);
    this.said = said;
    this.url = /the page: (http:\/\/[^/]+\/)/.exec(said)[1];
    this.key = /#key=(\S+)/.exec(said)[1];
    this.token = /this once: (\S+)/.exec(said)?.[1] ?? this.token;
    this.port = Number(new URL(this.url).port);
  }

  /** Ends it without asking, as a power cut does. */
  async kill() {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return;
    this.child.removeAllListeners('exit');
    this.child.ref();
    const gone = new Promise((then) => this.child.once('exit', then));
    this.child.kill('SIGKILL');
    await gone;
    servers.delete(this.child);
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

/** A build of the page to be tested in place of the one within the binary, so that a change needs no compiler. */
const DIST = process.env.VOLARY_DIST;

function fromDisk(route) {
  const path = join(DIST, new URL(route.request().url()).pathname);
  return route.fulfill({ path: existsSync(path) && statSync(path).isFile() ? path : join(DIST, 'index.html') });
}

/** Answers of the API come late, each by another time below this: what a test only sees because it is quick, is found. */
const DELAY_MS = Number(process.env.VOLARY_DELAY_MS ?? 0);

async function late(route) {
  const wait = () => new Promise((then) => setTimeout(then, (Math.random() * DELAY_MS) / 2));
  try {
    await wait();
    if (new URL(route.request().url()).pathname.endsWith('/events')) return await route.continue();
    const response = await route.fetch();
    await wait();
    await route.fulfill({ response });
  } catch {
    // Nobody waits for it any more, or the server is gone; the browser is told so.
    await route.abort().catch(() => {});
  }
}

/** A tab with the key, which fails the test on an error in the page and on anything that leaves this machine. */
export async function open(browser, site, path = '', options = {}) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 800 }, ...options });
  context.setDefaultTimeout(WAIT_MS);
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
  if (DELAY_MS) await page.route('**/api/v1/**', late);
  if (DIST) await page.route((url) => !url.pathname.startsWith('/api/'), fromDisk);
  await page.addInitScript((key) => sessionStorage.setItem('volary-key', key), site.key);
  await page.goto(site.url + path);
  return page;
}

export const settled = (page) => page.waitForFunction(() => !document.querySelector('[data-state=loading], [data-state=waiting], [aria-busy=true]'));

export { chromium };
