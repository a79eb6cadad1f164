// A copy of the page behind a web server that knows nothing of ours, under a path of its own: the same counts as the
// command line, no question to anybody else, and nobody's labels, votes or names in it.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { extname, join, normalize } from 'node:path';
import { after, before, test } from 'node:test';
import { chromium, EVIL, N, project, settled, VOLARY, WAIT_MS } from './site.mjs';

const DIST = process.env.VOLARY_DIST;
const KINDS = { '.html': 'text/html', '.js': 'text/javascript', '.css': 'text/css', '.svg': 'image/svg+xml', '.json': 'application/json', '.png': 'image/png', '.jpg': 'image/jpeg' };
let folder;
let server;
let url;
let browser;
const asked = [];
const volary = (...args) => JSON.parse(execFileSync(VOLARY, [...args, '--json'], { cwd: folder, encoding: 'utf8' }));

before(async () => {
  folder = mkdtempSync(join(tmpdir(), 'volary-copy-'));
  project(folder);
  writeFileSync(join(folder, 'labels.jsonl'), '{"id":"1","subject_id":"g1","question":"class","value":"a secret","by":"somebody","at":"2026-01-01T00:00:00Z"}\n');
  const kept = (name, filter) => ({ name, table: 'subjects', filter, by: 'somebody-s-token', at: '2026-01-01T00:00:00Z' });
  writeFileSync(join(folder, 'slices.json'), JSON.stringify([kept('<b>bright</b> rings', "kind = 'ring' and anomaly_score > 0.3"), kept('tagged', 'tags is not missing')]));
  const done = volary('export', 'page', 'supplement');
  assert.equal(done.summary.n_slices, 1, 'a slice by tags cannot be followed where there are none');
  assert.equal(done.summary.n_broken_images, 1);
  server = createServer((request, response) => {
    const path = normalize(decodeURIComponent(new URL(request.url, 'http://x').pathname));
    asked.push(path);
    const file = path.startsWith('/papers/1/') ? path.slice('/papers/1/'.length) || 'index.html' : '';
    // Scripts and styles of a build that is tested in place of the binary's.
    const name = file && join(file.startsWith('assets/') && process.env.VOLARY_DIST ? process.env.VOLARY_DIST : join(folder, 'supplement'), file);
    try {
      const body = readFileSync(name);
      response.writeHead(200, { 'content-type': KINDS[extname(name)] ?? 'application/octet-stream' }).end(body);
    } catch {
      response.writeHead(404).end();
    }
  });
  await new Promise((then) => server.listen(0, '127.0.0.1', then));
  url = `http://127.0.0.1:${server.address().port}/papers/1/`;
  browser = await chromium();
});
after(async () => {
  await browser?.close();
  server?.close();
  if (folder) rmSync(folder, { recursive: true, force: true });
});

async function open(path = '') {
  const context = await browser.newContext({ viewport: { width: 1280, height: 800 } });
  context.setDefaultTimeout(WAIT_MS);
  const page = await context.newPage();
  page.faults = [];
  page.on('pageerror', (error) => page.faults.push(error.message));
  page.on('console', (message) => ['error', 'warning'].includes(message.type()) && page.faults.push(message.text()));
  // The copy holds the page that is within the binary; another build of it lies beside it under the same names.
  if (DIST) await page.route(`${url}assets/*`, (route) => route.fulfill({ path: join(DIST, new URL(route.request().url()).pathname.slice('/papers/1/'.length)) }));
  page.on('request', (request) => !request.url().startsWith(url) && !request.url().startsWith('blob:') && page.faults.push(`asked ${request.url()}`));
  await page.goto(`${url}${path ? `#/${path}` : ''}`);
  await page.locator('h1').first().waitFor();
  await settled(page);
  return page;
}
const count = (page, n) => page.waitForFunction((n) => document.querySelector('[data-selected]')?.getAttribute('data-selected') === String(n), n);

test('every page of a copy opens, and nothing else is asked for', async () => {
  const page = await open();
  for (const path of ['space?colour=anomaly_score', 'subjects', 'subjects/g5', `subjects/${encodeURIComponent(EVIL)}`, 'confusion', 'anomaly', 'help', '']) {
    await page.goto(`${url}#/${path}`);
    await page.reload();
    await page.locator('h1').first().waitFor();
    await settled(page);
    await page.waitForTimeout(200);
    assert.equal(await page.locator('[data-state=error]').count(), 0, path);
    assert.equal(await page.locator('img[src=x], b').count(), 0);
    assert.ok(!(await page.locator('main').innerText()).includes('`'), path);
  }
  await page.locator('.head code', { hasText: 'volary export page' }).waitFor();
  assert.deepEqual(page.faults, []);
  assert.ok(!asked.some((path) => path.includes('/api/')), 'no server of ours is asked');
  assert.equal(await page.locator('nav a').filter({ hasText: /Live|Vet|Volunteers|Jobs/ }).count(), 0);
  await page.locator('nav a').filter({ hasText: 'Space' }).click();
  await page.waitForFunction(() => location.hash === '#/space');
  await page.goBack();
  await page.waitForFunction(() => location.hash === '' || location.hash === '#/');
  await page.context().close();
});

test('the search of a copy looks into ids and texts, and leaves tags out, of which there are none', async () => {
  const page = await open();
  await page.keyboard.press('/');
  await page.keyboard.type('MERG');
  await page.keyboard.press('Enter');
  const { summary } = volary('slice', 'points.csv', "kind = 'merger'");
  await count(page, summary.n_selected);
  assert.equal(await page.locator('.chips code').textContent(), "subject_id contains 'MERG' or kind contains 'MERG'");
  await page.keyboard.press('/');
  await page.keyboard.type('g5');
  await page.keyboard.press('Enter');
  await page.waitForFunction(() => location.hash === '#/subjects/g5');
  await page.locator('h1', { hasText: 'g5' }).waitFor();
  assert.deepEqual(page.faults, []);
  await page.context().close();
});

test('a copy counts what the command line counts', async () => {
  const page = await open('space?renderer=cpu&thumbnails=0');
  await count(page, N);
  const filters = [
    'anomaly_score > 0.5',
    "kind in ('ring', 'merger') and n_seen >= 12",
    'not (x > 0 or anomaly_score is missing)',
    'consensus(ring) between 0.3 and 0.7',
    'consensus(ring) > consensus(disk) or y < -1.25',
    "subject_id contains 'G1' and not n_seen = 7",
    "kind has 'RING'",
    'anomaly_score not in (0.5, 0.25) and x is not missing',
  ];
  for (const filter of filters) {
    await page.locator('#filter').fill(filter);
    await page.keyboard.press('Enter');
    const { summary } = volary('slice', 'points.csv', filter);
    await count(page, summary.n_selected);
    const said = await page.locator('.count').textContent();
    const unknown = Number(/([\d,]+) cannot be decided/.exec(said)?.[1].replace(',', '') ?? 0);
    assert.equal(unknown, summary.n_unknown ?? 0, filter);
    assert.ok(summary.n_selected > 0 && summary.n_selected < N, filter);
    await page.locator('.chips button').click();
    await count(page, N);
  }
  await page.locator('#filter').fill('anomaly_score >> 3');
  await page.keyboard.press('Enter');
  assert.equal(await page.locator('#filter-problem mark').textContent(), '>');
  // What the command line refuses is refused here too.
  for (const [filter, why] of [['n_seen > 0x10', /"0x10" is no number/], ["constructor = 'x'", /there is no column "constructor"/], ['kind < kind', /only numbers have an order/], ['🐱 > 1', /"🐱" means nothing here/]]) {
    await page.locator('#filter').fill(filter);
    await page.keyboard.press('Enter');
    await page.locator('#filter-problem', { hasText: why }).waitFor();
    assert.throws(() => volary('slice', 'points.csv', filter));
  }
  // A lasso.
  const box = await page.locator('.plot').boundingBox();
  await page.locator('.plot').focus();
  await page.keyboard.press('l');
  const at = ([x, y]) => [box.x + x * box.width, box.y + y * box.height];
  await page.mouse.move(...at([0.3, 0.3]));
  await page.mouse.down();
  for (const point of [[0.6, 0.25], [0.7, 0.6], [0.45, 0.75], [0.32, 0.55]]) await page.mouse.move(...at(point), { steps: 6 });
  await page.mouse.up();
  await page.waitForFunction(() => location.hash.includes('region='));
  const text = await page.evaluate(() => new URLSearchParams(location.hash.split('?')[1]).get('region'));
  const region = { x: 'x', y: 'y', shapes: [{ op: 'add', points: text.slice(1).split(';').map((p) => p.split(',').map(Number)) }] };
  writeFileSync(join(folder, 'region.json'), JSON.stringify(region));
  const { summary } = volary('slice', 'points.csv', 'n_seen >= 0', '--within', 'region.json');
  assert.ok(summary.n_selected > 50);
  await count(page, summary.n_selected);
  assert.deepEqual(page.faults, []);
  await page.context().close();
});

test('pictures, neighbours and the boundary are in a copy', async () => {
  const page = await open('space?renderer=cpu&colour=anomaly_score&filter=' + encodeURIComponent("kind = 'ring'"));
  await page.waitForFunction(() => Number(document.querySelector('canvas.over')?.dataset.thumbnails) > 3);
  await page.goto(`${url}#/subjects/g5`);
  await page.reload();
  await settled(page);
  await page.waitForFunction(() => document.querySelectorAll('.near li').length === 18);
  const nearest = await page.locator('.near li a').first().getAttribute('title');
  // Not beside the tables, where it would be one of them.
  const csv = join(folder, 'images', 'near.csv');
  volary('neighbours', 'points.csv', '--query', 'g5', '-k', '1', '-o', csv);
  assert.ok(readFileSync(csv, 'utf8').includes(nearest), nearest);
  assert.match(await page.locator('figcaption').first().textContent(), /48 × 48 px/);
  // What a model looked at, panel by panel.
  await page.waitForFunction(() => document.querySelectorAll('[aria-label^="Where the m"] canvas').length === 3);
  assert.match(await page.getByText('They lie on each other by').textContent(), /0\.25 of 1/);
  await page.goto(`${url}#/anomaly`);
  await page.reload();
  await settled(page);
  await page.locator('[data-measure=precision]').waitFor();
  // Nobody labels in a copy, so that no key is listed for it.
  await page.keyboard.press('?');
  const keys = await page.locator('dialog dt').evaluateAll((all) => all.map((dt) => dt.textContent.trim()));
  assert.ok(keys.includes('j') && !keys.some((key) => ['5', 'u', 'Backspace', 't'].includes(key)), keys.join());
  assert.deepEqual(page.faults, []);
  await page.context().close();
});

test('a light curve of a copy says nothing of marks, which were left out, and when its features were', async () => {
  const page = await open();
  await page.route(`${url}data/curves.json`, (route) => route.fulfill({ json: ['g5'] }));
  await page.route(`${url}data/curves/0.json`, (route) => route.fulfill({ json: { subject_id: 'g5', time_days: [2_460_000, 2_460_001, 2_460_002], flux: [1, 0.9, 1], n_points: 3, is_decimated: false, marks: [], features: [{ from_days: 2_460_000, to_days: 2_460_000.25, score: 0.25 }, { from_days: 2_460_000.5, to_days: 2_460_001.125, score: 0.5 }] } }));
  await page.goto(`${url}#/subjects/g5`);
  await page.reload();
  const said = page.getByText('3 points');
  await said.waitFor();
  assert.equal((await said.textContent()).trim(), '3 points, 2 features');
  // Times of one night are told apart.
  await page.getByText('Features as a table').click();
  assert.deepEqual(await page.locator('details tbody td').allTextContents(), ['2460000', '2460000.25', '0.25', '2460000.5', '2460001.125', '0.5']);
  assert.deepEqual(page.faults, []);
  await page.context().close();
});

test('slices that were kept are in a copy, with their numbers', async () => {
  const page = await open('confusion');
  const kept = page.locator('section[aria-label="Slices that are kept"]');
  await kept.waitFor();
  const row = kept.locator('tbody tr');
  assert.equal(await row.count(), 1);
  const { summary } = volary('slice', 'points.csv', "kind = 'ring' and anomaly_score > 0.3");
  assert.equal(await row.locator('td.num').first().textContent(), summary.n_selected.toLocaleString('en'));
  assert.ok(summary.n_selected > 30);
  // Nothing can be done to them here.
  assert.equal(await kept.locator('button, input, a[href*=classify]').count(), 0);
  await kept.getByRole('link', { name: '<b>bright</b> rings' }).click();
  await count(page, summary.n_selected);
  assert.equal(await page.locator('b').count(), 0);
  assert.equal(await page.getByRole('link', { name: 'one by one' }).count(), 0, 'nobody vets in a copy');
  await page.setViewportSize({ width: 390, height: 844 });
  await page.locator('.chips button').click();
  await count(page, N);
  assert.ok((await page.evaluate(() => document.documentElement.scrollWidth)) <= 390, 'nothing is wider than the screen');
  assert.deepEqual(page.faults, []);
  await page.context().close();
});

test('a copy holds no labels, and the same project gives the same bytes', () => {
  const all = (at) => readdirSync(at, { recursive: true }).map(String).filter((name) => statSync(join(at, name)).isFile()).sort();
  const first = join(folder, 'supplement');
  for (const name of all(first)) assert.ok(!readFileSync(join(first, name)).includes('a secret') && !readFileSync(join(first, name)).includes('somebody-s-token'), name);
  volary('export', 'page', 'again');
  const second = join(folder, 'again');
  assert.deepEqual(all(second), all(first));
  for (const name of all(first)) assert.ok(readFileSync(join(first, name)).equals(readFileSync(join(second, name))), name);
});
