// The explorer against the real binary: the same counts in the page, the API and on the command line; both renderers;
// selections by hand; what is seen stands in the address.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { chromium, EVIL, N, open, project, settled, Site, VOLARY } from './site.mjs';

let site;
let browser;
before(async () => {
  site = await Site.start(project);
  browser = await chromium();
});
after(async () => {
  await browser?.close();
  await site?.end();
});

const selected = async (page) => Number(await page.locator('[data-selected]').getAttribute('data-selected'));
const count = (page, n) => page.waitForFunction((n) => document.querySelector('[data-selected]')?.getAttribute('data-selected') === String(n), n);

/** Pixels of the points that are not empty, by what is really on the screen. */
const lit = (page) =>
  page.evaluate(() => {
    const canvas = document.querySelector('canvas.points');
    const copy = new OffscreenCanvas(canvas.width, canvas.height);
    const context = copy.getContext('2d');
    context.drawImage(canvas, 0, 0);
    const data = context.getImageData(0, 0, canvas.width, canvas.height).data;
    // One back end leaves the background out, the other draws it.
    const back = getComputedStyle(document.querySelector('.plot')).backgroundColor.match(/\d+/g).slice(0, 3).join();
    let n = 0;
    const [colours, columns] = [new Set(), new Set()];
    for (let i = 0; i < data.length; i += 4) {
      if (data[i + 3] > 0 && `${data[i]},${data[i + 1]},${data[i + 2]}` !== back) {
        n++;
        colours.add(`${data[i]},${data[i + 1]},${data[i + 2]}`);
        columns.add((i / 4) % canvas.width);
      }
    }
    return { n, colours: colours.size, columns: columns.size };
  });

/** The pixels once they are as they should be, or what they are after a while: a picture may come some frames after the
 * page has settled, where other browsers run beside this one. */
async function litUntil(page, isRight) {
  let found = await lit(page);
  for (let n = 0; n < 100 && !isRight(found); n++) {
    await page.waitForTimeout(100);
    found = await lit(page);
  }
  return found;
}

async function drag(page, points, keys = []) {
  const box = await page.locator('.plot').first().boundingBox();
  const at = ([x, y]) => [box.x + x * box.width, box.y + y * box.height];
  for (const key of keys) await page.keyboard.down(key);
  await page.mouse.move(...at(points[0]));
  await page.mouse.down();
  for (const point of points.slice(1)) await page.mouse.move(...at(point), { steps: 6 });
  await page.mouse.up();
  for (const key of keys) await page.keyboard.up(key);
}

test('both renderers draw the points, and the same ones', async () => {
  const found = {};
  for (const renderer of ['cpu', 'gl']) {
    const page = await open(browser, site, `space?renderer=${renderer}&thumbnails=0&size=2`);
    await settled(page);
    assert.equal(await page.locator('.stage').getAttribute('data-renderer'), renderer);
    const plain = await litUntil(page, (found) => found.n > 3_000);
    await page.goto(`${site.url}space?renderer=${renderer}&thumbnails=0&size=2&colour=anomaly_score`);
    await settled(page);
    const coloured = await litUntil(page, (found) => found.colours > 40);
    assert.ok(plain.n > 3_000 && plain.n < 60_000, `${renderer}: ${plain.n} pixels`);
    assert.ok(coloured.colours > 40 && plain.colours < 40, `${renderer}: ${plain.colours} colours, then ${coloured.colours}`);
    found[renderer] = plain.n;
    assert.deepEqual(page.faults, []);
    await page.context().close();
  }
  const ratio = found.cpu / found.gl;
  assert.ok(ratio > 0.8 && ratio < 1.5, JSON.stringify(found));
});

test('a filter counts the same in the page, the API and the command line', async () => {
  const page = await open(browser, site, 'space?renderer=cpu');
  await count(page, N);
  for (const filter of ['anomaly_score > 0.5', "kind in ('ring', 'merger') and n_seen >= 12", 'not (x > 0 or anomaly_score is missing)']) {
    await page.locator('#filter').fill(filter);
    await page.keyboard.press('Enter');
    const api = await site.api('/tables/subjects/query', { filter });
    const cli = site.record('slice', 'points.csv', filter).summary;
    await count(page, api.n_selected);
    assert.equal(cli.n_selected, api.n_selected, filter);
    assert.equal(cli.n_unknown ?? 0, api.n_unknown, filter);
    assert.ok(api.n_selected > 0 && api.n_selected < N);
    // The command that the page shows is one that runs, and counts the same.
    const command = (await page.locator('code.command').textContent()).replace(/^volary/, `'${VOLARY}'`);
    const said = JSON.parse(execFileSync('sh', ['-c', `${command} --json`], { cwd: site.folder, stdio: ['ignore', 'pipe', 'ignore'] }));
    assert.equal(said.summary.n_selected, api.n_selected, command);
    await page.locator('.chips button').click();
    await count(page, N);
  }
  await page.locator('#filter').fill('anomaly_score >> 3');
  await page.keyboard.press('Enter');
  const problem = page.locator('#filter-problem');
  await problem.waitFor();
  assert.equal(await problem.locator('mark').textContent(), '>');
  assert.deepEqual(page.faults, []);
  await page.context().close();
});

test('a lasso selects the same here, there and on the command line; Shift adds, Alt takes away', async () => {
  const page = await open(browser, site, 'space?renderer=cpu&thumbnails=0');
  await count(page, N);
  await page.locator('.plot').focus();
  await page.keyboard.press('l');
  await drag(page, [[0.3, 0.3], [0.6, 0.25], [0.7, 0.6], [0.45, 0.75], [0.32, 0.55]]);
  await page.waitForFunction(() => location.search.includes('region='));
  const check = async (filter) => {
    const view = await page.evaluate(() => new URLSearchParams(location.search).getAll('region'));
    const shapes = view.map((text) => ({ op: text[0] === '-' ? 'remove' : 'add', points: text.slice(1).split(';').map((p) => p.split(',').map(Number)) }));
    const region = { x: 'x', y: 'y', shapes };
    const api = await site.api('/tables/subjects/query', { filter, region });
    writeFileSync(join(site.folder, 'region.json'), JSON.stringify(region));
    const cli = site.record('slice', 'points.csv', filter ?? 'n_seen >= 0', '--within', 'region.json').summary;
    await count(page, api.n_selected);
    assert.equal(cli.n_selected, api.n_selected);
    return api.n_selected;
  };
  const first = await check();
  assert.ok(first > 50 && first < N - 50, String(first));
  await drag(page, [[0.05, 0.6], [0.3, 0.6], [0.3, 0.95], [0.05, 0.95]], ['Shift']);
  const more = await check();
  assert.ok(more > first, `${first} ${more}`);
  await drag(page, [[0.3, 0.3], [0.6, 0.25], [0.6, 0.5], [0.3, 0.5]], ['Alt']);
  const less = await check();
  assert.ok(less < more, `${more} ${less}`);
  await page.locator('#filter').fill('anomaly_score > 0.3');
  await page.keyboard.press('Enter');
  await page.locator('.chips code').waitFor();
  assert.ok((await check('anomaly_score > 0.3')) < less);
  // Undone, step by step; the address is the state.
  await page.locator('.plot').focus();
  await page.keyboard.press('z');
  await count(page, less);
  const address = page.url();
  await page.keyboard.press('Escape');
  await page.keyboard.press('Escape');
  await count(page, N);
  await page.goto(address);
  await count(page, less);
  await page.goBack();
  await count(page, N);
  assert.deepEqual(page.faults, []);
  await page.context().close();
});

test('rectangle and brush select, a histogram filters, a category filters', async () => {
  const page = await open(browser, site, 'space?renderer=cpu&thumbnails=0&histogram=anomaly_score&histogram=kind');
  await count(page, N);
  await page.locator('.plot').focus();
  for (const key of ['r', 'b']) {
    await page.keyboard.press(key);
    await drag(page, [[0.4, 0.3], [0.7, 0.7]]);
    await page.waitForFunction((n) => Number(document.querySelector('[data-selected]')?.getAttribute('data-selected')) < n, N);
    const n = await selected(page);
    assert.ok(n > 0 && n < N, `${key}: ${n}`);
    await page.keyboard.press('Escape');
    await page.keyboard.press('Escape');
    await count(page, N);
  }
  const box = await page.locator('section.histogram svg').first().boundingBox();
  await page.mouse.move(box.x + box.width * 0.5, box.y + 20);
  await page.mouse.down();
  await page.mouse.move(box.x + box.width * 0.9, box.y + 20, { steps: 5 });
  await page.mouse.up();
  const filter = await page.locator('.chips code').first().textContent();
  assert.match(filter, /^anomaly_score between /);
  await count(page, (await site.api('/tables/subjects/query', { filter })).n_selected);
  await page.locator('section.histogram li button').first().click();
  await page.waitForFunction(() => document.querySelectorAll('.chips code').length === 2);
  assert.deepEqual(page.faults, []);
  await page.context().close();
});

test('a point can be pinned, shows its neighbours, opens; names with markup stay text', async () => {
  const page = await open(browser, site, `space?renderer=cpu&focus=${encodeURIComponent(EVIL)}`);
  await settled(page);
  await page.getByRole('tab', { name: 'Subject' }).click();
  await page.locator('.dock strong').waitFor();
  assert.equal(await page.locator('.dock strong').textContent(), EVIL);
  await page.locator('.plot').focus();
  await page.keyboard.press('n');
  await page.getByText('Nearest').waitFor();
  await page.waitForFunction(() => document.querySelectorAll('.dock .grid li').length === 12);
  // Of whoever is pinned, among whoever passes the filter.
  const nearest = async (subject, filter) => {
    const { neighbours } = await site.api(`/tables/subjects/neighbours?subject_id=${encodeURIComponent(subject)}&k=12${filter ? `&filter=${encodeURIComponent(filter)}` : ''}`);
    await page.waitForFunction((ids) => [...document.querySelectorAll('.dock .grid button')].map((one) => one.title).join() === ids, neighbours.map((one) => one.subject_id).join());
    return neighbours.map((one) => one.subject_id);
  };
  const [other] = await nearest(EVIL);
  await page.locator('.dock .grid button').first().click();
  await nearest(other);
  await page.locator('#filter').fill('n_seen >= 15');
  await page.keyboard.press('Enter');
  await nearest(other, 'n_seen >= 15');
  await page.getByText('Nearest, of what the filter passes').waitFor();
  await page.goBack();
  await nearest(other);
  await page.goBack();
  await nearest(EVIL);
  await page.locator('.plot').focus();
  await page.keyboard.press('Enter');
  await page.waitForFunction(() => location.pathname.startsWith('/subjects/'));
  await settled(page);
  assert.equal(await page.locator('h1').textContent(), EVIL);
  await page.getByRole('tab').count();
  for (const path of ['', 'subjects', 'anomaly', 'confusion', 'classify', 'space?colour=kind']) {
    await page.goto(site.url + path);
    await settled(page);
  }
  await page.waitForTimeout(300);
  assert.equal(await page.locator('img[src=x], b').count(), 0);
  assert.ok(!(await page.title()).includes('hacked'));
  assert.deepEqual(page.faults, []);
  await page.context().close();
});

test('thumbnails do not overlap and stand for all points; a click finds the nearest point', async () => {
  const page = await open(browser, site, 'space?renderer=cpu&colour=anomaly_score&filter=' + encodeURIComponent("kind = 'ring'"));
  await settled(page);
  await page.waitForFunction(() => Number(document.querySelector('canvas.over')?.dataset.thumbnails) > 3);
  const box = await page.locator('.plot').boundingBox();
  await page.mouse.click(box.x + box.width / 2, box.y + box.height / 2);
  await page.mouse.dblclick(box.x + 3, box.y + 3);
  assert.deepEqual(page.faults, []);
  await page.context().close();
});

test('compared panels share one camera', async () => {
  const page = await open(browser, site, 'space?renderer=cpu&thumbnails=0');
  await settled(page);
  await page.locator('.plot').focus();
  await page.keyboard.press('Shift+c');
  await page.waitForFunction(() => document.querySelectorAll('.plot').length > 2);
  await page.locator('.plot').first().focus();
  await page.keyboard.press('+');
  await page.waitForFunction(() => location.search.includes('camera='));
  // What is being drawn is given up, in whichever panel that is.
  await page.keyboard.press('l');
  for (const at of [0, 1]) {
    const box = await page.locator('.plot').nth(at).boundingBox();
    const to = (x, y) => page.mouse.move(box.x + x * box.width, box.y + y * box.height, { steps: 4 });
    await to(0.3, 0.3);
    await page.mouse.down();
    await to(0.6, 0.3);
    await to(0.6, 0.6);
    await page.locator('.plot polygon.live').waitFor();
    await page.keyboard.press('Escape');
    await page.waitForFunction(() => !document.querySelector('.plot polygon.live'));
    await page.mouse.up();
    assert.ok(!page.url().includes('region='), `panel ${at}`);
    assert.match(await page.locator('.plot').nth(at).getAttribute('class'), /tool-lasso/);
  }
  await page.keyboard.press('Escape');
  await page.keyboard.press('Shift+c');
  await page.waitForFunction(() => document.querySelectorAll('.plot').length === 1);
  assert.deepEqual(page.faults, []);
  await page.context().close();
});

test('without WebGL the processor draws', async () => {
  const bare = await chromium(['--disable-gpu', '--disable-software-rasterizer', '--disable-3d-apis']);
  const page = await open(bare, site, 'space?thumbnails=0');
  await settled(page);
  assert.equal(await page.locator('.stage').getAttribute('data-renderer'), 'cpu');
  const found = await litUntil(page, (found) => found.n > 3_000);
  assert.ok(found.n > 3_000, JSON.stringify(found));
  await bare.close();
});

test('dates that differ by seconds stay apart, in places and in colours', async (t) => {
  const own = await Site.start((folder) => {
    const rows = Array.from({ length: 400 }, (_, i) => `s${i},${(2_460_000.25 + i / 86_400).toFixed(9)},${i % 20}`);
    writeFileSync(join(folder, 'nights.csv'), `subject_id,julian_date,flux\n${rows.join('\n')}\n`);
  });
  t.after(() => own.end());
  const ask = 'space?x=julian_date&y=flux&thumbnails=0&size=2';
  for (const renderer of ['cpu', 'gl']) {
    const page = await open(browser, own, `${ask}&colour=julian_date&renderer=${renderer}`);
    await settled(page);
    const found = await litUntil(page, (found) => found.columns >= 200 && found.colours >= 100);
    assert.ok(found.columns >= 200 && found.colours >= 100, `${renderer}: ${JSON.stringify(found)}`);
    // A part of the night, by hand, is what the command line finds there.
    await page.locator('.plot').focus();
    await page.keyboard.press('r');
    await drag(page, [[0.3, 0.02], [0.6, 0.98]]);
    await page.waitForFunction(() => Number(document.querySelector('[data-selected]')?.getAttribute('data-selected')) < 400);
    const n = await selected(page);
    assert.ok(n > 90 && n < 160, `${n} of 400 within a third of the width`);
    assert.deepEqual(page.faults, []);
    await page.context().close();
  }
});
