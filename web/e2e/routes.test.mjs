// Every route: axe, every shortcut, the keyboard alone, labels that outlive the server, alerts as they come.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { after, before, test } from 'node:test';
import { chromium, open, project, raiseAlerts, ROUTES, settled, Site, WAIT_MS } from './site.mjs';

const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
let site;
let browser;
before(async () => {
  site = await Site.start(project, ['--answer', 'real']);
  browser = await chromium();
  await raiseAlerts(site);
});
after(async () => {
  await browser?.close();
  await site?.end();
});

test('axe finds nothing, in both themes and on a narrow screen', async () => {
  const said = [];
  for (const [colorScheme, viewport] of [['dark', { width: 1280, height: 800 }], ['light', { width: 390, height: 844 }]]) {
    const page = await open(browser, site, '', { colorScheme, viewport });
    for (const path of ['', 'space?colour=kind&filter=n_seen+%3E+5', 'subjects', 'subjects/g5', 'confusion', 'anomaly', 'live', 'volunteers', 'classify', 'jobs', 'help']) {
      await page.goto(site.url + path);
      await settled(page);
      await page.waitForTimeout(150);
      await page.evaluate(AXE);
      const found = await page.evaluate(() => axe.run(document, { resultTypes: ['violations'] }));
      said.push(...found.violations.map((v) => `${path} ${colorScheme}: ${v.id}: ${v.help}: ${v.nodes.slice(0, 3).map((n) => n.html.slice(0, 160)).join(' | ')}`));
    }
    await page.context().close();
  }
  assert.deepEqual(said, []);
});

test('every shortcut is listed and works', async () => {
  const page = await open(browser, site, '');
  const pressed = async (keys) => {
    for (const key of keys.split(' ')) await page.keyboard.press(key);
  };
  await settled(page);
  // Go: each of the pages.
  for (const [key, path] of [['s', '/space'], ['u', '/subjects'], ['c', '/confusion'], ['a', '/anomaly'], ['l', '/live'], ['v', '/volunteers'], ['e', '/classify'], ['j', '/jobs'], ['h', '/help'], ['o', '/']]) {
    await pressed(`g ${key}`);
    await page.waitForFunction((p) => location.pathname === p, path);
  }
  await pressed('/');
  await page.waitForFunction(() => document.activeElement.id === 'search');
  await page.keyboard.type('g5');
  await page.keyboard.press('Enter');
  await page.waitForFunction(() => location.pathname === '/subjects/g5');
  await settled(page);
  await pressed('j');
  await page.waitForFunction(() => location.pathname === '/subjects/g6');
  await settled(page);
  await pressed('k');
  await page.waitForFunction(() => location.pathname === '/subjects/g5');
  await settled(page);
  await pressed('Shift+m');
  await page.waitForFunction(() => location.pathname === '/space' && location.search.includes('focus=g5'));
  await settled(page);
  const theme = await page.evaluate(() => document.documentElement.dataset.theme);
  await pressed('Shift+d');
  assert.notEqual(await page.evaluate(() => document.documentElement.dataset.theme), theme);
  // Everywhere: each key of the list does something, and none makes an error.
  for (const path of ROUTES) {
    await page.goto(site.url + path);
    await settled(page);
    await page.keyboard.press('?');
    const listed = await page.locator('dialog dt').evaluateAll((all) => all.map((dt) => [...dt.querySelectorAll('kbd')].map((k) => k.textContent).join(' ')));
    assert.ok(listed.length >= 16, `${path}: ${listed.length}`);
    await page.keyboard.press('Escape');
    await page.locator('dialog').waitFor({ state: 'detached' });
    for (const keys of listed.filter((k) => !k.startsWith('g ') && !['Enter', 'Shift+m', 'j', 'k'].includes(k))) {
      await pressed(keys);
      await page.evaluate(() => document.activeElement?.blur?.());
      if (await page.locator('dialog').count()) await page.keyboard.press('Escape');
      assert.deepEqual(page.faults, [], `${path}: ${keys}`);
    }
  }
  // Switched off, they do nothing.
  await page.goto(`${site.url}help`);
  await settled(page);
  await page.keyboard.press('?');
  await page.locator('dialog input[type=checkbox]').click();
  await page.locator('dialog button').click();
  await pressed('g s');
  await page.waitForTimeout(200);
  assert.equal(new URL(page.url()).pathname, '/help');
  assert.deepEqual(page.faults, []);
  await page.context().close();
});

test('keys that do something do what they say', async () => {
  const page = await open(browser, site, 'space?renderer=cpu&thumbnails=0');
  await settled(page);
  const tool = () => page.locator('.plot').first().getAttribute('class');
  for (const [key, name] of [['l', 'lasso'], ['r', 'rectangle'], ['b', 'brush']]) {
    await page.keyboard.press(key);
    assert.match(await tool(), new RegExp(`tool-${name}`));
  }
  await page.keyboard.press('Escape');
  assert.match(await tool(), /tool-move/);
  await page.keyboard.press('c');
  assert.equal(await page.evaluate(() => document.activeElement.tagName), 'SELECT');
  await page.evaluate(() => document.activeElement.blur());
  for (const key of ['+', '-', 'ArrowLeft', 'ArrowUp']) {
    const before = page.url();
    await page.keyboard.press(key);
    await page.waitForFunction((b) => location.href !== b, before);
  }
  await page.keyboard.press('i');
  await page.waitForFunction(() => !location.search.includes('thumbnails=0'));
  await page.keyboard.press('v');
  await page.locator('.dock table').waitFor();
  await page.keyboard.press('f');
  assert.equal(await page.evaluate(() => document.activeElement.id), 'filter');
  await page.goto(`${site.url}anomaly`);
  await settled(page);
  const slider = page.locator('section[aria-label=Threshold] input[type=range]');
  await slider.waitFor();
  const at = Number(await slider.inputValue());
  await page.keyboard.press(']');
  await page.keyboard.press(']');
  await page.keyboard.press('[');
  assert.equal(Number(await slider.inputValue()), at + 1);
  const shown = Number(await page.locator('[data-measure=precision]').getAttribute('data-value'));
  const column = (await site.api('/project')).tables[0].columns.find((c) => c.name === 'anomaly_score');
  const threshold = column.low + ((column.high - column.low) * (at + 2)) / 20;
  const api = await site.api('/tables/subjects/boundary', { quantity: 'anomaly_score', thresholds: [threshold] });
  assert.ok(Math.abs(shown - api.rows[0].precision.value) < 1e-12, `${shown} ${api.rows[0].precision.value}`);
  assert.deepEqual(page.faults, []);
  await page.context().close();
});

test('with the keyboard alone a filter is written and a subject opened', async () => {
  const page = await open(browser, site, 'space?renderer=cpu&thumbnails=0');
  await settled(page);
  await page.keyboard.press('f');
  await page.keyboard.type("kind = 'ring' and anomaly_score > 0.55");
  await page.keyboard.press('Enter');
  await page.locator('.chips code').waitFor();
  await page.keyboard.press('Escape');
  await page.keyboard.press('v');
  await page.locator('.dock tbody a').first().waitFor();
  for (let i = 0; i < 80; i++) {
    await page.keyboard.press('Tab');
    if (await page.evaluate(() => document.activeElement.closest('.dock tbody') !== null && document.activeElement.tagName === 'A')) break;
  }
  await page.keyboard.press('Enter');
  await page.waitForFunction(() => location.pathname.startsWith('/subjects/g'));
  await page.context().close();
});

test('a label that was acknowledged outlives the server', async () => {
  const own = await Site.start(project);
  const page = await open(browser, own, 'anomaly');
  await settled(page);
  const first = await page.locator('.card').first().getAttribute('title');
  await page.keyboard.press('5');
  await page.locator('.card mark').first().waitFor();
  await page.keyboard.press('x');
  await page.waitForFunction(() => document.querySelectorAll('.card mark').length === 2);
  await page.keyboard.press('Backspace');
  await page.waitForFunction(() => document.querySelectorAll('.card mark').length === 1);
  await own.kill();
  // The server is gone: the card stays where it is, and says so.
  await page.keyboard.press('3');
  await page.getByText('The label was not written').waitFor();
  assert.equal(await page.locator('.card mark').count(), 1);
  await own.serve();
  const held = (await own.api('/labels')).labels;
  assert.deepEqual(held.map((l) => [l.subject_id, l.value]), [[first, '5']]);
  await page.context().close();
  await own.end();
});

test('alerts come as they are raised, wait behind a button, and are acted on', async () => {
  const page = await open(browser, site, 'live');
  await page.locator('ol li').first().waitFor();
  const top = await page.locator('ol strong').first().textContent();
  await page.waitForFunction(() => document.querySelector('.dot.on'));
  const votes = Array.from({ length: 8 }, (_, n) => ({ source: 'e2e', id: `late-${n}`, at_ms: 1_700_000_500_000, kind: 'vote', workflow: '1', version: '1.1', subject: '<u>late</u>', actor: { user: `9${n}` }, answers: { T0: ['real'] } }));
  await site.api('/classifications', votes);
  await page.getByRole('button', { name: '1 new' }).waitFor();
  assert.equal(await page.locator('ol strong').first().textContent(), top, 'nothing moves by itself');
  await page.keyboard.press('.');
  await page.waitForFunction(() => document.querySelector('ol strong')?.textContent === '<u>late</u>');
  await page.keyboard.press('1');
  await page.getByText(/alert \d+: claim/).waitFor();
  assert.deepEqual(page.faults, []);
  await page.context().close();
});

test('an action and its note go to the alert that was chosen, whatever comes meanwhile', async () => {
  const page = await open(browser, site, 'live');
  await page.locator('ol li').nth(3).waitFor();
  await page.waitForFunction(() => document.querySelector('.dot.on'));
  const raise = (subject) => site.api('/classifications', Array.from({ length: 8 }, (_, n) => ({ source: 'e2e', id: `${subject}-${n}`, at_ms: 1_700_000_700_000, kind: 'vote', workflow: '1', version: '1.1', subject, actor: { user: `${subject}-${n}` }, answers: { T0: ['real'] } })));
  const titles = () => page.locator('ol li .pick').evaluateAll((all) => all.map((one) => one.title.replace('Alert ', '')));
  const chosen = () => page.locator('ol li.on .pick').getAttribute('title');
  const [first, second, third] = await titles();
  const actions = async (id) => ((await site.api(`/alerts/${id}`)).actions ?? []).map((one) => [one.action, one.note]);
  const before = await actions(second);
  await page.keyboard.press('j');
  assert.equal(await chosen(), `Alert ${second}`);
  const note = page.getByLabel('Note');
  await note.fill('looks real');
  await page.keyboard.press('Escape');
  await raise('hand-1');
  await raise('hand-2');
  await page.getByRole('button', { name: '2 new' }).waitFor();
  await page.keyboard.press('.');
  await page.waitForFunction(() => document.querySelector('ol strong')?.textContent === 'hand-2');
  assert.equal(await chosen(), `Alert ${second}`);
  assert.equal(await note.inputValue(), 'looks real');
  await page.keyboard.press('1');
  await page.getByText(`alert ${second}: claim`).waitFor();
  assert.deepEqual((await actions(second)).filter((one) => !before.some((other) => other.join() === one.join())), [['claim', 'looks real']]);
  for (const other of (await titles()).slice(0, 2)) assert.deepEqual(await actions(other), []);
  // A note is of its alert, and not of the next.
  await note.fill('of this one');
  await page.keyboard.press('Escape');
  await page.keyboard.press('j');
  assert.equal(await chosen(), `Alert ${third}`);
  assert.equal(await note.inputValue(), '');
  // Neither is what nobody chose exchanged: the newest is the one that was the newest.
  await page.reload();
  await page.locator('ol li').first().waitFor();
  await page.waitForFunction(() => document.querySelector('.dot.on'));
  const newest = await chosen();
  assert.notEqual(newest, `Alert ${first}`);
  await raise('hand-3');
  await page.getByRole('button', { name: '1 new' }).waitFor();
  // Whatever way they are asked for, what is shown is not new any more.
  await page.keyboard.press('Shift+r');
  await page.waitForFunction(() => document.querySelector('ol strong')?.textContent === 'hand-3');
  assert.equal(await page.getByRole('button', { name: / new$/ }).count(), 0);
  assert.equal(await chosen(), newest);
  assert.deepEqual(page.faults, []);
  await page.context().close();
});

test('each of several quick keys is a label, of one card after the other', async (t) => {
  const own = await Site.start(project);
  t.after(() => own.end());
  const page = await open(browser, own, 'anomaly');
  await settled(page);
  const cards = await page.locator('.card').evaluateAll((all) => all.map((one) => one.title));
  const held = [];
  let isHeld = true;
  await page.route('**/api/v1/labels', (route) => (isHeld && route.request().method() === 'POST' ? held.push(route) : route.continue()));
  for (const key of ['3', '2', 'x', '5']) await page.keyboard.press(key);
  await page.waitForTimeout(100);
  assert.equal(await page.locator('.card mark').count(), 0, 'nothing is shown as labelled before it is on disk');
  assert.equal(held.length, 1);
  // The last one is taken back before it is written.
  await page.keyboard.press('Backspace');
  isHeld = false;
  await held[0].continue();
  await page.waitForFunction(() => document.querySelectorAll('.card mark').length === 3);
  const { labels } = await own.api('/labels');
  assert.deepEqual(Object.fromEntries(labels.map((one) => [one.subject_id, one.value])), { [cards[0]]: '3', [cards[1]]: '2', [cards[2]]: 'artefact' });
  assert.equal(await page.locator('.card[aria-pressed=true]').getAttribute('title'), cards[3]);
  // What cannot be written takes with it what was pressed after it, and says so.
  await page.route('**/api/v1/labels', (route) => (route.request().method() === 'POST' ? new Promise((then) => setTimeout(then, 300)).then(() => route.fulfill({ status: 503, contentType: 'application/problem+json', body: '{"type":"/problems/busy","title":"Busy","status":503,"detail":"busy"}' })) : route.continue()));
  await page.keyboard.press('1');
  await page.keyboard.press('2');
  await page.getByText(`what was pressed after it, of ${cards[4]}`).waitFor();
  await page.getByText('The label was not written: busy').waitFor();
  assert.equal(await page.locator('.card[aria-pressed=true]').getAttribute('title'), cards[3]);
  await page.unroute('**/api/v1/labels');
  for (let n = 2; n >= 0; n--) {
    await page.keyboard.press('Backspace');
    await page.waitForFunction((n) => document.querySelectorAll('.card mark').length === n, n);
  }
  // Under Vet nobody knows yet what is asked next: a key that comes too soon is not taken, and that is said.
  await page.goto(`${own.url}classify`);
  await settled(page);
  const id = await page.locator('h2.mono').textContent();
  isHeld = true;
  held.length = 0;
  await page.route('**/api/v1/labels', (route) => (isHeld && route.request().method() === 'POST' ? held.push(route) : route.continue()));
  await page.keyboard.press('1');
  await page.keyboard.press('2');
  await page.getByText('still writing the last answer; this one was not taken').waitFor();
  isHeld = false;
  await held[0].continue();
  await page.waitForFunction((id) => document.querySelector('h2.mono')?.textContent !== id, id);
  assert.equal((await own.api('/labels')).labels.length, 1);
  await page.keyboard.press('Backspace');
  await page.waitForFunction((id) => document.querySelector('h2.mono')?.textContent === id, id);
  assert.deepEqual(page.faults, []);
  await page.context().close();
});

test('labels that cannot be read say so, and what was acknowledged is not asked for twice', async (t) => {
  const own = await Site.start(project);
  t.after(() => own.end());
  const page = await open(browser, own, 'help');
  let isBroken = true;
  const busy = { status: 503, contentType: 'application/problem+json', body: JSON.stringify({ type: '/problems/busy', title: 'The server is busy', status: 503, detail: 'ask again later', request_id: 'abc-2' }) };
  await page.route('**/api/v1/labels', (route) => (isBroken && route.request().method() === 'GET' ? route.fulfill(busy) : route.continue()));
  for (const path of ['classify', 'anomaly']) {
    isBroken = true;
    await page.goto(own.url + path);
    await page.locator('[data-state=error]', { hasText: 'The server is busy' }).waitFor();
    assert.equal(await page.locator('[data-open]').count(), 0, 'nobody says how many are open');
    isBroken = false;
    await page.locator('[data-state=error]', { hasText: 'The server is busy' }).getByRole('button', { name: 'Try again' }).click();
    await page.waitForFunction(() => !document.querySelector('[data-state=error]') && document.querySelector('h2.mono, .card'));
    await settled(page);
    // It is written, and the list cannot be read again: the next one comes, and that the list is old is said.
    const here = () => page.evaluate(() => document.querySelector('h2.mono')?.textContent ?? document.querySelector('.card[aria-pressed=true]').title);
    const id = await here();
    isBroken = true;
    await page.keyboard.press('1');
    await page.waitForFunction((id) => (document.querySelector('h2.mono')?.textContent ?? document.querySelector('.card[aria-pressed=true]').title) !== id, id);
    await page.locator('[data-state=stale]', { hasText: 'what is labelled' }).waitFor();
    if (path === 'anomaly') assert.equal(await page.locator(`.card[title="${id}"] mark`).textContent(), '1');
    assert.deepEqual((await own.api('/labels')).labels.map((one) => one.subject_id), [id]);
    isBroken = false;
    await page.keyboard.press('Backspace');
    await page.waitForFunction(() => !document.querySelector('[data-state=stale]'));
    assert.equal((await own.api('/labels')).labels.length, 0);
  }
  // Where nothing but one's own tags are read.
  await own.api('/labels', { id: 'mine', subject_id: 'g30', question: 'tag:faint', value: 'yes' });
  for (const path of ['subjects/g30', 'space?renderer=cpu&thumbnails=0&focus=g30']) {
    isBroken = true;
    await page.goto(own.url + path);
    await settled(page);
    if (path.startsWith('space')) await page.getByRole('tab', { name: 'Subject' }).click();
    const told = page.getByRole('alert').filter({ hasText: 'My tags could not be read: ask again later' });
    await told.waitFor();
    isBroken = false;
    await told.getByRole('button', { name: 'Try again' }).click();
    await page.getByRole('button', { name: 'Take the tag faint back' }).waitFor();
    assert.equal(await told.count(), 0);
  }
  assert.deepEqual(page.faults, []);
  await page.context().close();
});

test('the search finds a part of an id, a tag, a text, and leaves the keys free', async () => {
  for (const [n, subject_id] of ['g20', 'g21', 'g22'].entries()) await site.api('/labels', { id: `lens-${n}`, subject_id, question: 'tag:lens', value: 'yes' });
  const page = await open(browser, site, '');
  await settled(page);
  const found = async (text, filter) => {
    await page.keyboard.press('/');
    await page.keyboard.type(text);
    await page.keyboard.press('Enter');
    const { n_selected } = await site.api('/tables/subjects/query', { filter });
    await page.waitForFunction((n) => document.querySelector('[data-selected]')?.getAttribute('data-selected') === String(n), n_selected);
    assert.ok(n_selected > 0 && n_selected < 3_000, `${text}: ${n_selected}`);
    assert.ok(!(await page.locator('p.count').textContent()).includes('cannot be decided'), text);
    return n_selected;
  };
  assert.equal(await found('lens', "tags contains 'lens'"), 3);
  // What was sought is a filter now; the line is empty, and keys are shortcuts again.
  assert.equal(await page.locator('#search').inputValue(), '');
  await page.keyboard.press('g');
  await page.keyboard.press('h');
  await page.waitForFunction(() => location.pathname === '/help');
  await found('merg', "kind contains 'merg'");
  await found('29', "subject_id contains '29'");
  await page.waitForFunction(() => document.querySelector('main tbody tr')?.textContent.includes('29'));
  // The sign beside a subject does what it says: the plot, with what was filtered.
  await page.getByTitle('Show it on the plot').first().click();
  await page.waitForFunction(() => location.pathname === '/space' && new URLSearchParams(location.search).get('focus')?.includes('29') && location.search.includes('filter='));
  assert.deepEqual(page.faults, []);
  await page.context().close();
  for (const n of [0, 1, 2]) await site.api('/labels', { id: `lens-back-${n}`, subject_id: `g2${n}`, question: 'tag:lens', retracts: `lens-${n}` });
});

test('a text that is no id is sought without a fault, and an id opens its subject', async () => {
  const page = await open(browser, site, '');
  const errors = [];
  page.on('console', (message) => message.type() === 'error' && errors.push(message.text()));
  await settled(page);
  const seek = async (text) => {
    await page.keyboard.press('/');
    await page.keyboard.type(text);
    await page.keyboard.press('Enter');
  };
  await seek('merg');
  await page.waitForFunction(() => location.search.includes('merg') && document.querySelector('tbody tr'));
  // Nearly an id, and nothing at all.
  await seek('G5');
  await page.waitForFunction(() => location.search.includes('G5') && document.querySelector('tbody tr'));
  await seek("it's");
  await page.waitForFunction(() => document.querySelector('[data-selected]')?.getAttribute('data-selected') === '0');
  assert.equal(await page.locator('#search').inputValue(), '');
  await seek('g5');
  await page.waitForFunction(() => location.pathname === '/subjects/g5');
  await page.locator('h1', { hasText: 'g5' }).waitFor();
  assert.deepEqual(errors, []);
  // One of whom there is an image, and no row.
  await page.route('**/api/v1/project', async (route) => {
    const response = await route.fetch();
    const json = await response.json();
    await route.fulfill({ response, json: { ...json, n_images: json.n_images + 1 } });
  });
  await page.route('**/api/v1/project/subjects/lonely', (route) => route.fulfill({ json: { subject_id: 'lonely', has_image: false, has_light_curve: false, rows: {}, values: {}, tags: [] } }));
  await page.goto(site.url);
  await settled(page);
  await seek('lonely');
  await page.waitForFunction(() => location.pathname === '/subjects/lonely');
  // Also where ids of others hold its own.
  await page.route('**/api/v1/project/subjects/g', (route) => route.fulfill({ json: { subject_id: 'g', has_image: false, has_light_curve: false, rows: {}, values: {}, tags: [] } }));
  await seek('g');
  await page.waitForFunction(() => location.pathname === '/subjects/g');
  assert.deepEqual(page.faults, []);
  await page.context().close();
});

test('names of commands are shown as such, without the signs around them', async () => {
  const page = await open(browser, site, '');
  for (const path of ROUTES) {
    await page.goto(site.url + path);
    await settled(page);
    assert.ok(!(await page.locator('main').innerText()).includes('`'), path);
  }
  assert.ok((await page.locator('dd code', { hasText: 'volary init --export' }).count()) === 1);
  // What the server says in such words too.
  await page.route('**/neighbours?*', (route) => route.fulfill({ json: { neighbours: [], why_none: 'no vector; `volary score` makes them' } }));
  await page.goto(`${site.url}subjects/g5`);
  await page.locator('[data-state=empty] code', { hasText: 'volary score' }).waitFor();
  assert.ok(!(await page.locator('main').innerText()).includes('`'));
  assert.deepEqual(page.faults, []);
  await page.context().close();
});

test('what a model looked at stands beside the image, class by class', async () => {
  const page = await open(browser, site, 'subjects/g5');
  await settled(page);
  const seen = () =>
    page.evaluate(() =>
      [...document.querySelectorAll('[aria-label^="Where the m"] canvas')].map((canvas) => [...canvas.getContext('2d').getImageData(12, 12, 1, 1).data].slice(0, 3)),
    );
  await page.waitForFunction(() => document.querySelectorAll('[aria-label^="Where the m"] canvas').length === 3);
  assert.deepEqual(await seen(), [[200, 60, 60], [60, 60, 200], [140, 0, 140]]);
  await page.getByText('They lie on each other by').waitFor();
  assert.match(await page.getByText('They lie on each other by').textContent(), /0\.25 of 1, 1\.5 standard deviations below/);
  const red = (value) => page.waitForFunction((value) => document.querySelector('[aria-label="Where the model found ring"] canvas').getContext('2d').getImageData(12, 12, 1, 1).data[0] === value, value);
  await page.keyboard.press('m');
  await red(60);
  await page.getByRole('button', { name: 'Attention' }).click();
  await red(200);
  assert.equal(new URL(page.url()).pathname, '/subjects/g5');
  // Of one without a picture there is none, and what would make one is told.
  await page.goto(`${site.url}subjects/g4`);
  await settled(page);
  assert.equal(await page.locator('[aria-label^="Where the model"]').count(), 0);
  await page.getByText('volary attention MODEL SUBJECTS -o DIR/attention').waitFor();
  assert.deepEqual(page.faults, []);
  await page.context().close();
});

test('a view is saved under a name, and comes back', async () => {
  const page = await open(browser, site, 'space?renderer=cpu&filter=' + encodeURIComponent('n_seen > 9'));
  await settled(page);
  await page.locator('.saved summary').click();
  await page.locator('#saved-name').fill('<b>often</b>');
  await page.keyboard.press('Enter');
  await page.goto(`${site.url}anomaly`);
  await settled(page);
  await page.locator('.saved summary').click();
  await page.locator('.saved a').click();
  await page.waitForFunction(() => location.pathname === '/space' && location.search.includes('n_seen'));
  assert.deepEqual(page.faults, []);
  await page.context().close();
});

test('without a key the page asks for one and shows nothing', async () => {
  const context = await browser.newContext();
  context.setDefaultTimeout(WAIT_MS);
  const page = await context.newPage();
  await page.goto(site.url);
  await page.getByText('A key opens this page').waitFor();
  assert.equal(await page.getByText('Test').count(), 0);
  await page.locator('input[type=password]').fill('volary_wrong');
  await page.keyboard.press('Enter');
  await page.getByText('A key opens this page').waitFor();
  await page.locator('input[type=password]').fill(`${site.url}#key=${site.key}`);
  await page.keyboard.press('Enter');
  await page.getByText('Subjects').first().waitFor();
  await page.goto(`${site.url}space#key=${site.key}`);
  await page.waitForFunction(() => location.hash === '');
  // A link from a report opens beside it: tabs give each other the key, and no other browser gets it.
  const beside = await context.newPage();
  await beside.goto(`${site.url}subjects/g5`);
  await beside.locator('h1').filter({ hasText: 'g5' }).waitFor();
  await settled(beside);
  assert.equal(await beside.locator('form.key').count(), 0);
  await context.close();
});
