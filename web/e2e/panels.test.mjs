// The panels beside the points: what else the project says, tags, the boundary on the map, orders of triage, a second
// reader, known answers; the page's own weight.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { chromium, N, open, project, settled, Site } from './site.mjs';

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

const settledAt = async (page, path) => {
  await page.goto(site.url + path);
  await settled(page);
};

test('the overview shows bias by slice, votes not spent, the machine, and records', async () => {
  const page = await open(browser, site, '');
  await settled(page);
  const bias = page.locator('section[aria-label="Where the crowd is wrong"]');
  await bias.waitFor();
  assert.match(await bias.locator('tbody tr').first().textContent(), /brightness 8 to 9.*90 of 200.*45\s% \(22–90\s%\)/s);
  assert.match(await bias.locator('tbody tr', { hasText: 'sensor' }).textContent(), /too few/);
  assert.match(await page.locator('section[aria-label="What retirement rules would have saved"] tbody').textContent(), /agree:8:0\.8.*11\.5.*42 %.*97/s);
  const machine = page.locator('section[aria-label="The machine and the volunteers"]');
  const api = await site.api('/tables/subjects/machine', { machine: 'predicted(ring)', crowd: 'consensus(ring)' });
  const rows = await machine.locator('tbody tr').count();
  assert.equal(rows, api.bins.filter((bin) => bin.n > 0).length);
  assert.ok((await machine.textContent()).includes(api.n.toLocaleString('en')));
  const runs = page.locator('section[aria-label="Where the numbers come from"]');
  assert.match(await runs.locator('summary').textContent(), /volary score.*seed 7/);
  await runs.locator('summary').click();
  assert.match(await runs.textContent(), /volary score <i>model<\/i>/);
  assert.equal(await page.locator('i').count(), 0);
  assert.ok(!(await page.locator('main').textContent()).includes('bias.csv:'), 'what is shown is not left out');
  assert.deepEqual(page.faults, []);
  await page.context().close();
});

test('a tag is given with a key, is there after a restart, and is drawn over its points', async () => {
  const page = await open(browser, site, 'subjects/g8');
  await settled(page);
  await page.keyboard.press('t');
  await page.keyboard.type('#Odd');
  await page.keyboard.press('Enter');
  await page.locator('.tag', { hasText: '#odd' }).waitFor();
  await site.kill();
  await site.serve(site.port);
  await page.evaluate((key) => sessionStorage.setItem('volary-key', key), site.key);
  const tags = (await site.api('/tables/subjects/tags')).tags;
  assert.deepEqual(tags[0], { name: 'odd', n: 3, rows: [3, 4, 8] });
  const again = await open(browser, site, 'space?renderer=cpu&thumbnails=0');
  await settled(again);
  await again.getByRole('button', { name: /#odd/ }).click();
  await again.waitForFunction(() => document.querySelector('canvas.over')?.dataset.glyphs === '3');
  await again.waitForFunction(() => location.search.includes('tag=odd'));
  // Markup in a tag stays text.
  assert.ok(await again.getByRole('button', { name: /<b>loud<\/b>/ }).isVisible());
  // The selection is tagged together.
  await again.locator('#filter').fill("subject_id in ('g20', 'g21')");
  await again.keyboard.press('Enter');
  await again.waitForFunction(() => document.querySelector('[data-selected]')?.getAttribute('data-selected') === '2');
  await again.locator('.plot').focus();
  await again.keyboard.press('t');
  await again.keyboard.type('pair');
  await again.keyboard.press('Enter');
  await again.waitForFunction(() => document.querySelector('canvas.over')?.dataset.glyphs === '2');
  assert.deepEqual((await site.api('/tables/subjects/tags')).tags.find((tag) => tag.name === 'pair').rows, [20, 21]);
  assert.deepEqual([...page.faults, ...again.faults], []);
  await page.context().close();
  await again.context().close();
});

test('a slab of a third column follows the hand, and the boundary stands out on the map', async () => {
  const page = await open(browser, site, 'space?renderer=cpu&thumbnails=0');
  await settled(page);
  await page.getByLabel('Third column').selectOption('anomaly_score');
  await page.locator('.chips code').waitFor();
  const slider = page.locator('.rail input[type=range]').nth(1);
  const before = await page.locator('.chips code').textContent();
  assert.equal(await slider.inputValue(), '50');
  await slider.focus();
  for (let i = 0; i < 5; i++) await page.keyboard.press('ArrowRight');
  assert.equal(await slider.inputValue(), '55');
  assert.equal(await page.evaluate(() => new URLSearchParams(location.search).get('camera')), null, 'the plot is not moved by the keys of a slider');
  const filter = await page.locator('.chips code').textContent();
  assert.match(filter, /^anomaly_score between /);
  assert.notEqual(filter, before);
  const api = await site.api('/tables/subjects/query', { filter });
  await page.waitForFunction((n) => document.querySelector('[data-selected]')?.getAttribute('data-selected') === String(n), api.n_selected);
  assert.ok(api.n_selected > 0 && api.n_selected < N);
  await settledAt(page, 'anomaly');
  await page.getByRole('link', { name: 'What it selects, on the map' }).click();
  await page.waitForFunction(() => location.pathname === '/space' && location.search.includes('boundary='));
  await page.locator('[data-boundary]').waitFor();
  const [threshold, column] = await page.evaluate(() => new URLSearchParams(location.search).get('boundary').split(','));
  const said = await site.api('/tables/subjects/boundary', { quantity: column, thresholds: [Number(threshold)], masks: true });
  const bits = Buffer.from(said.rows[0].rows, 'base64');
  const n = [...bits].reduce((sum, byte) => sum + byte.toString(2).replaceAll('0', '').length, 0);
  assert.equal(Number(await page.locator('[data-boundary]').getAttribute('data-boundary')), n);
  assert.ok(n > 0 && n < N);
  assert.deepEqual(page.faults, []);
  await page.context().close();
});

test('what a boundary loses of the tagged is told without being asked for', async () => {
  const page = await open(browser, site, '');
  for (let n = 100; n < 140; n++) await site.api('/labels', { id: `arc-${n}`, subject_id: `g${n}`, question: 'tag:arc', value: 'yes' });
  await settledAt(page, 'anomaly');
  assert.equal(await page.getByLabel('What becomes of groups, by').inputValue(), 'tags');
  const groups = [{ name: '#arc', filter: "tags has 'arc'" }, { name: '#odd', filter: "tags has 'odd'" }];
  const column = (await site.api('/project')).tables[0].columns.find((c) => c.name === 'anomaly_score');
  const slider = page.locator('section[aria-label=Threshold] input[type=range]');
  // What a machine gave is not passed off as what people chose.
  await page.locator('section[aria-label=Threshold]', { hasText: 'Right means: anomaly_score is above the threshold' }).waitFor();
  assert.ok(!/volunteers chose|to be chosen/.test(await page.locator('section[aria-label=Threshold]').textContent()));
  const said = async () => {
    const threshold = column.low + ((column.high - column.low) * (Number(await slider.inputValue()) + 1)) / 20;
    const [arc, odd] = (await site.api('/tables/subjects/boundary', { quantity: 'anomaly_score', thresholds: [threshold], groups })).rows[0].groups;
    assert.ok(arc.n > 0 && arc.n_selected < arc.n, JSON.stringify(arc));
    await page.locator('[data-lost] li', { hasText: `${arc.n - arc.n_selected} of ${arc.n} #arc lie outside` }).waitFor();
    // Where nobody was held out nothing is said, and that is.
    assert.equal(await page.locator('[data-unjudged]', { hasText: '#odd' }).count(), odd.n === 0 ? 1 : 0);
    return arc.n;
  };
  await slider.focus();
  await page.keyboard.press('End');
  for (let n = 0; n < 5; n++) await page.keyboard.press('ArrowLeft');
  const before = await said();
  // A tag that is given here is followed at once.
  for (let n = 140; n < 180; n++) await site.api('/labels', { id: `arc-${n}`, subject_id: `g${n}`, question: 'tag:arc', value: 'yes' });
  await page.locator('.card').first().click();
  await page.keyboard.press('t');
  await page.keyboard.type('arc');
  await page.keyboard.press('Enter');
  const after = await page.waitForFunction((before) => Number(/of (\d+) #arc/.exec(document.querySelector('[data-lost]')?.textContent ?? '')?.[1]) > before, before);
  await after.dispose();
  await said();
  // Another choice stands in the address, and the tags come back.
  await page.getByLabel('What becomes of groups, by').selectOption('kind');
  await page.waitForFunction(() => location.search.includes('group=kind'));
  await page.waitForFunction(() => !document.querySelector('[data-lost]')?.textContent.includes('#arc'));
  await page.getByLabel('What becomes of groups, by').selectOption('tags');
  await page.waitForFunction(() => !location.search.includes('group='));
  await said();
  // Tags that cannot be read are not passed over.
  await page.route('**/tags', (route) => route.fulfill({ status: 503, contentType: 'application/problem+json', body: '{"type":"/problems/busy","title":"Busy","status":503,"detail":"busy"}' }));
  await page.reload();
  await page.getByText('The tags could not be read').waitFor();
  assert.deepEqual(page.faults, []);
  await page.context().close();
  for (let n = 100; n < 180; n++) await site.api('/labels', { id: `arc-back-${n}`, subject_id: `g${n}`, question: 'tag:arc', retracts: `arc-${n}` });
});

test('triage at random, by what is most different, without a label first; the whole image with a key', async () => {
  const page = await open(browser, site, 'anomaly');
  await settled(page);
  const titles = () => page.locator('.card').evaluateAll((all) => all.map((one) => one.title));
  const ranked = await titles();
  const order = page.locator('select').filter({ hasText: 'at random' });
  const changed = async (before) => page.waitForFunction((b) => document.querySelector('.card')?.title !== b, before[0]);
  await order.selectOption('random');
  await changed(ranked);
  const mixed = await titles();
  const api = await site.api('/tables/subjects/rows', { sort: 'random(1)', limit: 25, columns: [] });
  assert.deepEqual(mixed, api.rows.map((row) => row.subject_id));
  await page.keyboard.press('5');
  await page.locator('.card mark').first().waitFor();
  await page.getByLabel('without a label first').check();
  await changed(mixed);
  assert.ok(!(await titles()).includes(mixed[0]));
  await order.selectOption('unseen');
  const far = await site.api('/tables/subjects/rows', { sort: 'unseen(relevance)', limit: 25, columns: [], labelled_last: 'relevance' });
  await page.waitForFunction((first) => document.querySelector('.card')?.title === first, far.rows[0].subject_id);
  await settledAt(page, 'subjects/g5');
  await page.keyboard.press('Space');
  await page.locator('dialog canvas').waitFor();
  await page.keyboard.press('Space');
  await page.locator('dialog').waitFor({ state: 'detached' });
  assert.deepEqual(page.faults, []);
  await page.context().close();
});

test('frames are shown one after the other, by hand and blinking', async () => {
  const page = await open(browser, site, 'subjects/g5');
  await settled(page);
  const middle = () => page.evaluate(() => [...document.querySelector('.frame canvas').getContext('2d').getImageData(24, 24, 1, 1).data].slice(0, 3).join());
  const shows = (rgb) => page.waitForFunction((rgb) => [...document.querySelector('.frame canvas').getContext('2d').getImageData(24, 24, 1, 1).data].slice(0, 3).join() === rgb, rgb);
  const first = await middle();
  assert.notEqual(first, '250,250,0');
  await page.keyboard.press('f');
  await shows('250,250,0');
  await page.keyboard.press('f');
  await shows(first);
  await page.keyboard.press('Shift+f');
  await shows('250,250,0');
  await shows(first);
  await page.getByRole('button', { name: 'template' }).click();
  await shows('250,250,0');
  await page.goto(`${site.url}subjects/g6`);
  await settled(page);
  assert.equal(await page.getByRole('group', { name: 'Frames' }).count(), 0);
  assert.deepEqual(page.faults, []);
  await page.context().close();
});

test('slices show where they lie and how mixed their votes are', async () => {
  const page = await open(browser, site, 'confusion?filter=' + encodeURIComponent('consensus(ring) between 0.3 and 0.7'));
  await settled(page);
  const card = page.locator('section[aria-label="The slice"]');
  await card.locator('canvas.points').waitFor();
  await page.waitForFunction(() => Number(document.querySelector('[aria-label="The slice"] canvas.points')?.dataset.drawn) > 0);
  assert.match(await card.locator('section.histogram').first().textContent(), /entropy_bits\(T0\)/);
  // How far a model's maps lie on each other, over the subjects of the slice that have some.
  await settledAt(page, 'confusion?filter=' + encodeURIComponent("subject_id in ('g4', 'g5', 'g6')"));
  const known = await site.api('/tables/subjects/slice', { filter: "subject_id in ('g4', 'g5', 'g6')" });
  assert.deepEqual([known.n, known.n_attention, known.overlaps.map((pair) => [pair.n, pair.mean])], [3, 1, [[1, 0.25]]]);
  assert.equal(await card.locator('[data-overlap]').getAttribute('data-overlap'), '0.25');
  assert.match(await card.textContent(), /Fewer than ten people/);
  assert.deepEqual(page.faults, []);
  await page.context().close();
});

test('who has answered is told what is known; two readers are compared, blind', async () => {
  const page = await open(browser, site, 'classify?filter=' + encodeURIComponent("subject_id in ('g0', 'g1', 'g2', 'g3')"));
  await settled(page);
  assert.equal(await page.locator('[data-gold]').count(), 0);
  await page.keyboard.press('1');
  await page.locator('[data-gold=g0]').waitFor();
  assert.match(await page.locator('[data-gold=g0]').textContent(), /Known to be spiral/);
  for (const [n, key] of [[1, '1'], [2, '1'], [3, '2']]) {
    await page.waitForFunction((id) => document.querySelector('h2.mono')?.textContent === id, `g${n}`);
    await page.keyboard.press(key);
  }
  await page.getByText('Everything here is labelled').waitFor();
  await page.getByText('No subject has been read by two people yet').waitFor();
  // Somebody else, with a token of their own.
  const other = await open(browser, { ...site, url: site.url, key: site.token }, 'classify?filter=' + encodeURIComponent("subject_id in ('g0', 'g1', 'g2', 'g3')"));
  await settled(other);
  await other.getByLabel('read again what others have read').check();
  for (const [n, key] of [[0, '1'], [1, '2'], [2, '1'], [3, '2']]) {
    await other.waitForFunction((id) => document.querySelector('h2.mono')?.textContent === id, `g${n}`);
    await other.keyboard.press(key);
  }
  await other.getByText('Nothing is left that others have read and you have not').waitFor();
  const panel = other.locator('section[aria-label="How far readers agree"]');
  await panel.locator('[data-alpha]').waitFor();
  await other.waitForFunction(() => /read by two or more/.test(document.querySelector('[aria-label="How far readers agree"]')?.textContent ?? ''));
  const api = await site.api('/labels/agreement?question=class');
  assert.deepEqual([api.n_readers, api.n_shared, api.n_same], [2, 4, 3]);
  await other.waitForFunction((alpha) => Number(document.querySelector('[data-alpha]')?.getAttribute('data-alpha')) === alpha, api.alpha);
  assert.match(await panel.textContent(), /g1.*reader \d: \w+; reader \d: \w+/s);
  assert.deepEqual([...page.faults, ...other.faults], []);
  await page.context().close();
  await other.context().close();
});

test('the first route is light', async () => {
  const page = await open(browser, site, '');
  await settled(page);
  const scripts = await page.evaluate(() => performance.getEntriesByType('resource').map((e) => e.name).filter((name) => name.endsWith('.js')));
  assert.ok(scripts.length > 0);
  let sum = 0;
  for (const name of scripts) sum += gzipSync(Buffer.from(await (await fetch(name)).arrayBuffer()), { level: 9 }).length;
  assert.ok(sum <= 120 * 1_024, `${sum} bytes in ${scripts.join(' ')}`);
  await page.context().close();
});
