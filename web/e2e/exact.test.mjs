// Numbers that lie close to each other, the ends of a range, what the address holds, and that nothing lies over the
// points; with dates of one night, values without end and below zero.
import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { chromium, open, settled, Site } from './site.mjs';

const N = 1_000;
let site;
let browser;
before(async () => {
  site = await Site.start((folder) => {
    const rows = Array.from({ length: N }, (_, i) => `s${i},${(2_460_000 + i / (N - 1)).toFixed(9)},${Math.sin(i).toFixed(4)},${(i % 89) / 89},${['ring', 'disk', 'odd'][i % 3]},${-1 - i},${i % 100 === 0 ? 'inf' : i}`);
    writeFileSync(join(folder, 'nights.csv'), `subject_id,jd,flux,phase,kind,below,wild\n${rows.join('\n')}\n`);
  });
  browser = await chromium();
});
after(async () => {
  await browser?.close();
  await site?.end();
});

const ask = 'space?x=phase&y=flux&thumbnails=0';
const count = (page, n) => page.waitForFunction((n) => document.querySelector('[data-selected]')?.getAttribute('data-selected') === String(n), n);
/** The one filter, and that the page counts what the server counts. */
async function filtered(page) {
  const filter = await page.locator('.chips code').first().textContent();
  const { n_selected } = await site.api('/tables/subjects/query', { filter });
  await count(page, n_selected);
  return { filter, n: n_selected };
}
const set = (locator, to) =>
  locator.evaluate((input, to) => {
    input.value = to;
    input.dispatchEvent(new Event('input', { bubbles: true }));
    input.dispatchEvent(new Event('change', { bubbles: true }));
  }, String(to));

test('a slab of dates is a fifth of them, and all of it is all of them', async () => {
  const page = await open(browser, site, `${ask}&renderer=cpu`);
  await count(page, N);
  await page.getByLabel('Third column').selectOption('jd');
  await page.waitForFunction(() => document.querySelector('.chips code'));
  const fifth = await filtered(page);
  assert.ok(fifth.n >= 200 && fifth.n <= 202, JSON.stringify(fifth));
  const middle = page.getByLabel(/^jd around/);
  assert.match(await page.locator('label', { has: middle }).textContent(), /jd around 2460000\.5/);
  await set(middle, 80);
  await page.locator('label', { hasText: 'jd around 2460000.8' }).waitFor();
  const later = await filtered(page);
  assert.ok(later.filter !== fifth.filter && later.n >= 200 && later.n <= 202, JSON.stringify(later));
  // Back, and a link: the sliders stand where the address says.
  await page.reload();
  await page.locator('label', { hasText: 'jd around 2460000.8' }).waitFor();
  assert.equal(await page.getByLabel('Third column').inputValue(), 'jd');
  assert.equal(await page.getByLabel(/^of its range/).inputValue(), '20');
  await set(page.getByLabel(/^of its range/), 100);
  await set(page.getByLabel(/^jd around/), 50);
  await page.waitForFunction((old) => document.querySelector('.chips code').textContent !== old, later.filter);
  assert.equal((await filtered(page)).n, N);
  assert.deepEqual(page.faults, []);
  await page.context().close();
});

test('a drag over a whole histogram takes every row, and bounds that are no numbers are refused in words', async () => {
  const page = await open(browser, site, `${ask}&renderer=cpu&histogram=jd&histogram=flux`);
  await count(page, N);
  for (const column of ['jd', 'flux']) {
    const box = await page.locator(`section[aria-label="Histogram of ${column}"] svg`).boundingBox();
    await page.mouse.move(box.x + 1, box.y + 20);
    await page.mouse.down();
    await page.mouse.move(box.x + box.width - 1, box.y + 20, { steps: 5 });
    await page.mouse.up();
    const found = await filtered(page);
    assert.match(found.filter, new RegExp(`^${column} between`));
    assert.equal(found.n, N, found.filter);
    await page.locator('.chips button').click();
    await page.waitForFunction(() => !document.querySelector('.chips code'));
  }
  const from = page.getByLabel('flux from');
  for (const text of ['1,5', 'abc', '0x10']) {
    await from.fill(text);
    await from.press('Enter');
    await page.getByRole('alert').filter({ hasText: `“${text}” is no number` }).waitFor();
    assert.equal(await from.getAttribute('aria-invalid'), 'true');
    assert.equal(await page.locator('.chips code').count(), 0);
  }
  await from.fill('0.5');
  await page.waitForFunction(() => !document.querySelector('.histogram [role=alert]'));
  await from.press('Enter');
  await page.waitForFunction(() => document.querySelector('.chips code'));
  assert.match((await filtered(page)).filter, /^flux between 0\.5 and /);
  assert.deepEqual(page.faults, []);
  await page.context().close();
});

test('dates are told apart in cells, and the order of the table stands in the address', async () => {
  const page = await open(browser, site, 'subjects');
  await settled(page);
  await page.waitForFunction(() => document.querySelectorAll('tbody tr').length === 50);
  const place = (await page.locator('thead th').allTextContents()).findIndex((text) => text.startsWith('jd')) + 1;
  const cells = () => page.locator(`tbody tr td:nth-child(${place})`).allTextContents();
  assert.equal(new Set(await cells()).size, 50, 'rows of different times read differently');
  for (const cell of await cells()) assert.match(cell, /^2460000(\.\d+)?$/);
  await page.getByRole('button', { name: 'jd', exact: true }).click();
  await page.waitForFunction(() => document.querySelector('tbody tr a')?.textContent === 's999');
  const sorted = await cells();
  assert.match(page.url(), /sort=-jd/);
  await page.locator('tbody tr a').first().click();
  await page.waitForFunction(() => location.pathname === '/subjects/s999');
  await settled(page);
  assert.match(await page.locator('dl div', { hasText: 'jd' }).locator('dd').first().textContent(), /^2460001$/);
  await page.goBack();
  await page.waitForFunction(() => document.querySelector('tbody tr a')?.textContent === 's999');
  assert.deepEqual(await cells(), sorted);
  // The pinned subject, too.
  await page.goto(`${site.url}${ask}&focus=s123`);
  await page.getByRole('tab', { name: 'Subject' }).click();
  assert.match(await page.locator('.dock tr', { hasText: 'jd' }).locator('td').textContent(), /^2460000\.123$/);
  assert.deepEqual(page.faults, []);
  await page.context().close();
});

test('the address keeps what draws, and where it looks however close', async () => {
  const page = await open(browser, site, `${ask}&renderer=gl&camera=0.5,0.5,20000`);
  await settled(page);
  assert.equal(await page.locator('.stage').getAttribute('data-renderer'), 'gl');
  const box = await page.locator('.plot').boundingBox();
  const camera = () => page.evaluate(() => new URLSearchParams(location.search).get('camera').split(',').map(Number));
  await page.mouse.move(box.x + 200, box.y + 200);
  await page.mouse.down();
  await page.mouse.move(box.x + 207, box.y + 200, { steps: 3 });
  await page.mouse.up();
  await page.waitForFunction(() => !location.search.includes('camera=0.5%2C'));
  const moved = (await camera())[0] - 0.5;
  const wanted = -7 / (Math.min(box.width, box.height) * 20_000);
  assert.ok(Math.abs(moved / wanted - 1) < 0.01, `${moved} instead of ${wanted}`);
  await page.locator('.plot').focus();
  await page.keyboard.press('-');
  await page.waitForFunction(() => !location.search.includes('20000'));
  assert.match(page.url(), /renderer=gl/);
  await page.reload();
  await settled(page);
  assert.equal(await page.locator('.stage').getAttribute('data-renderer'), 'gl');
  assert.deepEqual(page.faults, []);
  await page.context().close();
});

test('nothing lies over the points, and the card of a point stays on the plot', async () => {
  for (const [width, height] of [[1280, 800], [390, 844]]) {
    const page = await open(browser, site, 'space?x=wild&y=flux&thumbnails=0&renderer=cpu&panel=jd', { viewport: { width, height } });
    await settled(page);
    await page.waitForFunction(() => document.querySelectorAll('.plot').length === 2 && document.querySelector('.stage [data-state=partial]'));
    const boxes = (selector) => page.locator(selector).evaluateAll((all) => all.map((one) => ((r) => [r.left, r.top, r.right, r.bottom])(one.getBoundingClientRect())));
    const plots = await boxes('.plot');
    for (const selector of ['.toolbar button', '.stage [data-state=partial]', '.axes', '.badge summary']) {
      const found = await boxes(selector);
      assert.ok(found.length > 0, selector);
      for (const [left, top, right, bottom] of found) {
        assert.ok(plots.every(([l, t, r, b]) => left >= r - 0.5 || right <= l + 0.5 || top >= b - 0.5 || bottom <= t + 0.5), `${width}: ${selector} at ${[left, top, right, bottom]} over ${plots.join(' and ')}`);
        assert.ok(right <= width + 0.5, selector);
      }
    }
    await page.context().close();
  }
  // Points at the lower edge, and at the right one; s11 and s344 are the lowest, s88 and s266 far to the right.
  const page = await open(browser, site, 'help');
  let n = 0;
  for (const id of ['s11', 's344', 's88', 's266', 's14', 's699']) {
    await page.goto(`${site.url}${ask}&renderer=cpu&focus=${id}`);
    const ring = page.locator('.plot .ring');
    await ring.waitFor();
    await settled(page);
    let at;
    // Until the picture has come to rest, a point may move away from under the pointer.
    for (let n = 0; n < 20 && !(await page.locator('.tip').count()); n++) {
      at = await ring.boundingBox();
      await page.mouse.move(at.x + at.width / 2 + (n % 2), at.y + at.height / 2);
      await page.waitForTimeout(300);
    }
    await page.waitForFunction(() => ![undefined, '…'].includes(document.querySelector('.tip strong')?.textContent));
    const stage = await page.locator('.stage').boundingBox();
    await page.evaluate(() => new Promise((then) => requestAnimationFrame(() => requestAnimationFrame(then))));
    assert.match(await page.locator('.tip').textContent(), /jd 2460000\.\d{1,3}kind/);
    const tip = await page.locator('.tip').boundingBox();
    const isBelow = at.y + tip.height + 14 > stage.y + stage.height;
    if (isBelow || at.x + tip.width + 14 > stage.x + stage.width) n++;
    assert.ok(tip.x >= stage.x && tip.y >= stage.y && tip.x + tip.width <= stage.x + stage.width + 0.5 && tip.y + tip.height <= stage.y + stage.height + 0.5, `${id}: ${JSON.stringify(tip)} on ${JSON.stringify(stage)}`);
    await page.mouse.move(5, 5);
  }
  assert.ok(n >= 4, `${n} of them without room beside or below`);
  assert.deepEqual(page.faults, []);
  await page.context().close();
});

test('histograms that were closed stay closed, and the legend goes on counting', async () => {
  const page = await open(browser, site, `${ask}&renderer=cpu&colour=kind&filter=${encodeURIComponent('jd < 2460000.5')}`);
  await settled(page);
  const rings = page.locator('.legend, .rail').locator('li button', { hasText: 'ring' });
  await rings.filter({ hasText: '/ 334' }).waitFor();
  for (let left = await page.locator('section.histogram').count(); left > 0; left--) {
    await page.locator('section.histogram header button').first().click();
    await page.waitForFunction((left) => document.querySelectorAll('section.histogram').length === left, left - 1);
  }
  await page.waitForTimeout(300);
  assert.equal(await page.locator('section.histogram').count(), 0);
  assert.match(await rings.textContent(), /167 \/ 334/);
  await page.reload();
  await settled(page);
  await rings.filter({ hasText: '167 / 334' }).waitFor();
  assert.equal(await page.locator('section.histogram').count(), 0);
  await page.getByLabel('Add a histogram').selectOption('flux');
  await page.locator('section[aria-label="Histogram of flux"]').waitFor();
  assert.equal(await page.locator('section.histogram').count(), 1);
  assert.deepEqual(page.faults, []);
  await page.context().close();
});

test('the legend says why values have no colour', async () => {
  const page = await open(browser, site, `${ask}&renderer=cpu&colour=wild`);
  await page.getByText('no value (or an infinite one)').waitFor();
  await page.goto(`${site.url}${ask}&renderer=cpu&colour=below&scale=log`);
  await page.getByText('no value is above 0, and a log scale shows no others').waitFor();
  assert.equal(await page.locator('.rail canvas').count(), 0, 'no scale of values that are not there');
  assert.deepEqual(page.faults, []);
  await page.context().close();
});

test('a table without rows is named, and not told as nothing', async (t) => {
  const own = await Site.start((folder) => {
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, 't.csv'), 'subject_id,x,y\n');
  });
  t.after(() => own.end());
  const page = await open(browser, own, '');
  for (const path of ['', 'space', 'subjects']) {
    await page.goto(own.url + path);
    await page.locator('[data-state=empty]').waitFor();
    assert.match(await page.locator('[data-state=empty]').textContent(), /t\.csv: the table has no rows/, path);
  }
  await page.context().close();
});

test('a column that breaks off is a failure like others, and is asked for again', async () => {
  const page = await open(browser, site, 'help');
  await page.route('**/columns/flux', async (route) => {
    const whole = await (await route.fetch()).body();
    await route.fulfill({ status: 200, headers: { 'content-type': 'application/vnd.apache.arrow.stream' }, body: whole.subarray(0, whole.length >> 1) });
  });
  await page.goto(`${site.url}${ask}&renderer=cpu`);
  const failure = page.locator('[data-state=error]');
  await failure.waitFor();
  assert.match(await failure.textContent(), /A column did not come whole.*flux broke off/s);
  await page.unroute('**/columns/flux');
  await failure.getByRole('button', { name: 'Try again' }).click();
  await page.locator('.plot').waitFor();
  // As a colour, and as a panel beside it.
  await page.route('**/columns/jd', (route) => route.fulfill({ status: 200, headers: { 'content-type': 'application/vnd.apache.arrow.stream' }, body: 'cut' }));
  await page.getByLabel('Colour by').selectOption('jd');
  const colour = page.locator('.rail [role=alert]');
  await colour.waitFor();
  assert.match(await colour.textContent(), /A column did not come whole.*jd broke off/s);
  await page.goto(`${site.url}${ask}&renderer=cpu&panel=jd`);
  await page.locator('.said', { hasText: 'a panel is missing: The answer with jd broke off' }).waitFor();
  await page.goto(`${site.url}${ask}&renderer=cpu&colour=jd`);
  await colour.waitFor();
  await page.unroute('**/columns/jd');
  await colour.getByRole('button', { name: 'Try again' }).click();
  await page.locator('.rail canvas').waitFor();
  assert.deepEqual(page.faults, []);
  await page.context().close();
});

test('Alt takes away from what the filters pass where there is no region', async () => {
  const page = await open(browser, site, `${ask}&renderer=cpu&filter=${encodeURIComponent('jd < 2460000.5')}`);
  await count(page, 500);
  const box = await page.locator('.plot').boundingBox();
  await page.keyboard.down('Alt');
  await page.mouse.move(box.x + box.width * 0.3, box.y + box.height * 0.2);
  await page.mouse.down();
  for (const [x, y] of [[0.6, 0.2], [0.6, 0.8], [0.3, 0.8]]) await page.mouse.move(box.x + box.width * x, box.y + box.height * y, { steps: 4 });
  await page.mouse.up();
  await page.keyboard.up('Alt');
  await page.waitForFunction(() => Number(document.querySelector('[data-selected]').getAttribute('data-selected')) < 500);
  await settled(page);
  const left = Number(await page.locator('[data-selected]').getAttribute('data-selected'));
  const shapes = await page.evaluate(() => new URLSearchParams(location.search).getAll('region').map((text) => ({ op: text[0] === '-' ? 'remove' : 'add', points: text.slice(1).split(';').map((p) => p.split(',').map(Number)) })));
  assert.deepEqual(shapes.map((one) => one.op), ['add', 'remove']);
  const drawn = { filter: 'jd < 2460000.5', region: { x: 'phase', y: 'flux', shapes: [{ ...shapes[1], op: 'add' }] } };
  const taken = (await site.api('/tables/subjects/query', drawn)).n_selected;
  assert.ok(taken > 50 && taken < 450, String(taken));
  assert.equal(left, 500 - taken);
  assert.deepEqual(page.faults, []);
  await page.context().close();
});
