// Every route in each of the five states: empty, loading, partial, stale, error. Faults are put between browser and
// server; the server is the real one.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { chromium, open, project, raiseAlerts, ROUTES, settled, Site } from './site.mjs';

let site;
let bare;
let browser;
before(async () => {
  site = await Site.start(project, ['--answer', 'real']);
  bare = await Site.start(null);
  browser = await chromium();
  await raiseAlerts(site);
});
after(async () => {
  await browser?.close();
  await site?.end();
  await bare?.end();
});

const state = (page, name) => page.locator(`[data-state=${name}]`).first().waitFor();

test('each route says that it is loading, and then shows what it has', async () => {
  const page = await open(browser, site, 'jobs');
  await settled(page);
  for (const path of ROUTES) {
    const held = [];
    let isHeld = true;
    await page.route('**/api/v1/**', (route) => (isHeld && !route.request().url().includes('/events') ? held.push(route) : route.continue().catch(() => {})));
    await page.goto(site.url + path);
    await state(page, 'loading');
    // Before those that wait are let go: one that comes meanwhile would wait for ever.
    isHeld = false;
    for (const route of held) await route.continue().catch(() => {});
    await settled(page);
    await page.unroute('**/api/v1/**');
    assert.equal(await page.locator('[data-state=error]').count(), 0, path);
    assert.deepEqual(page.faults, [], path);
  }
  await page.context().close();
});

test('each route says what went wrong, and tries again', async () => {
  const page = await open(browser, site, 'jobs');
  await settled(page);
  for (const path of ROUTES) {
    await page.route('**/api/v1/**', (route) => route.fulfill({ status: 500, contentType: 'application/problem+json', body: JSON.stringify({ type: '/problems/failed', title: 'The server failed', status: 500, detail: 'its log says why', instance: '/', request_id: 'abc-1' }) }));
    await page.goto(site.url + path);
    await state(page, 'error');
    assert.match(await page.locator('[data-state=error]').first().textContent(), /The server failed.*abc-1/s, path);
    await page.unroute('**/api/v1/**');
    await page.locator('[data-state=error] button').first().click();
    await page.locator('body').click({ position: { x: 5, y: 790 } });
    await page.keyboard.press('Shift+r');
    await page.waitForFunction(() => !document.querySelector('[data-state=error]'));
    assert.deepEqual(page.faults, [], path);
  }
  await page.context().close();
});

test('each route keeps what it shows when the server goes away', async () => {
  const page = await open(browser, site, 'jobs');
  for (const path of ROUTES) {
    await page.goto(site.url + path);
    await settled(page);
    await page.waitForTimeout(150);
    const before = (await page.locator('main').innerText()).length;
    await page.route('**/api/v1/**', (route) => route.abort());
    await page.locator('body').click({ position: { x: 5, y: 790 } });
    await page.keyboard.press('Shift+r');
    await state(page, 'stale');
    assert.match(await page.locator('[data-state=stale]').first().textContent(), /as of|Shown is/, path);
    assert.ok((await page.locator('main').innerText()).length > before * 0.8, `${path}: what was shown is still there`);
    await page.unroute('**/api/v1/**');
    await page.keyboard.press('Shift+r');
    await page.waitForFunction(() => !document.querySelector('[data-state=stale]'));
    assert.deepEqual(page.faults, [], path);
  }
  await page.context().close();
});

test('each route says what to run where there is nothing', async () => {
  const nothing = await open(browser, bare);
  for (const path of ROUTES.filter((p) => p !== 'help' && p !== 'subjects/g5')) {
    await nothing.goto(bare.url + path);
    await state(nothing, 'empty');
    assert.match(await nothing.locator('[data-state=empty]').first().textContent(), /volary \w+/, path);
    assert.deepEqual(nothing.faults, [], path);
  }
  await nothing.context().close();
  // A subject without votes, and a server that describes no path.
  const page = await open(browser, site, 'subjects/g5');
  await state(page, 'empty');
  await page.route('**/openapi.json', (route) => route.fulfill({ json: { paths: {} } }));
  await page.goto(`${site.url}help`);
  await state(page, 'empty');
  await page.context().close();
});

test('each route says how much of it is shown where it is not all', async () => {
  const page = await open(browser, site, 'jobs');
  for (const path of ['', 'space', 'subjects', 'confusion', 'anomaly', 'live', 'classify', 'help']) {
    await page.goto(site.url + path);
    await state(page, 'partial');
    assert.match(await page.locator('[data-state=partial]').first().textContent(), /showing [\d,]+ of [\d,]+/, path);
  }
  await page.goto(`${site.url}jobs`);
  await settled(page);
  await page.route('**/learner', (route) => route.abort());
  await page.keyboard.press('Shift+r');
  await state(page, 'partial');
  await page.route('**/volunteers/summary', (route) => route.fulfill({ json: { n_people: 50, n_classifications: 900, anonymous: { n_sessions: 0, n_classifications: 0 }, n_opted_out: 0, by_experience: [], by_agreement: [0, 0, 0, 0, 0, 0, 0, 0, 20, 10], n_too_little: 20 } }));
  await page.goto(`${site.url}volunteers`);
  await state(page, 'partial');
  await page.route('**/light_curve', (route) => route.fulfill({ json: { subject_id: 'g5', time_days: [0, 1, 2], flux: [1, 0.9, 1], n_points: 90_000, is_decimated: true, marks: [[0.5, 1.5]], features: [] } }));
  await page.route('**/project/subjects/g5', (route) => route.fulfill({ json: { subject_id: 'g5', has_image: false, has_light_curve: true, rows: { subjects: 5 }, values: {} } }));
  await page.goto(`${site.url}subjects/g5`);
  await state(page, 'partial');
  assert.deepEqual(page.faults, []);
  await page.context().close();
});
