// What a link, a key and a long list do: the address holds what triage shows, each thing stands there once, a filter of
// one's own is left alone, what cannot be counted is not passed off as counted, and nothing ends before its end.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { chromium, N, open, project, raiseAlerts, settled, Site } from './site.mjs';

let site;
let browser;
before(async () => {
  site = await Site.start(project, ['--answer', 'real']);
  browser = await chromium();
});
after(async () => {
  await browser?.close();
  await site?.end();
});

const filtered = (...filters) => filters.map((filter) => `filter=${encodeURIComponent(filter)}`).join('&');
const chips = (page) => page.locator('.chips code').allTextContents();
const selected = (page, n) => page.waitForFunction((n) => document.querySelector('[data-selected]')?.getAttribute('data-selected') === String(n), n);
const parameter = (page, name) => page.evaluate((name) => new URLSearchParams(location.search).get(name), name);

test('what triage shows stands in the address, comes back with a link, and is undone', async () => {
  const page = await open(browser, site, 'anomaly');
  await settled(page);
  const titles = () => page.locator('.card').evaluateAll((all) => all.map((one) => one.title));
  const first = await titles();
  await page.getByRole('button', { name: 'next →' }).click();
  await page.waitForFunction(() => location.search.includes('from=25'));
  await page.waitForFunction((t) => document.querySelector('.card')?.title !== t, first[0]);
  const second = await titles();
  // A filter leads to its first page: the second one of another question would be empty.
  await page.locator('#filter').fill("subject_id in ('g20', 'g21', 'g22')");
  await page.keyboard.press('Enter');
  await page.waitForFunction(() => document.querySelectorAll('.card').length === 3);
  assert.equal(await parameter(page, 'from'), null);
  await page.keyboard.press('Escape');
  await page.keyboard.press('z');
  await page.waitForFunction((t) => document.querySelector('.card')?.title === t, second[0]);
  await page.locator('select').filter({ hasText: 'at random' }).selectOption('random');
  await page.getByLabel('seed').fill('5');
  await page.getByLabel('seed').press('Enter');
  await page.getByLabel('beside').selectOption('n_seen');
  await page.getByLabel('without a label first').check();
  // The slider is moved by its own keys, and one way of the hand is one step back.
  const slider = page.getByLabel('Pictures a side');
  await slider.focus();
  await page.keyboard.press('ArrowRight');
  await page.waitForFunction(() => document.querySelectorAll('.card').length === 36);
  await settled(page);
  const threshold = page.locator('section[aria-label=Threshold] input[type=range]');
  await threshold.waitFor();
  const was = Number(await threshold.inputValue());
  await threshold.focus();
  await page.keyboard.press('ArrowLeft');
  await page.keyboard.press('ArrowLeft');
  assert.equal(Number(await threshold.inputValue()), was - 2);
  await page.waitForFunction(() => location.search.includes('boundary='));
  await settled(page);
  const shown = await titles();
  const api = await site.api('/tables/subjects/rows', { sort: 'random(5)', limit: 36, columns: [], labelled_last: 'relevance' });
  assert.deepEqual(shown, api.rows.map((row) => row.subject_id));
  const other = await open(browser, site, page.url().slice(site.url.length));
  await settled(other);
  await other.waitForFunction((n) => document.querySelectorAll('.card').length === n, shown.length);
  assert.deepEqual(await other.locator('.card').evaluateAll((all) => all.map((one) => one.title)), shown);
  assert.equal(await other.getByLabel('beside').inputValue(), 'n_seen');
  assert.equal(await other.getByLabel('seed').inputValue(), '5');
  assert.ok(await other.getByLabel('without a label first').isChecked());
  await other.locator('section[aria-label=Threshold] input[type=range]').waitFor();
  assert.equal(Number(await other.locator('section[aria-label=Threshold] input[type=range]').inputValue()), was - 2);
  // A link that leads behind the end shows the end.
  await other.goto(`${site.url}anomaly?from=9000`);
  await other.waitForFunction(() => document.querySelectorAll('.card').length === 25 && location.search.includes('from=2975'));
  await page.keyboard.press('Escape');
  await page.evaluate(() => document.activeElement.blur());
  for (let n = 0; n < 3; n++) await page.keyboard.press('z');
  await page.waitForFunction(() => document.querySelectorAll('.card').length === 25);
  assert.deepEqual([...page.faults, ...other.faults], []);
  await page.context().close();
  await other.context().close();
});

test('what stands in an address twice is shown once, and what it names wrongly takes nothing else away', async () => {
  const page = await open(browser, site, `space?renderer=cpu&thumbnails=0&colour=GONE&panel=n_seen&panel=n_seen&histogram=n_seen&histogram=n_seen&tag=odd&tag=odd&${filtered('n_seen > 9', 'n_seen > 9')}`);
  await settled(page);
  assert.deepEqual(await chips(page), ['n_seen > 9']);
  await page.waitForFunction(() => document.querySelectorAll('figcaption button').length === 1);
  assert.equal(await page.locator('section.histogram').count(), 1);
  // What was chosen is not offered again.
  const add = page.getByLabel('Compare with');
  assert.equal(await add.locator('option', { hasText: /^n_seen$/ }).count(), 0);
  await add.selectOption('anomaly_score');
  await page.waitForFunction(() => document.querySelectorAll('figcaption button').length === 2);
  await page.goto(`${site.url}space?renderer=cpu&thumbnails=0&colour=GONE`);
  await selected(page, N);
  assert.ok((await page.locator('section.histogram').count()) > 2);
  await page.goto(`${site.url}anomaly?colour=GONE&beside=GONE`);
  await page.waitForFunction(() => document.querySelectorAll('.card').length === 25);
  assert.deepEqual(page.faults, []);
  await page.context().close();
});

test('the table shows what it is filtered and sorted by, and any column that is chosen', async () => {
  const columns = (await site.api('/project')).tables[0].columns.map((one) => one.name).filter((one) => one !== 'subject_id');
  const heads = () => page.locator('thead th').evaluateAll((all) => all.slice(1).map((one) => one.textContent.replace(/ [▲▼]$/, '').trim()));
  const shows = async (wanted) => {
    await page.waitForFunction((wanted) => JSON.stringify([...document.querySelectorAll('thead th')].slice(1).map((one) => one.textContent.replace(/ [▲▼]$/, '').trim())) === JSON.stringify(wanted), wanted, { timeout: 30_000 }).catch(() => {});
    assert.deepEqual(await heads(), wanted);
    await page.getByText(`${wanted.length} of ${columns.length} columns`, { exact: true }).waitFor();
  };
  const page = await open(browser, site, 'subjects');
  await settled(page);
  const first = columns.slice(0, 9);
  const [far, other] = columns.slice(9).reverse();
  assert.ok(far && other, columns.join());
  await shows(first);
  // One whose head is clicked stays where it is.
  await page.getByRole('button', { name: first[3], exact: true }).click();
  await page.waitForFunction(() => location.search.includes('sort='));
  await shows(first);
  await page.goto(`${site.url}subjects?sort=-${encodeURIComponent(far)}&${filtered(`${other} is not missing`)}`);
  await shows([far, other, ...first.slice(0, 7)]);
  const top = (await site.api('/tables/subjects/rows', { sort: `-${far}`, limit: 1, columns: [] })).rows[0].subject_id;
  await page.waitForFunction((id) => document.querySelector('tbody tr a')?.textContent === id, top);
  const box = (name) => page.getByRole('checkbox', { name, exact: true });
  await page.locator('details.columns summary').click();
  assert.ok((await box(far).isDisabled()) && (await box(far).isChecked()), 'what sorts stays');
  await box(first[0]).uncheck();
  await shows([far, other, ...first.slice(1, 7)]);
  await box(first[8]).check();
  await shows([far, other, ...first.slice(1, 7), first[8]]);
  // With a link, and step by step back.
  await page.reload();
  await shows([far, other, ...first.slice(1, 7), first[8]]);
  await page.goBack();
  await shows([far, other, ...first.slice(1, 7)]);
  await page.goBack();
  await shows([far, other, ...first.slice(0, 7)]);
  // Beside the plot as well.
  await page.goto(`${site.url}space?renderer=cpu&thumbnails=0&column=${encodeURIComponent(far)}&sort=kind`);
  await settled(page);
  await page.getByRole('tab', { name: 'Table' }).click();
  await shows(['kind', far]);
  await page.locator('details.columns summary').click();
  await box('n_seen').check();
  await shows(['kind', far, 'n_seen']);
  assert.deepEqual(page.faults, []);
  await page.context().close();
});

test('which question is looked at, and whose questions are asked, stands in the address', async () => {
  const page = await open(browser, site, 'jobs');
  // Answers of two questions, and two workflows; the rest is the server's.
  await page.route('**/api/v1/project', async (route) => {
    const response = await route.fetch();
    const json = await response.json();
    for (const column of json.tables[0].columns) if (column.name === 'consensus(ring)' || column.name === 'consensus(disk)') column.question = column.name === 'consensus(ring)' ? 'T0' : 'T1';
    await route.fulfill({ response, json });
  });
  const tree = (workflow_id, text) => ({ workflow_id, title: `Workflow ${workflow_id}`, version: '1.1', is_linked: true, first: 'T0', left_out: [], questions: [{ name: 'T0', text, form: 'single', is_marking: false, answers: [{ label: 'yes' }, { label: 'no' }] }] });
  await page.route('**/api/v1/project/questions', (route) => route.fulfill({ json: { trees: [tree('1', 'Is it round?'), tree('2', 'Is it odd?')] } }));
  await page.goto(`${site.url}confusion`);
  await settled(page);
  const kinds = (question) => page.locator(`ul.kinds[data-question="${question}"]`).waitFor();
  const questions = page.locator('section', { has: page.getByRole('heading', { name: 'Kinds of confusion' }) }).getByLabel('on');
  const names = await questions.locator('option').allTextContents();
  assert.deepEqual([...names].sort(), ['T0', 'T1']);
  await kinds(names[0]);
  await questions.selectOption(names[1]);
  await kinds(names[1]);
  assert.equal(await parameter(page, 'question'), names[1]);
  await page.reload();
  await kinds(names[1]);
  assert.equal(await questions.inputValue(), names[1]);
  await page.goBack();
  await kinds(names[0]);
  assert.equal(await questions.inputValue(), names[0]);
  await page.goForward();
  await kinds(names[1]);
  await page.goto(`${site.url}classify`);
  await page.getByText('Is it round?').waitFor();
  const workflows = page.getByLabel('questions of');
  await workflows.selectOption('2');
  await page.getByText('Is it odd?').waitFor();
  assert.equal(await parameter(page, 'workflow'), '2');
  await page.reload();
  await page.getByText('Is it odd?').waitFor();
  assert.equal(await workflows.inputValue(), '2');
  await workflows.selectOption('1');
  await page.getByText('Is it round?').waitFor();
  await page.evaluate(() => document.activeElement.blur());
  await page.keyboard.press('z');
  await page.getByText('Is it odd?').waitFor();
  assert.equal(await workflows.inputValue(), '2');
  // One that is not there asks nobody anything else.
  await page.goto(`${site.url}classify?workflow=GONE`);
  await page.getByText('Is it round?').waitFor();
  assert.equal(await workflows.inputValue(), '');
  assert.deepEqual(page.faults, []);
  await page.context().close();
});

test('a region goes with a slice to other pages, and is not kept without a word', async () => {
  const filter = 'anomaly_score > 0.3';
  const shapes = [{ op: 'add', points: [[0.1, -3], [1, -3], [1, 1], [0.1, 1]] }];
  const region = `region=${encodeURIComponent(`+${shapes[0].points.join(';')}`)}`;
  const count = async (region) => (await site.api('/tables/subjects/query', { filter, region })).n_selected;
  const [within, all] = [await count({ x: 'consensus(ring)', y: 'y', shapes }), await count()];
  assert.ok(within > 20 && within < all, `${within} of ${all}`);
  const address = `${site.url}confusion?x=${encodeURIComponent('consensus(ring)')}&y=y&${filtered(filter)}&${region}`;
  const page = await open(browser, site, 'jobs');
  await page.goto(address);
  await selected(page, within);
  await page.locator('[data-unkept]', { hasText: 'the region would be left out' }).waitFor();
  await page.getByLabel('save this one as').fill('within');
  const save = page.locator('section[aria-label="Slices that are kept"]').getByRole('button', { name: 'Save' });
  assert.ok(await save.isDisabled());
  await page.keyboard.press('Enter');
  for (const name of ['On the map', 'Look at them one by one']) {
    await page.goto(address);
    await selected(page, within);
    await page.getByRole('link', { name }).click();
    await page.waitForFunction(() => location.pathname !== '/confusion');
    await selected(page, within);
    assert.equal(await parameter(page, 'x'), 'consensus(ring)');
  }
  assert.deepEqual((await site.api('/slices')).slices, []);
  // Without it the slice is what it says, everywhere on the page, and is kept.
  await page.goto(address);
  await selected(page, within);
  await page.getByText(`showing 24 of ${within.toLocaleString('en')} subjects`).waitFor();
  await page.getByRole('button', { name: 'Remove the region' }).click();
  await selected(page, all);
  await page.getByText(`showing 24 of ${all.toLocaleString('en')} subjects`).waitFor();
  assert.equal(await page.locator('[data-unkept]').count(), 0);
  await page.getByLabel('save this one as').fill('all');
  await save.click();
  await page.locator('section[aria-label="Slices that are kept"]').getByRole('link', { name: 'all', exact: true }).waitFor();
  const { slices } = await site.api('/slices');
  assert.deepEqual(slices.map((one) => [one.name, one.filter]), [['all', filter]]);
  // The list of subjects follows, too.
  await page.goto(address.replace('confusion', 'subjects'));
  await selected(page, within);
  await page.getByRole('button', { name: 'Remove the region' }).click();
  await selected(page, all);
  assert.deepEqual(page.faults, []);
  await page.context().close();
});

test('a filter that begins as a slider’s does stays, and the slider has its own', async () => {
  const own = 'consensus(ring) between 0.3 and 0.7 or n_seen > 20';
  const page = await open(browser, site, `confusion?${filtered(own)}`);
  await settled(page);
  await page.getByRole('button', { name: 'confused: ring' }).click();
  await page.waitForFunction(() => document.querySelectorAll('.chips code').length === 2);
  assert.deepEqual(await chips(page), [own, 'consensus(ring) between 0.3 and 0.7']);
  assert.equal(await page.locator('#low-consensus\\(ring\\)').inputValue(), '0.3');
  await page.goto(`${site.url}space?renderer=cpu&thumbnails=0&histogram=n_seen&${filtered('n_seen between 6 and 9 or x > 1', 'n_seen between 6 and 20')}`);
  await settled(page);
  // An end that was not written gives way to one that lies beyond it: nobody is left, and that is counted.
  await page.getByLabel('n_seen from').fill('99');
  await page.keyboard.press('Enter');
  await selected(page, 0);
  assert.deepEqual(await chips(page), ['n_seen between 6 and 9 or x > 1', 'n_seen between 99 and 99']);
  assert.deepEqual(page.faults, []);
  await page.context().close();
});

test('what is not counted is not passed off as counted, and says why', async () => {
  const page = await open(browser, site, 'space?renderer=cpu&thumbnails=0');
  await selected(page, N);
  assert.equal(await page.locator('[data-uncounted]').count(), 0);
  await page.evaluate(() => history.pushState(null, '', '/space?renderer=cpu&thumbnails=0&filter=n_seen+%3E%3E+3'));
  await page.evaluate(() => dispatchEvent(new PopStateEvent('popstate')));
  await page.locator('[data-uncounted]').waitFor();
  assert.match(await page.locator('[data-uncounted]').textContent(), /at character 9/);
  assert.match(await page.locator('.count').textContent(), /of before/);
  // A list that is shown as it was says what is wrong too.
  await page.goto(`${site.url}anomaly`);
  await settled(page);
  await page.evaluate(() => history.pushState(null, '', '/anomaly?filter=n_seen+%3E%3E+3'));
  await page.evaluate(() => dispatchEvent(new PopStateEvent('popstate')));
  await page.locator('[data-state=stale]').waitFor();
  assert.match(await page.locator('[data-state=stale]').first().textContent(), /at character 9.*Shown is the ranking as of/s);
  await page.keyboard.press('z');
  await page.waitForFunction(() => !document.querySelector('[data-state=stale], [data-uncounted]'));
  assert.deepEqual(page.faults, []);
  await page.context().close();
});

test('a long filter is followed whole or refused, and its address is opened again', async () => {
  const page = await open(browser, site, 'space?renderer=cpu&thumbnails=0');
  await selected(page, N);
  const ids = Array.from({ length: 1_400 }, (_, i) => `'g${2 * i}'`);
  const long = `subject_id in (${ids.join(', ')})`;
  assert.ok(long.length > 8_000 && long.length < 20_000);
  await page.locator('#filter').fill(long);
  await page.keyboard.press('Enter');
  await selected(page, 1_400);
  assert.equal(new URL(page.url()).pathname, '/space');
  assert.match(new URL(page.url()).hash, /^#\?/);
  await page.reload();
  await selected(page, 1_400);
  await page.keyboard.press('i');
  await page.waitForFunction(() => !location.href.includes('thumbnails=0'));
  await page.goBack();
  await page.waitForFunction(() => location.href.includes('thumbnails=0'));
  await selected(page, 1_400);
  await page.locator('.chips button').click();
  await selected(page, N);
  assert.equal(new URL(page.url()).hash, '');
  // One that is longer than the server takes is not cut off: what it would then say is another question.
  await page.locator('#filter').fill(`${long.slice(0, -1)}, ${Array.from({ length: 2_000 }, (_, i) => `'h${i}'`).join(', ')})`);
  await page.keyboard.press('Enter');
  await page.locator('#filter-problem').waitFor();
  assert.match(await page.locator('#filter-problem').textContent(), /20000 are allowed/);
  assert.equal(await page.locator('.chips code').count(), 0);
  assert.deepEqual(page.faults, []);
  await page.context().close();
});

test('after a restart of the server an old tab asks for the key, and goes on', async () => {
  const own = await Site.start(project);
  const page = await open(browser, own, 'anomaly');
  await settled(page);
  await page.keyboard.press('4');
  await page.locator('.card mark').first().waitFor();
  const port = own.port;
  await own.kill();
  await own.serve(port);
  await page.keyboard.press('j');
  await page.keyboard.press('5');
  await page.getByText('The server does not know this key any more').waitFor();
  assert.equal(await page.locator('.card').count(), 25, 'what was shown stays');
  await page.locator('input[type=password]').fill('volary_wrong');
  await page.keyboard.press('Enter');
  await page.waitForTimeout(200);
  assert.equal(await page.locator('form.key').count(), 1);
  await page.locator('input[type=password]').fill(own.key);
  await page.keyboard.press('Enter');
  await page.locator('form.key').waitFor({ state: 'detached' });
  await settled(page);
  await page.evaluate(() => document.activeElement?.blur());
  await page.keyboard.press('3');
  await page.waitForFunction(() => [...document.querySelectorAll('.card mark')].some((one) => one.textContent === '3'));
  // And what was given before the page was loaded anew can be taken back, one after the other.
  const again = await open(browser, own, 'anomaly');
  await settled(again);
  await again.waitForFunction(() => document.querySelectorAll('.card mark').length === 2);
  await again.keyboard.press('Backspace');
  await again.waitForFunction(() => document.querySelectorAll('.card mark').length === 1);
  assert.deepEqual((await own.api('/labels')).labels.map((label) => label.value), ['4']);
  assert.deepEqual([...page.faults, ...again.faults], []);
  await again.context().close();
  await page.context().close();
  await own.end();
});

test('a key that only reads is told so before it tries', async () => {
  assert.ok(site.record('token', 'make', 'screen', '--role', 'read', '--tokens', 'tokens.toml', '-o', 'screen.token'));
  const key = readFileSync(join(site.folder, 'screen.token'), 'utf8').trim();
  const page = await open(browser, { ...site, url: site.url, key }, 'anomaly');
  await settled(page);
  await page.locator('[data-mute]').waitFor();
  assert.match(await page.locator('[data-mute]').textContent(), /only reads.*volary token make/);
  assert.ok(await page.getByRole('button', { name: 'relevance 4' }).isDisabled());
  assert.ok(await page.getByRole('button', { name: 'Tag', exact: true }).isDisabled());
  await page.keyboard.press('5');
  await page.getByText('this key only reads').nth(1).waitFor();
  await page.goto(`${site.url}classify`);
  await settled(page);
  await page.locator('[data-mute]').waitFor();
  assert.ok(await page.getByRole('button', { name: 'unsure' }).isDisabled());
  assert.deepEqual((await site.api('/labels')).labels, []);
  assert.deepEqual(page.faults, []);
  await page.context().close();
});

test('a mistyped address is the page’s to answer', async () => {
  const page = await open(browser, site, '');
  for (const path of ['nonsense', 'subjects/a/b']) {
    const answer = await page.goto(site.url + path);
    assert.equal(answer.status(), 404, path);
    await page.getByRole('heading', { name: 'There is no such page' }).waitFor();
  }
  await page.locator('main').getByRole('link', { name: 'Overview' }).click();
  await page.locator('h1', { hasText: 'sky' }).waitFor();
  const bias = page.locator('section[aria-label="Where the crowd is wrong"]');
  await bias.waitFor();
  assert.match(await bias.locator('tbody tr', { hasText: 'sensor' }).textContent(), /3 of 9.*too few/s);
  await page.context().close();
});

test('a tag is taken back, and is one tag', async () => {
  const page = await open(browser, site, 'subjects/g30');
  await settled(page);
  const mine = page.locator('ul[aria-label="My tags"] li');
  for (const tag of ['Faint', 'round']) {
    await page.keyboard.press('t');
    await page.keyboard.type(tag);
    await page.keyboard.press('Enter');
    await mine.filter({ hasText: tag.toLowerCase() }).waitFor();
  }
  await page.keyboard.press('t');
  await page.keyboard.type('odd;ring');
  await page.keyboard.press('Enter');
  await page.getByText('give them one by one').waitFor();
  await page.keyboard.press('Escape');
  await page.getByRole('button', { name: 'Take the tag faint back' }).click();
  await page.waitForFunction(() => document.querySelectorAll('ul[aria-label="My tags"] li').length === 1);
  assert.deepEqual((await site.api('/project/subjects/g30')).tags, ['round']);
  await page.reload();
  await mine.waitFor();
  assert.match(await mine.textContent(), /#round/);
  // Beside the plot, where it was given.
  await page.goto(`${site.url}space?renderer=cpu&thumbnails=0&focus=g30`);
  await settled(page);
  await page.getByRole('tab', { name: 'Subject' }).click();
  await mine.filter({ hasText: 'round' }).waitFor();
  await page.keyboard.press('t');
  await page.keyboard.type('here');
  await page.keyboard.press('Enter');
  await page.getByRole('button', { name: 'Take the tag here back' }).click();
  await page.waitForFunction(() => document.querySelectorAll('ul[aria-label="My tags"] li').length === 1);
  // On the cards of triage too; those of others cannot be taken back.
  await page.goto(`${site.url}anomaly?${filtered("subject_id = 'g30'")}`);
  await page.getByRole('button', { name: 'Take the tag round back' }).click();
  await page.waitForFunction(() => !document.querySelector('ul[aria-label="My tags"]'));
  await page.goto(`${site.url}subjects/g3`);
  await page.locator('.tags .tag', { hasText: '#ring' }).waitFor();
  assert.equal(await page.getByRole('button', { name: /Take the tag/ }).count(), 0);
  assert.deepEqual(page.faults, []);
  await page.context().close();
});

test('the queue goes on behind its first part, and says how much is open', async () => {
  const page = await open(browser, site, 'jobs');
  const me = 'page';
  const labels = Array.from({ length: 1_010 }, (_, i) => ({ id: `l${i}`, subject_id: `g${i}`, question: 'class', value: 'ring', by: me, at: '2027-01-01T00:00:00Z' })).filter((label) => label.subject_id !== 'g7');
  await page.route('**/api/v1/labels', (route) => (route.request().method() === 'GET' ? route.fulfill({ json: { labels, n_log: labels.length, me } }) : route.continue()));
  await page.goto(`${site.url}classify`);
  // Two parts of 500 have a label each, and of the third ten have one; g7 has another name.
  await page.locator('h2.mono').waitFor();
  await page.waitForFunction(() => /showing 1,500 of 3,000/.test(document.querySelector('[data-state=partial]')?.textContent ?? ''));
  await page.keyboard.press('j');
  await page.waitForFunction(() => document.querySelector('h2.mono')?.textContent === 'g1010');
  assert.match(await page.locator('[data-open]').textContent(), /1,009 labelled, 1,991 open/);
  assert.equal(await page.getByText('Everything here is labelled').count(), 0);
  assert.deepEqual(page.faults, []);
  await page.context().close();
});

test('the table goes on behind its first thousand rows', async () => {
  const page = await open(browser, site, 'space?renderer=cpu&thumbnails=0');
  await settled(page);
  await page.keyboard.press('v');
  const rows = (n) => page.waitForFunction((n) => document.querySelectorAll('.dock tbody tr').length === n, n);
  await rows(50);
  for (const n of [250, 450, 650, 850, 1_000]) {
    await page.getByRole('button', { name: /Show more of/ }).click();
    await rows(n);
  }
  await page.getByRole('button', { name: '1,000 next →' }).click();
  await page.getByText('from row 1,001 on').waitFor();
  await page.getByRole('button', { name: '1,000 next →' }).click();
  await page.getByText('from row 2,001 on').waitFor();
  const last = (await site.api('/tables/subjects/rows', { offset: N - 1, limit: 1, columns: [] })).rows[0].subject_id;
  assert.equal(await page.locator('.dock tbody tr').last().locator('a').textContent(), last);
  // Another order begins at its beginning.
  await page.locator('.dock thead button').first().click();
  await page.getByText('from row').waitFor({ state: 'detached' });
  await page.getByText('showing 1,000 of 3,000 rows').waitFor();
  assert.deepEqual(page.faults, []);
  await page.context().close();
});

test('all alerts can be reached, the newest first', async () => {
  await raiseAlerts(site);
  const page = await open(browser, site, 'live');
  await page.locator('ol li').first().waitFor();
  const numbers = () => page.locator('ol .pick').evaluateAll((all) => all.map((one) => Number(one.textContent.slice(2))));
  await page.waitForFunction(() => document.querySelectorAll('ol .pick').length === 200);
  const first = await numbers();
  assert.deepEqual(first, Array.from({ length: 200 }, (_, i) => 210 - i));
  assert.match(await page.locator('[data-state=partial]').textContent(), /showing 200 of 210 alerts, the newest first/);
  await page.getByRole('button', { name: '10 older ones' }).click();
  await page.waitForFunction(() => document.querySelectorAll('ol .pick').length === 210);
  assert.equal((await numbers()).at(-1), 1);
  assert.equal(await page.getByRole('button', { name: /older ones/ }).count(), 0);
  assert.deepEqual(page.faults, []);
  await page.context().close();
});
