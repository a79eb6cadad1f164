// Panels about people, votes and slices, on a project with votes: each number is the API's, opt-outs are a count, rows
// of single people are for admins, and nobody has a name.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { chromium, open, settled, Site, VOLARY } from './site.mjs';

const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
let site;
let browser;
let names;
/**
 * A project of the demo whose subjects are seen week after week, a sixth of them in each, with a machine that knows the
 * answers and turns them round in the last week; and two who opted out.
 */
function demo(folder) {
  const run = (...args) => execFileSync(VOLARY, args, { cwd: folder, stdio: 'ignore' });
  run('demo', '.', '--subjects', '120', '--volunteers', '80');
  const rows = readFileSync(join(folder, 'classifications.csv'), 'utf8').split('\n').slice(1, -1);
  names = [...new Set(rows.map((row) => row.split(',')[1]).filter((name) => !name.startsWith('not-logged-in')))].sort();
  for (const name of names.slice(0, 2)) run('optout', 'add', '--user', name);
  const week = (subject) => Number(subject) % 6;
  const dated = rows.map((row, i) => {
    const at = new Date(Date.UTC(2024, 0, 1) + week(/(\d+)$/.exec(row)[1]) * 7 * 86_400_000 + i * 10_000);
    return row.replace(/,\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC,/, `,${at.toISOString().slice(0, 19).replace('T', ' ')} UTC,`);
  });
  const head = readFileSync(join(folder, 'classifications.csv'), 'utf8').split('\n')[0];
  writeFileSync(join(folder, 'classifications.csv'), `${[head, ...dated].join('\n')}\n`);
  const truth = readFileSync(join(folder, 'truth.csv'), 'utf8').split('\n').slice(1, -1).map((line) => line.split(','));
  const predicted = truth.map(([id, answer]) => `${id},${(answer === 'Smooth') === (week(id) < 5) ? 0.9 : 0.1}`);
  writeFileSync(join(folder, 'machine.csv'), `subject_id,predicted(T0.Smooth)\n${predicted.join('\n')}\n`);
  writeFileSync(join(folder, 'checks.csv'), 'subject_id,momentum_dump,centroid_shift\n91000001,true,0.25\n91000002,false,\n');
  run('run', '.');
}
before(async () => {
  site = await Site.start(demo);
  browser = await chromium();
});
after(async () => {
  await browser?.close();
  await site?.end();
});
const close = (a, b) => assert.ok(Math.abs(Number(a) - b) < 1e-12, `${a} ${b}`);

test('volunteers are told of in groups and by answer, and what skill would change', async () => {
  const page = await open(browser, site, 'volunteers');
  await settled(page);
  const classes = await site.api('/volunteers/classes');
  const shown = await page.locator('section[aria-label="By answer"] [data-agree]').evaluateAll((all) => all.map((one) => Number(one.dataset.agree)));
  assert.deepEqual(shown, classes.questions.flatMap((q) => q.classes.map((c) => c.share)));
  assert.ok(shown.length >= 3);
  // Tasks of one name are told apart by their workflow.
  const heads = await page.locator('section[aria-label="By answer"] tbody th').allTextContents();
  assert.equal(new Set(heads).size, heads.length);
  const tasks = classes.questions.map((q) => q.task);
  const expected = classes.questions.flatMap((q) => q.classes.map((c) => `${tasks.filter((task) => task === q.task).length > 1 ? `w${q.workflow_id}.` : ''}${q.task} ${c.answer}`));
  assert.deepEqual(heads, expected);
  const panel = page.locator('section[aria-label="What if votes counted by skill"]');
  const first = await site.api('/volunteers/what_if');
  const changed = () => panel.locator('[data-changed]').evaluateAll((all) => all.map((one) => Number(one.dataset.changed)));
  assert.deepEqual(await changed(), first.questions.map((q) => q.n_changed));
  await panel.locator('select').selectOption('wawa');
  const wawa = await site.api('/volunteers/what_if?method=wawa');
  await page.waitForFunction((wanted) => JSON.stringify([...document.querySelectorAll('[data-changed]')].map((one) => Number(one.dataset.changed))) === JSON.stringify(wanted), wawa.questions.map((q) => q.n_changed));
  // What is not told says why.
  assert.match(await page.locator('main').textContent(), /By the busiest tenth–not told: a tenth is fewer than ten people/);
  assert.match(await page.locator('main').textContent(), /2 more opted out/);
  assert.match(await page.locator('main').textContent(), /Without an account/);
  // Somebody who may read sees no rows, and is told why.
  const ones = page.locator('section[aria-label="One by one"]');
  await ones.getByRole('button', { name: 'Show' }).click();
  await ones.locator('[data-state=error]').waitFor();
  assert.match(await ones.textContent(), /role admin/);
  assert.equal(await ones.locator('tbody tr').count(), 0);
  assert.deepEqual(page.faults, []);
  await page.context().close();
});

test('an admin sees rows without names, by number or by uncertainty', async () => {
  const page = await open(browser, { ...site, url: site.url, key: site.token }, 'volunteers');
  const answers = [];
  page.on('response', async (response) => {
    if (response.url().includes('/api/v1/')) answers.push(await response.text().catch(() => ''));
  });
  await settled(page);
  const ones = page.locator('section[aria-label="One by one"]');
  await ones.getByRole('button', { name: 'Show' }).click();
  await ones.locator('tbody tr').first().waitFor();
  const column = async () => (await ones.locator('tbody tr:not(:last-child) td:nth-of-type(1)').allTextContents()).map((text) => Number(text.replaceAll(',', '')));
  const sorted = await column();
  assert.deepEqual(sorted, [...sorted].sort((a, b) => b - a));
  assert.match(await ones.textContent(), /not enough evidence/);
  assert.match(await ones.textContent(), /all without an account/);
  const told = page.waitForResponse((response) => response.url().includes('sort=uncertainty'));
  await ones.locator('select').selectOption('uncertainty');
  const rows = (await (await told).json()).volunteers;
  await page.waitForFunction((first) => document.querySelector('[aria-label="One by one"] tbody th')?.textContent === first, rows[0].pseudonym);
  const width = (row) => Math.max(-1, ...row.skills.map((one) => one.skill_high - one.skill_low));
  assert.deepEqual(rows.map(width), rows.map(width).sort((a, b) => b - a));
  assert.equal(await ones.locator('option').count(), 2, 'and not by skill');
  await ones.getByRole('button', { name: 'next →' }).click();
  await ones.getByRole('button', { name: '← before' }).and(page.locator(':enabled')).waitFor();
  const text = (await page.locator('body').textContent()) + answers.join('');
  for (const name of names) assert.ok(!text.includes(name), name);
  assert.ok(answers.length > 3);
  assert.deepEqual(page.faults, []);
  await page.context().close();
});

test('the course of a consensus has both lines, thresholds, and the vote at which a rule retires', async () => {
  const id = '90000003';
  const page = await open(browser, site, `subjects/${id}`);
  await settled(page);
  const api = await site.api(`/project/subjects/${id}/votes`);
  const question = api.questions.find((q) => q.task === 'T0');
  const panel = page.locator('section[aria-label="Votes on T0"]');
  const last = question.steps.at(-1);
  for (const [a, share] of last.share.entries()) {
    close(await panel.locator('[data-share]').nth(a).getAttribute('data-share'), share[0]);
    close(await panel.locator('[data-weighted]').nth(a).getAttribute('data-weighted'), last.weighted[a][0]);
  }
  assert.equal(await panel.locator('polyline').count(), 2 * question.answers.length);
  assert.ok((await panel.locator('line.rule').count()) > 0, 'the line of agree:8:0.8');
  for (const rule of ['count:5', 'swap:0.95']) {
    await page.locator('label', { hasText: 'retirement rule' }).locator('select').selectOption(rule);
    const said = await site.api(`/project/subjects/${id}/votes?rule=${rule}`);
    const at = said.questions.find((q) => q.task === 'T0').rules[0].at;
    if (at === undefined) await page.waitForFunction(() => !document.querySelector('[aria-label="Votes on T0"] [data-retired]'));
    else await page.waitForFunction((at) => document.querySelector('[aria-label="Votes on T0"] [data-retired]')?.dataset.retired === String(at), at);
  }
  await page.getByLabel('A rule of your own').fill('count:3');
  await page.getByRole('button', { name: 'Draw' }).click();
  await page.waitForFunction(() => document.querySelector('[aria-label="Votes on T0"] [data-retired]')?.dataset.retired === '3');
  await page.getByLabel('A rule of your own').fill('sometimes');
  await page.getByRole('button', { name: 'Draw' }).click();
  await page.locator('[data-state=stale], [data-state=error]').first().waitFor();
  // A column leads to the run that wrote it.
  await page.locator('dt a').first().click();
  await page.waitForFunction(() => location.search.startsWith('?run='));
  await page.locator('.runs details[open]').waitFor();
  assert.deepEqual(page.faults, []);
  await page.context().close();
});

test('the line of a rule names what the rule would have said, as the list below does', async () => {
  const id = '90000005';
  const page = await open(browser, site, `subjects/${id}`);
  await settled(page);
  const { questions } = await site.api(`/project/subjects/${id}/votes`);
  const said = questions.map(({ task, rules }) => {
    const ends = rules.filter((one) => one.rule === 'agree:8:0.8' && one.at !== undefined);
    const first = Math.min(...ends.map((one) => one.at));
    return { task, first, of: ends.filter((one) => one.at === first) };
  });
  // A question with one answer, and one in which each answer is decided on by itself, and is not there.
  const one = said.filter(({ of }) => of.length === 1);
  assert.ok(one.some(({ of }) => of[0].about === undefined) && one.some(({ of }) => of[0].about !== undefined && of[0].answer === 'no'), JSON.stringify(said));
  for (const { task, first, of } of one) {
    const answer = `${of[0].about === undefined ? '' : `${of[0].about}: `}${of[0].answer}`;
    assert.equal(await page.locator(`section[aria-label="Votes on ${task}"] text.rule`).textContent(), `agree:8:0.8 at ${first}: ${answer}`);
    const list = await page.locator(`section[aria-label="Votes on ${task}"] details li`, { hasText: 'agree:8:0.8' }).textContent();
    assert.ok(list.includes(`${of[0].about === undefined ? '' : `${of[0].about}: `}at vote ${first}: ${of[0].answer}`), list);
  }
  assert.deepEqual(page.faults, []);
  await page.context().close();
});

test('a slice tells who disagrees, is kept, stands under the errors, and is a queue', async () => {
  const filter = 'n_seen >= 8';
  const page = await open(browser, site, `confusion?filter=${encodeURIComponent(filter)}`);
  await settled(page);
  const known = await site.api('/tables/subjects/slice', { filter });
  assert.ok(known.sides.length > 0);
  const disagree = await page.locator('[data-disagree]').evaluateAll((all) => all.map((one) => Number(one.dataset.disagree)));
  assert.deepEqual(disagree, known.sides.map((side) => side.disagree));
  const kept = page.locator('section[aria-label="Slices that are kept"]');
  await kept.getByLabel('save this one as').fill('<b>well</b> seen');
  await kept.getByRole('button', { name: 'Save' }).click();
  await kept.getByRole('link', { name: '<b>well</b> seen' }).waitFor();
  const [slice] = (await site.api('/slices')).slices;
  assert.equal(slice.filter, filter);
  assert.equal(slice.n, (await site.api('/tables/subjects/query', { filter })).n_selected);
  await page.goto(site.url);
  await settled(page);
  const bias = page.locator('section[aria-label="Errors in saved slices"]');
  await bias.waitFor();
  const t0 = slice.errors.find((one) => one.task === 'T0');
  assert.ok(t0.n >= 30);
  close(await bias.locator('[data-rate]').first().getAttribute('data-rate'), t0.rate);
  await bias.getByRole('link', { name: 'Vet' }).click();
  await page.waitForFunction(() => location.pathname === '/classify');
  await settled(page);
  const queue = page.locator('label', { hasText: 'queue' }).locator('select');
  assert.equal(await queue.inputValue(), filter);
  await queue.selectOption('');
  await page.waitForFunction(() => !location.search.includes('filter'));
  await page.goto(`${site.url}confusion`);
  await settled(page);
  await page.getByRole('button', { name: 'Remove <b>well</b> seen' }).click();
  await page.waitForFunction(() => !document.querySelector('[aria-label="Saved slices"]'));
  assert.deepEqual((await site.api('/slices')).slices, []);
  assert.deepEqual(page.faults, []);
  await page.context().close();
});

test('the overview says what is used for what', async () => {
  const page = await open(browser, site, '');
  await settled(page);
  const use = page.locator('section[aria-label="What is used for what"]');
  const api = await site.api('/project/data_use');
  assert.equal(await use.locator('[data-labels]').getAttribute('data-labels'), api.label_set.version);
  assert.equal(await use.locator('[data-out]').getAttribute('data-out'), '2');
  // The machine was turned round in the last week, and the flag says so.
  const { drift } = await site.api('/tables/subjects/machine', { machine: 'predicted(T0.Smooth)', crowd: 'consensus(T0.Smooth)' });
  assert.deepEqual([drift.is_off, drift.n, drift.n_windows, drift.n_before], [true, 20, 5, 100]);
  assert.ok(drift.share < 0.3 && drift.band_low > 0.5, JSON.stringify(drift));
  const flag = page.locator('[data-drift]');
  assert.equal(await flag.getAttribute('data-drift'), 'true');
  assert.match(await flag.textContent(), new RegExp(`Drift\\..*${drift.from} to ${drift.to}`, 's'));
  assert.deepEqual(page.faults, []);
  await page.context().close();
});

test('a check of a light curve is ticked when the tick is on disk, and taken back', async () => {
  const page = await open(browser, site, 'subjects/91000001');
  await settled(page);
  const box = page.getByLabel('no momentum dump at the dip');
  await box.waitFor();
  assert.equal(await page.getByLabel('the star does not move').count(), 1);
  await box.click();
  await page.locator('fieldset input:checked').waitFor();
  assert.ok(await box.isChecked());
  const held = () => readFileSync(join(site.folder, 'labels.jsonl'), 'utf8').split('\n').slice(0, -1).map((line) => JSON.parse(line));
  assert.deepEqual(held().map((l) => [l.subject_id, l.question, l.value]), [['91000001', 'check:momentum_dump', 'looked']]);
  await page.reload();
  await settled(page);
  await page.locator('fieldset input:checked').waitFor();
  await page.getByLabel('no momentum dump at the dip').click();
  await page.waitForFunction(() => !document.querySelector('fieldset input:checked, fieldset input:disabled'));
  assert.equal(held()[1].retracts, held()[0].id);
  await page.goto(`${site.url}subjects/91000003`);
  await settled(page);
  assert.equal(await page.locator('fieldset').count(), 0);
  assert.deepEqual(page.faults, []);
  await page.context().close();
});

test('axe finds nothing on these panels, and nothing is wider than the screen', async () => {
  const said = [];
  for (const [colorScheme, viewport] of [['dark', { width: 1280, height: 800 }], ['light', { width: 390, height: 844 }]]) {
    const page = await open(browser, { ...site, url: site.url, key: site.token }, '', { colorScheme, viewport });
    for (const path of ['', 'volunteers', 'subjects/90000003', 'subjects/91000001', 'confusion?filter=n_seen+%3E%3D+8', 'live']) {
      await page.goto(site.url + path);
      await settled(page);
      if (path === 'volunteers') {
        await page.locator('section[aria-label="One by one"]').getByRole('button', { name: 'Show' }).click();
        await page.locator('section[aria-label="One by one"] tbody tr').first().waitFor();
      }
      await page.evaluate(() => document.querySelectorAll('details').forEach((one) => (one.open = true)));
      await page.waitForTimeout(150);
      await page.evaluate(AXE);
      const found = await page.evaluate(() => axe.run(document, { resultTypes: ['violations'] }));
      said.push(...found.violations.map((v) => `${path} ${colorScheme}: ${v.id}: ${v.help}: ${v.nodes.slice(0, 3).map((n) => n.html.slice(0, 160)).join(' | ')}`));
      const [wide, screen] = await page.evaluate(() => [document.documentElement.scrollWidth, innerWidth]);
      if (wide > screen) said.push(`${path} ${colorScheme}: ${wide} px wide on ${screen}`);
    }
    assert.deepEqual(page.faults, []);
    await page.context().close();
  }
  assert.deepEqual(said, []);
});
