// How fast the page is: `node web/e2e/speed.mjs VOLARY [ROWS ...]` (default 1000000), after `npm --prefix web ci`.
// The server and the browser share the machine; processor time is that of all of the browser's processes together.
import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { gzipSync } from 'node:zlib';
import { columnFromArray, dictionary, float32, tableFromColumns, tableToIPC, utf8 } from '@uwdata/flechette';
import { chromium } from 'playwright-core';
import { FLAGS, path } from './browser.mjs';

const [binary, ...sizes] = process.argv.slice(2);
if (!binary) throw new Error('node web/e2e/speed.mjs VOLARY [ROWS ...]');
const volary = resolve(binary);

/** Eight columns of numbers and one of kinds; 24 clusters on the map. Arrow, as other tools write it. */
function data(folder, n) {
  const file = join(folder, 'points.arrow');
  if (existsSync(file)) return;
  mkdirSync(folder, { recursive: true });
  let state = 20261129;
  const next = () => (state = (Math.imul(state, 1664525) + 1013904223) >>> 0) / 2 ** 32;
  const bell = () => (next() + next() + next() + next() - 2) * 0.8;
  const centres = Array.from({ length: 24 }, () => [next() * 20, next() * 20, 0.3 + next()]);
  const [x, y, ...rest] = Array.from({ length: 8 }, () => new Float32Array(n));
  const ids = new Array(n);
  const kinds = new Array(n);
  for (let i = 0; i < n; i++) {
    const k = (next() * 24) | 0;
    const [cx, cy, wide] = centres[k];
    x[i] = cx + wide * bell();
    y[i] = cy + wide * bell();
    rest.forEach((column, c) => (column[i] = c % 2 ? next() : Math.exp(bell()) * (k + 1)));
    ids[i] = `s${i}`;
    kinds[i] = `k${k % 6}`;
  }
  const columns = { subject_id: columnFromArray(ids, utf8()), x: columnFromArray(x, float32()), y: columnFromArray(y, float32()) };
  rest.forEach((column, c) => (columns[`v${c}`] = columnFromArray(column, float32())));
  columns.kind = columnFromArray(kinds, dictionary(utf8()));
  writeFileSync(file, tableToIPC(tableFromColumns(columns), { format: 'file' }));
  writeFileSync(join(folder, 'volary.toml'), '[project]\ntitle = "Speed"\n');
}

async function serve(folder) {
  const child = spawn(volary, ['serve', folder, '--address', '127.0.0.1:0'], { stdio: ['ignore', 'ignore', 'pipe'] });
  let said = '';
  await new Promise((then, fail) => {
    child.stderr.on('data', (part) => (said += part).includes('Ctrl-C') && then());
    child.on('exit', () => fail(new Error(said)));
  });
  return { child, url: /the page: (http:\/\/[^/]+\/)/.exec(said)[1], key: /#key=(\S+)/.exec(said)[1] };
}

const middle = (all) => [...all].sort((a, b) => a - b)[all.length >> 1];
const ms = (v) => `${v.toFixed(v < 10 ? 1 : 0)} ms`;

/** Of a process and all below it: processor time in ms, and the largest memory of one of them in MB. */
function processes(root) {
  const all = readdirSync('/proc').filter((name) => /^\d+$/.test(name)).flatMap((pid) => {
    try {
      const [, rest] = readFileSync(`/proc/${pid}/stat`, 'utf8').split(/\) /);
      const f = rest.split(' ');
      const type = /--type=(\S+)/.exec(readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' '))?.[1] ?? 'browser';
      return [{ pid: Number(pid), parent: Number(f[1]), cpu: (Number(f[11]) + Number(f[12])) * 10, mb: Number(f[21]) / 256, type }];
    } catch {
      return [];
    }
  });
  const mine = new Set([root]);
  for (let grown = true; grown; ) {
    grown = false;
    for (const one of all) if (mine.has(one.parent) && !mine.has(one.pid)) grown = Boolean(mine.add(one.pid));
  }
  const own = all.filter((one) => mine.has(one.pid));
  return { cpu: own.reduce((sum, one) => sum + one.cpu, 0), tab: Math.max(...own.filter((one) => one.type === 'renderer').map((one) => one.mb), 0) };
}

async function measure(n) {
  const folder = join(tmpdir(), `volary-speed-${n}`);
  data(folder, n);
  const started = performance.now();
  const site = await serve(folder);
  const say = (what, how) => console.log(`${n.toLocaleString('en')} | ${what} | ${how}`);
  say('the server has read the table', ms(performance.now() - started));
  try {
    await server(site, n, say);
    await browser(site, n, say);
  } finally {
    site.child.kill('SIGINT');
  }
}

/** What the server needs for counts, histograms and masks. */
async function server(site, n, say) {
  const columns = ['x', 'y', 'v0', 'v1', 'v2', 'v3', 'v4', 'kind'];
  const ask = async (filter, extra = {}) => {
    const at = performance.now();
    const response = await fetch(`${site.url}api/v1/tables/subjects/query`, {
      method: 'POST',
      headers: { authorization: `Bearer ${site.key}`, 'content-type': 'application/json' },
      body: JSON.stringify({ filter, histograms: columns, masks: true, ...extra }),
    });
    const said = await response.arrayBuffer();
    if (!response.ok) throw new Error(new TextDecoder().decode(said));
    return performance.now() - at;
  };
  await ask('v1 > 0.5');
  const all = [];
  for (let i = 0; i < 21; i++) all.push(await ask(`v1 > 0.${30 + i} and v3 < 0.9`));
  say('server: mask and 8 histograms of a predicate, with the answer', `${ms(middle(all))}, slowest of 21 ${ms(Math.max(...all))}`);
  const points = Array.from({ length: 60 }, (_, i) => [10 + 7 * Math.cos(i / 9.55), 10 + 7 * Math.sin(i / 9.55)]);
  const lasso = [];
  for (let i = 0; i < 11; i++) lasso.push(await ask(`v1 > 0.${30 + i}`, { region: { x: 'x', y: 'y', shapes: [{ op: 'add', points }] } }));
  say('server: the same and a polygon of 60 corners', ms(middle(lasso)));
}

async function browser(site, n, say) {
  const launched = await chromium.launchServer({ executablePath: path(), headless: true, args: FLAGS });
  const root = launched.process().pid;
  const client = await chromium.connect(launched.wsEndpoint());
  const context = await client.newContext({ viewport: { width: 1280, height: 800 }, bypassCSP: true });
  await context.addInitScript((key) => sessionStorage.setItem('volary-key', key), site.key);
  const page = await context.newPage();
  const frames = () => page.evaluate(() => Number(document.querySelector('canvas.points')?.dataset.drawn ?? 0));
  // A first visit fills no cache of data, but has the browser itself awake.
  await page.goto(`${site.url}help`);
  await page.waitForTimeout(1_000);
  const at = performance.now();
  await page.goto(`${site.url}space?thumbnails=0&renderer=cpu`, { waitUntil: 'commit' });
  await page.waitForFunction(
    () => {
      const canvas = document.querySelector('canvas.points');
      if (!canvas?.dataset.drawn) return false;
      const copy = new OffscreenCanvas(40, 40);
      const context = copy.getContext('2d');
      context.drawImage(canvas, canvas.width / 4, canvas.height / 4, canvas.width / 2, canvas.height / 2, 0, 0, 40, 40);
      return new Set(new Uint32Array(context.getImageData(0, 0, 40, 40).data.buffer)).size > 1;
    },
    null,
    { polling: 20, timeout: 120_000 },
  );
  say('first paint of /space, from the address to lit pixels', ms(performance.now() - at));
  await page.waitForFunction(() => document.querySelector('[data-selected]'), null, { timeout: 60_000 });
  await page.waitForTimeout(2_000);
  const scripts = await page.evaluate(() => performance.getEntriesByType('resource').filter((e) => e.name.endsWith('.js')).map((e) => e.name));
  const size = async (names) => {
    let sum = 0;
    for (const name of names) sum += gzipSync(Buffer.from(await (await fetch(name)).arrayBuffer()), { level: 9 }).length;
    return `${(sum / 1024).toFixed(1)} KiB gzipped, ${names.length} files`;
  };
  say('JavaScript of /space', await size(scripts));
  const overview = await context.newPage();
  await overview.goto(site.url);
  await overview.waitForTimeout(1_500);
  say('JavaScript of the first route', await size(await overview.evaluate(() => performance.getEntriesByType('resource').filter((e) => e.name.endsWith('.js')).map((e) => e.name))));
  await overview.close();

  const box = await page.locator('.plot').boundingBox();
  const cdp = await context.newCDPSession(page);
  await cdp.send('Performance.enable');
  const main = async () => {
    const { metrics } = await cdp.send('Performance.getMetrics');
    return 1_000 * metrics.find((m) => m.name === 'TaskDuration').value;
  };
  const N = 20;
  async function each(what, step) {
    const before = { ...processes(root), main: await main(), frames: await frames(), at: performance.now() };
    for (let i = 0; i < N; i++) {
      const drawn = await frames();
      await step(i);
      await page.waitForFunction((drawn) => Number(document.querySelector('canvas.points').dataset.drawn) > drawn, drawn, { polling: 'raf', timeout: 20_000 });
    }
    const after = { ...processes(root), main: await main(), frames: await frames(), at: performance.now() };
    const made = Math.max(1, after.frames - before.frames);
    say(what, `${ms((after.cpu - before.cpu) / made)} of processor time a frame in all processes, ${ms((after.main - before.main) / made)} in the page's thread, ${ms((after.at - before.at) / made)} by the clock (${made} frames)`);
  }
  await page.mouse.move(box.x + 300, box.y + 300);
  await page.mouse.down();
  await each('pan', (i) => page.mouse.move(box.x + 310 + i * 8, box.y + 300 + i * 3));
  await page.mouse.up();
  await page.waitForTimeout(800);
  await each('zoom', (i) => page.mouse.wheel(0, i < N / 2 ? -60 : 60));
  await page.waitForTimeout(1_500);

  /** From a deed to the next picture that shows it, and to the count that the server gives, told by the page itself. */
  const until = async (what, deed) => {
    const took = await page.evaluate(
      (deed) =>
        new Promise((done) => {
          const canvas = document.querySelector('canvas.points');
          const count = () => document.querySelector('[data-selected]')?.getAttribute('data-selected');
          const [shown, counted] = [Number(canvas.dataset.shows), count()];
          const took = { picture: null, count: null };
          const at = performance.now();
          new Function(deed)();
          const look = () => {
            const now = performance.now() - at;
            // The frame in which it was drawn is on its way to the screen when this one begins.
            if (took.picture === null && Number(canvas.dataset.shows) > shown) took.picture = now;
            if (took.count === null && count() !== counted) took.count = now;
            if (now > 20_000 || (took.picture !== null && (took.count !== null || now > took.picture + 1_500))) done(took);
            else requestAnimationFrame(look);
          };
          requestAnimationFrame(look);
        }),
      deed,
    );
    say(what, `${took.picture === null ? 'no picture' : ms(took.picture)} to the picture${took.count === null ? '' : `, ${ms(took.count)} to the server's count`}`);
    await page.waitForTimeout(1_200);
  };
  const colour = (name) => `const s = [...document.querySelectorAll('.rail select')].find((s) => [...s.options].some((o) => o.text === 'one colour')); s.value = '${name}'; s.dispatchEvent(new Event('change', { bubbles: true }));`;
  await until('colour by a column, the first time', colour('v1'));
  await until('colour by another one', colour('v0'));
  await until('colour again by one that is there', colour('v1'));
  await until('the same in quantiles', `const s = [...document.querySelectorAll('.rail select')].find((s) => [...s.options].some((o) => o.text === 'quantile')); s.value = 'quantile'; s.dispatchEvent(new Event('change', { bubbles: true }));`);
  await page.locator('#filter').fill("v3 > 0.4 and kind in ('k1', 'k2')");
  await until('filter', `document.querySelector('.filters form').requestSubmit();`);
  await page.locator('.plot').focus();
  await page.keyboard.press('l');
  await page.mouse.move(box.x + 200, box.y + 200);
  await page.mouse.down();
  for (const [x, y] of [[400, 180], [500, 400], [300, 500]]) await page.mouse.move(box.x + x, box.y + y, { steps: 8 });
  await until('lasso', `const p = document.querySelector('.plot'); p.dispatchEvent(new PointerEvent('pointerup', { bubbles: true, pointerId: 1, clientX: ${box.x + 300}, clientY: ${box.y + 500} }));`);
  say('largest tab process, resident', `${processes(root).tab.toFixed(0)} MB`);
  await launched.close();
}

for (const n of sizes.length ? sizes.map(Number) : [1_000_000]) await measure(n);
