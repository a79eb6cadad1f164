// Steps of the project, run from the page: what there is, what runs, stop, what is new; and triage by a learner of the
// labels, the boundary of what experts said.
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { chromium, open, project, settled, Site } from './site.mjs';

const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const TRAIN = 'train anomaly images/list.csv -o model --epochs 100000 --size 16 --filters 2 --latents 2 --batch 8 --gallery-every 0';
const SCORE = 'outliers points.csv -o unusual.csv';
const ATTENTION = 'attention no-model images/list.csv -o attention';

function withSteps(folder) {
  project(folder);
  const toml = readFileSync(join(folder, 'volary.toml'), 'utf8');
  const steps = [SCORE, TRAIN, ATTENTION, "slice points.csv \"kind = '<b>x</b>'\" -o none.csv"];
  writeFileSync(join(folder, 'volary.toml'), `${toml}\n${steps.map((line) => `[[steps]]\nrun = ${JSON.stringify(line)}\n`).join('\n')}`);
}

let site;
let browser;
before(async () => {
  site = await Site.start(withSteps);
  browser = await chromium();
});
after(async () => {
  await browser?.close();
  await site?.end();
});

const stepOf = (page, command) => page.locator(`[data-step="${command}"]`);
const axe = async (page) => {
  await page.evaluate(AXE);
  const found = await page.evaluate(() => axe.run(document, { resultTypes: ['violations'] }));
  assert.deepEqual(found.violations.map((v) => `${v.id}: ${v.nodes.slice(0, 3).map((n) => n.html.slice(0, 160)).join(' | ')}`), []);
};

test('a step is run with the keyboard alone, and what it made is seen', async () => {
  const page = await open(browser, site, 'jobs');
  const anomaly = await open(browser, site, 'anomaly');
  await settled(page);
  await settled(anomaly);
  assert.equal(await stepOf(page, 'outliers').getAttribute('data-step-state'), 'not_done');
  assert.match(await page.locator('section[aria-label=Steps]').innerText(), /kind = '<b>x<\/b>'/);
  for (let i = 0; i < 60; i++) {
    await page.keyboard.press('Tab');
    if (await page.evaluate((line) => document.activeElement.getAttribute('aria-label') === `Run: ${line}`, SCORE)) break;
  }
  await page.keyboard.press('Enter');
  await page.locator('[data-job=done]').waitFor();
  assert.match(await page.locator('[data-news]').innerText(), /new: forest, knn, pca/);
  assert.match(await page.locator('[data-job=done] pre').innerText(), /Most unusual/);
  await page.waitForFunction(() => document.querySelector('[data-step=outliers]').dataset.stepState === 'up_to_date');
  assert.match(await stepOf(page, 'outliers').innerText(), /took .*Run again/s);
  // Another page shows what was there before, says so, and does not mix.
  await anomaly.getByLabel('without a label first').check();
  await anomaly.locator('[data-new-project]').waitFor();
  await anomaly.getByText('The project was read anew').first().waitFor();
  assert.ok((await anomaly.locator('.card').count()) > 0, 'what was shown is still there');
  await anomaly.getByRole('button', { name: 'Show what is new' }).click();
  await anomaly.waitForFunction(() => !document.querySelector('[data-new-project]') && document.querySelector('.card'));
  await settled(anomaly);
  // Old and new beside each other, before anything is chosen.
  const beside = anomaly.getByLabel('beside');
  assert.match(await beside.innerText(), /pca · new/);
  await beside.selectOption('pca');
  const said = anomaly.locator('[data-both]');
  await said.waitFor();
  const top = async (sort) => (await site.api('/tables/subjects/rows', { sort, limit: 100, columns: [] })).rows.map((row) => row.row);
  const [old, fresh] = [await top('-anomaly_score'), await top('-pca')];
  assert.equal(Number(await said.getAttribute('data-both')), old.filter((row) => fresh.includes(row)).length);
  assert.deepEqual([...page.faults, ...anomaly.faults], []);
  await page.context().close();
  await anomaly.context().close();
});

test('a training shows how far it is, keeps others out, and stops', async () => {
  const page = await open(browser, site, 'jobs');
  await settled(page);
  const step = stepOf(page, 'train anomaly');
  await step.getByRole('button', { name: 'Run:' }).click();
  await page.waitForFunction(() => document.querySelector('[data-step="train anomaly"] progress')?.position > 0);
  assert.match(await step.innerText(), /runs since.*epoch \d+\/100000/s);
  assert.ok(await stepOf(page, 'outliers').getByRole('button').isDisabled(), 'one at a time');
  await axe(page);
  const steps = (await site.api('/jobs')).steps;
  const busy = await fetch(`${site.url}api/v1/jobs`, { method: 'POST', headers: { authorization: `Bearer ${site.key}`, 'content-type': 'application/json' }, body: JSON.stringify({ step_id: steps[0].id }) });
  assert.equal(busy.status, 409);
  assert.match((await busy.json()).detail, /train anomaly/);
  // Under Anomaly it is seen too, and can be stopped there.
  const anomaly = await open(browser, site, 'anomaly');
  await settled(anomaly);
  await stepOf(anomaly, 'train anomaly').getByRole('button', { name: 'Stop' }).click();
  await page.locator('[data-job=stopped]').waitFor();
  assert.match(await page.locator('[data-job=stopped]').first().innerText(), /goes on from there/);
  assert.equal((await site.api('/jobs')).steps[1].state, 'not_done');
  assert.ok(await stepOf(page, 'outliers').getByRole('button').isEnabled());
  assert.deepEqual([...page.faults, ...anomaly.faults], []);
  await anomaly.context().close();
  await page.context().close();
});

test('a missing map is computed from the subject’s page, and a failure says why', async () => {
  const page = await open(browser, site, 'subjects/g6');
  await settled(page);
  const step = stepOf(page, 'attention');
  await step.getByRole('button', { name: 'Run:' }).click();
  await page.goto(`${site.url}jobs`);
  await page.locator('[data-job=failed]').waitFor();
  assert.match(await page.locator('[data-job=failed]').first().innerText(), /exit code 1.*no-model/s);
  await page.goto(`${site.url}subjects/g5`);
  await settled(page);
  assert.equal(await stepOf(page, 'attention').count(), 0, 'it has one');
  assert.deepEqual(page.faults, []);
  await page.context().close();
});

test('where there is no step, the command is told; who only reads gets no buttons', async () => {
  const bare = await Site.start(project);
  const page = await open(browser, bare, 'subjects/g6');
  await settled(page);
  await page.getByText('volary attention MODEL SUBJECTS -o DIR/attention').waitFor();
  await page.goto(`${bare.url}jobs`);
  await settled(page);
  // What is told is TOML, where a table has a line of its own.
  assert.match(await page.locator('section[aria-label=Steps]').innerText(), /no steps[^]*\[\[steps\]\]\nrun = "/);
  await page.context().close();
  await bare.end();
  const token = site.record('token', 'make', 'screen', '--role', 'read', '--tokens', 'tokens.toml', '-o', 'screen.token');
  assert.ok(token);
  const key = readFileSync(join(site.folder, 'screen.token'), 'utf8').trim();
  const reader = await open(browser, { url: site.url, key }, 'jobs');
  await settled(reader);
  assert.equal(await reader.locator('section[aria-label=Steps] button').count(), 0);
  await reader.getByText('This key only reads').waitFor();
  assert.equal(await reader.locator('[data-job] pre').count(), 0);
  assert.deepEqual(reader.faults, []);
  await reader.context().close();
});

test('triage by a learner of the labels, and the boundary of what experts said', async () => {
  const page = await open(browser, site, 'anomaly?colour=anomaly_score');
  await settled(page);
  const order = page.locator('select').filter({ hasText: 'at random' });
  await order.selectOption('unsure');
  await page.getByText(/Not yet: .*5 of either/).waitFor();
  const all = await site.api('/tables/subjects/rows', { sort: 'x', limit: 1000, columns: ['x'] });
  const rows = all.rows.filter((row) => row.values.x !== null);
  for (let i = 0; i < 60; i++) {
    const row = rows[i * 15];
    await site.api('/labels', { id: `e2e-${i}`, subject_id: row.subject_id, question: 'relevance', value: String(Math.min(5, Math.floor(i / 10))) });
  }
  await page.keyboard.press('Shift+r');
  await page.locator('.card').first().waitFor();
  const wanted = (await site.api('/tables/subjects/rows', { sort: 'unsure(relevance, 1)', limit: 25, columns: [] })).rows.map((row) => row.subject_id);
  assert.deepEqual(await page.locator('.card').evaluateAll((cards) => cards.map((card) => card.title)), wanted);
  // A label moves nothing under the hand; asked anew, it is gone to the end.
  await page.keyboard.press('4');
  await page.locator('.card mark').first().waitFor();
  assert.equal(await page.locator('.card').first().getAttribute('title'), wanted[0]);
  await page.getByRole('button', { name: 'Learn anew' }).click();
  await page.waitForFunction((first) => document.querySelector('.card')?.title !== first, wanted[0]);
  await page.getByLabel('What is right').selectOption('labels');
  await page.getByText(/labelled 3 or more/).waitFor();
  const measured = page.locator('[data-measure=recall]');
  await measured.waitFor();
  const shown = Number(await measured.getAttribute('data-value'));
  const api = await site.api('/tables/subjects/boundary', { quantity: 'label(relevance)', thresholds: [2.5] });
  assert.ok(Math.abs(shown - api.rows[0].recall.value) < 1e-12, `${shown} ${api.rows[0].recall.value}`);
  assert.match(await page.locator('section[aria-label=Threshold]').innerText(), /labelled subjects.*as experts said/s);
  await axe(page);
  await page.getByRole('link', { name: 'What it selects, on the map' }).click();
  await page.locator('[data-boundary]').waitFor();
  assert.deepEqual(page.faults, []);
  await page.context().close();
});
