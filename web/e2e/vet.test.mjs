// Vetting on the demo project: the workflow's questions one after the other, the next pictures there before they are
// wanted, what is known told after the last answer and to nobody before; and neighbours among the retired and tagged.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { chromium, open, settled, Site, VOLARY } from './site.mjs';

const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
let site;
let browser;
before(async () => {
  site = await Site.start((folder) => execFileSync(VOLARY, ['demo', '.', '--subjects', '90', '--volunteers', '60'], { cwd: folder, stdio: 'ignore' }));
  browser = await chromium();
});
after(async () => {
  await browser?.close();
  await site?.end();
});

const rowsOf = (name) => {
  const [head, ...rows] = readFileSync(join(site.folder, name), 'utf8').trim().split('\n').map((line) => line.split(','));
  return rows.map((row) => Object.fromEntries(head.map((column, i) => [column, row[i]])));
};
const only = (...ids) => `classify?filter=${encodeURIComponent(`subject_id in (${ids.map((id) => `'${id}'`).join(', ')})`)}`;
const question = (page, name) => page.locator(`[data-question="${name}"]`).waitFor();
const card = (page, id) => page.waitForFunction((id) => document.querySelector('h2.mono')?.textContent === id, id);
const labels = async (subject) => (await site.api('/labels')).labels.filter((one) => one.subject_id === subject).map((one) => [one.question, one.value]);
/** Answers of the server to labels, as they come. */
function answers(page) {
  const heard = [];
  page.on('response', (response) => {
    if (response.request().method() === 'POST' && response.url().endsWith('/api/v1/labels')) heard.push(response.json());
  });
  // The page may show what it was told before it is heard here.
  return async (isAll) => {
    let all = await Promise.all(heard);
    for (let n = 0; n < 500 && !isAll(all); n++) {
      await page.waitForTimeout(20);
      all = await Promise.all(heard);
    }
    return all;
  };
}

test('the whole image is within its frame: under Vet, on the page of a subject, over everything', async () => {
  for (const viewport of [{ width: 1280, height: 800 }, { width: 1366, height: 768 }]) {
    const page = await open(browser, site, only('90000001'), { viewport });
    const within = async (where) => {
      await page.locator(`${where}.frame canvas`).waitFor();
      const [frame, canvas] = await page.evaluate((where) => ['.frame', '.frame canvas'].map((one) => document.querySelector(where + one).getBoundingClientRect().toJSON()), where);
      assert.ok(frame.height > 100 && canvas.height <= frame.height + 0.5 && canvas.top >= frame.top - 0.5 && canvas.bottom <= frame.bottom + 0.5, `${where} ${viewport.width}: ${JSON.stringify([frame, canvas])}`);
      assert.ok(canvas.width <= frame.width + 0.5, `${where} ${viewport.width}`);
      // And all of it is shown there, as large as there is room.
      const shown = await page.evaluate((where) => getComputedStyle(document.querySelector(`${where}.frame canvas`)).objectFit, where);
      assert.equal(shown, 'contain');
      assert.ok(canvas.height > frame.height - 1);
    };
    await within('section.panel ');
    await page.keyboard.press('Space');
    await within('dialog ');
    const [dialog, screen] = await page.evaluate(() => [document.querySelector('dialog').getBoundingClientRect().bottom, innerHeight]);
    assert.ok(dialog <= screen, `${dialog} of ${screen}`);
    await page.keyboard.press('Space');
    await page.goto(`${site.url}subjects/90000001`);
    await within('section.panel ');
    assert.deepEqual(page.faults, []);
    await page.context().close();
  }
});

test('each answer leads to its question, and what is known comes after the last', async () => {
  const [first, second] = ['90000001', '90000002'];
  const page = await open(browser, site, only(first, second));
  const heard = answers(page);
  await settled(page);
  await card(page, first);
  await question(page, 'T0');
  assert.match(await page.locator('[data-question=T0]').textContent(), /smooth, or does it show features/);
  await page.keyboard.press('2');
  await question(page, 'w101.T1');
  assert.match(await page.locator('ol[aria-label="Answered so far"]').textContent(), /Features or disk/);
  const known = () => site.api(`/project/subjects/${first}/known`);
  assert.deepEqual(await known(), { is_answered: false });
  // Several answers: ticks, by key and by hand, and then Enter.
  await page.keyboard.press('1');
  await page.getByLabel('Tidal tail').check();
  await page.keyboard.press('3');
  await page.keyboard.press('3');
  await page.keyboard.press('Enter');
  await question(page, 'T2');
  await page.getByText('Nobody marks here').waitFor();
  assert.equal(await page.locator('[data-gold]').count(), 0);
  const two = await heard((all) => all.length >= 2);
  assert.ok(two.length === 2 && two.every((one) => one.gold === undefined), JSON.stringify(two));
  // The last answer is taken back, and given anew after the page was closed.
  await page.keyboard.press('Backspace');
  await question(page, 'w101.T1');
  await page.reload();
  await settled(page);
  await question(page, 'w101.T1');
  await card(page, first);
  // What was given before the page was closed is taken back too.
  await page.keyboard.press('Backspace');
  await question(page, 'T0');
  await page.keyboard.press('2');
  await question(page, 'w101.T1');
  await page.keyboard.press('0');
  await question(page, 'T2');
  await page.getByRole('button', { name: 'nothing to mark' }).click();
  await card(page, second);
  await question(page, 'T0');
  const truth = rowsOf('truth.csv').find((row) => row.subject_id === first);
  const gold = page.locator(`[data-gold="${first}"]`);
  assert.match(await gold.textContent(), new RegExp(`Known to be .*${truth.T0}.*\\(T0\\)`, 's'));
  assert.deepEqual(await labels(first), [['T0', 'Features or disk'], ['T2', 'nothing'], ['w101.T1', 'none']]);
  assert.equal((await heard((all) => all.at(-1)?.gold)).at(-1).gold.T0, truth.T0);
  assert.equal((await known()).gold.T0, truth.T0);
  // What is unsure ends what is asked; the last subject's truth is told too.
  await page.keyboard.press('u');
  await page.getByText('Everything here is labelled').waitFor();
  await page.locator(`[data-gold="${second}"]`).waitFor();
  // How far readers agree is asked question by question.
  assert.deepEqual(page.faults, []);
  await page.context().close();
});

test('the kinds of confusion are those of the command line, question by question', async () => {
  const page = await open(browser, site, 'confusion');
  await settled(page);
  const { summary } = site.record('slice', 'consensus/consensus.parquet', 'subject_id is not missing');
  const n = async (kind) => Number((await page.locator(`[data-kind="${kind}"]`).textContent()).replaceAll(',', ''));
  assert.ok(summary.questions.length > 1);
  const choice = page.getByRole('combobox', { name: 'on', exact: true });
  let said;
  let nConfused = 0;
  for (const one of summary.questions) {
    await choice.selectOption(one.question);
    await page.locator(`.kinds[data-question="${one.question}"]`).waitFor();
    said = { clear: await n('Clear'), ambiguous: await n('Ambiguous'), confused: await n('Confused') };
    assert.deepEqual(said, { clear: one.n_clear, ambiguous: one.n_ambiguous, confused: one.n_confused }, one.question);
    assert.ok(said.clear > 0 && said.ambiguous > 0, one.question);
    nConfused += said.confused;
  }
  assert.ok(nConfused > 0);
  // Not all answers have a slider at once, and that is said.
  const classes = (await site.api('/project')).tables[0].columns.filter((c) => c.kind === 'number' && c.name.startsWith('consensus('));
  assert.ok(classes.length > 8);
  await page.getByText(`showing 8 of ${classes.length} answers`).waitFor();
  await page.getByRole('button', { name: 'All', exact: true }).click();
  await page.waitForFunction((n) => document.querySelectorAll('.matrix th[scope=row]').length === n, classes.length);
  assert.equal(await page.locator('fieldset .ends').count(), classes.length);
  // The filter of a kind counts what its number says.
  await page.getByRole('button', { name: 'Clear', exact: true }).click();
  await page.waitForFunction((n) => document.querySelector('[data-selected]')?.getAttribute('data-selected') === String(n), said.clear);
  assert.deepEqual(page.faults, []);
  await page.context().close();
});

test('the pictures of the next five are there before they are wanted', async () => {
  const ids = Array.from({ length: 9 }, (_, i) => `900000${10 + i}`);
  const page = await open(browser, site, '');
  const asked = [];
  page.on('request', (request) => {
    const found = /subjects\/(\d+)\/image$/.exec(new URL(request.url()).pathname);
    if (found) asked.push(found[1]);
  });
  await page.goto(site.url + only(...ids));
  await card(page, ids[0]);
  const fetched = (n) => page.waitForFunction((n) => performance.getEntriesByType('resource').filter((one) => /\/image$/.test(one.name) && one.responseEnd > 0).length >= n, n);
  await fetched(6);
  await page.waitForTimeout(200);
  assert.deepEqual(asked, ids.slice(0, 6), 'the one that is looked at first, and five more');
  // Without a server the next card has its picture all the same.
  await page.route('**/image', (route) => route.abort());
  await page.keyboard.press('j');
  await card(page, ids[1]);
  await page.waitForFunction(() => {
    const canvas = document.querySelector('.frame canvas');
    return canvas && canvas.width > 1 && canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data.some((v, i) => i % 4 < 3 && v > 0);
  });
  await page.unroute('**/image');
  assert.equal(asked.filter((id) => id === ids[1]).length, 1, 'nothing is asked twice');
  assert.deepEqual(page.faults, []);
  await page.context().close();
});

test('an injected signal is shown to who has answered, and to nobody else', async () => {
  const dip = rowsOf('dips.csv')[0];
  const id = dip.subject_id;
  const page = await open(browser, site, `subjects/${id}`);
  const heard = answers(page);
  await settled(page);
  assert.equal(await page.locator('[data-known], [data-signals]').count(), 0);
  // In the table of light curves too, which has no votes, the questions are those of their workflow.
  await page.goto(`${site.url}classify?table=light_curves`);
  await question(page, 'w102.T0');
  await page.getByLabel('questions of').selectOption({ label: 'Odd galaxies' });
  await question(page, 'T0');
  await page.goto(site.url + only(id));
  await settled(page);
  await question(page, 'w102.T0');
  await page.keyboard.press('1');
  await question(page, 'w102.T1');
  assert.equal(await page.locator('[data-signals]').count(), 0);
  await page.keyboard.press('3');
  const told = page.locator('[data-signals="1"]');
  await told.waitFor();
  const two = await heard((all) => all.length >= 2);
  assert.deepEqual(two.map((one) => one.signals?.length ?? 0), [0, 1]);
  assert.ok(Math.abs(two[1].signals[0].from_days - Number(dip.xmin)) < 1e-9);
  await told.getByRole('link').click();
  await page.locator(`[data-known="${id}"]`).waitFor();
  await page.locator('.known[data-signals="1"]').waitFor();
  // Somebody else has not answered.
  const other = await open(browser, { ...site, url: site.url, key: site.token }, `subjects/${id}`);
  await settled(other);
  await other.waitForTimeout(200);
  assert.equal(await other.locator('[data-known], [data-signals]').count(), 0);
  // Nor do the tables tell which are known.
  const rows = JSON.stringify((await site.api('/project')).tables);
  assert.ok(!/"simulation"|"xmin"/.test(rows), rows);
  assert.deepEqual([...page.faults, ...other.faults], []);
  await page.context().close();
  await other.context().close();
});

test('neighbours are looked for among the retired and among the tagged', async () => {
  const id = '90000005';
  for (const [n, subject] of ['90000011', '90000012', '90000013'].entries()) await site.api('/labels', { id: `tag-${n}`, subject_id: subject, question: 'tag:two rings', value: 'yes' });
  const page = await open(browser, site, `subjects/${id}`);
  await settled(page);
  const shown = () => page.locator('.near li a').evaluateAll((all) => all.map((one) => one.title));
  const asks = async (filter) => (await site.api(`/tables/subjects/neighbours?subject_id=${id}&k=18${filter ? `&filter=${encodeURIComponent(filter)}` : ''}`)).neighbours.map((one) => one.subject_id);
  await page.waitForFunction(() => document.querySelectorAll('.near li').length === 18);
  assert.deepEqual(await shown(), await asks(''));
  const among = page.getByLabel('Neighbours among');
  const changed = async (filter) => {
    const wanted = await asks(filter);
    await page.waitForFunction((ids) => [...document.querySelectorAll('.near li a')].map((one) => one.title).join() === ids, wanted.join());
    return wanted;
  };
  await among.selectOption({ label: 'not retired' });
  const open_ = await changed('retirement_reason is missing');
  assert.match(decodeURIComponent(new URL(page.url()).search), /filter=retirement_reason\+is\+missing/);
  // The command line counts the same with the export's own table.
  const { summary } = site.record('slice', 'consensus/consensus.parquet', '--with', 'extracts/subjects.parquet', 'retirement_reason is not missing');
  assert.equal((await site.api('/tables/subjects/query', { filter: 'retirement_reason is not missing' })).n_selected, summary.n_selected);
  assert.ok(summary.n_selected > 0 && open_.length > 0);
  await page.goBack();
  await changed('');
  await among.selectOption({ label: 'tagged two rings' });
  const tagged = await changed("tags has 'two rings'");
  assert.deepEqual([...tagged].sort(), ['90000011', '90000012', '90000013']);
  // The filter goes with the link to a neighbour, and a link to it shows the same.
  await page.locator('.near li a').first().click();
  await page.waitForFunction((id) => location.pathname === `/subjects/${id}` && location.search.includes('tags'), tagged[0]);
  await page.reload();
  await page.waitForFunction(() => document.querySelectorAll('.near li').length === 2);
  // One's own, and one that is none.
  await page.getByLabel('A filter of your own').fill('forest > 0.5');
  await page.keyboard.press('Enter');
  await page.waitForFunction(() => document.querySelectorAll('ul[aria-label="Only these"] li').length === 2);
  await page.getByLabel('A filter of your own').fill('forest >');
  await page.keyboard.press('Enter');
  await page.getByText('The filter cannot be followed').waitFor();
  await page.getByRole('button', { name: 'Remove the filter forest >', exact: true }).click();
  await page.waitForFunction(() => !document.querySelector('[data-state=stale], [data-state=error]'));
  assert.deepEqual(page.faults, []);
  await page.context().close();
});

test('axe finds nothing on the questions and the panels, and nothing is wider than the screen', async () => {
  const said = [];
  for (const [colorScheme, viewport] of [['dark', { width: 1280, height: 800 }], ['light', { width: 1280, height: 800 }], ['dark', { width: 390, height: 844 }], ['light', { width: 390, height: 844 }]]) {
    const id = `900000${30 + said.length}`;
    const page = await open(browser, site, only(id, '90000050'), { colorScheme, viewport });
    await settled(page);
    const look = async (what) => {
      await page.waitForTimeout(150);
      await page.evaluate(AXE);
      const found = await page.evaluate(() => axe.run(document, { resultTypes: ['violations'] }));
      const [wide, screen] = await page.evaluate(() => [document.documentElement.scrollWidth, innerWidth]);
      if (wide > screen) said.push(`${what}: ${wide} px wide on ${screen}`);
      said.push(...found.violations.map((v) => `${what} ${colorScheme}: ${v.id}: ${v.help}: ${v.nodes.slice(0, 3).map((n) => n.html.slice(0, 160)).join(' | ')}`));
      if (process.env.SHOTS) await page.screenshot({ path: `${process.env.SHOTS}/${what}-${colorScheme}-${viewport.width}.png`, fullPage: true });
    };
    await question(page, 'T0');
    await look('single');
    await page.keyboard.press('1');
    await question(page, 'w101.T1');
    await page.keyboard.press('2');
    await look('several');
    await page.keyboard.press('Enter');
    await question(page, 'T2');
    await page.keyboard.press('1');
    await page.locator(`[data-gold="${id}"]`).waitFor();
    await look('known');
    // The labels are taken back, so that the next finds the same.
    for (const name of ['T2', 'w101.T1', 'T0']) {
      await page.keyboard.press('Backspace');
      await question(page, name);
    }
    await page.goto(`${site.url}subjects/${rowsOf('dips.csv')[0].subject_id}`);
    await settled(page);
    await look('curve');
    await page.goto(`${site.url}subjects/90000005?filter=${encodeURIComponent('retirement_reason is not missing')}`);
    await settled(page);
    await look('neighbours');
    assert.deepEqual(page.faults, []);
    await page.context().close();
  }
  assert.deepEqual(said, []);
});
