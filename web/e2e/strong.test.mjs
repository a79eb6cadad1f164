// What goes wrong on the way: streams that break, ids that were passed over, regions and filters that are too large,
// paths that lead out, labels while the server is being killed.
import assert from 'node:assert/strict';
import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { chromium, open, project, raiseAlerts, settled, Site, WAIT_MS } from './site.mjs';

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

/** Votes enough for an alert. */
const alert = (subject, at = 1_700_000_600_000) =>
  site.api('/classifications', Array.from({ length: 8 }, (_, n) => ({ source: 'strong', id: `${subject}-${n}`, at_ms: at, kind: 'vote', workflow: '1', version: '1.1', subject, actor: { user: `${subject}-${n}` }, answers: { T0: ['real'] } })));

test('a stream that breaks says so, goes on where it left off, and nothing comes twice', async () => {
  const page = await open(browser, site, 'live');
  await page.waitForFunction(() => document.querySelector('.dot.on'));
  const asked = [];
  page.on('request', (request) => request.url().includes('/events') && asked.push(request.headers()['last-event-id'] ?? ''));
  await alert('before');
  await page.getByRole('button', { name: '1 new' }).waitFor();
  await page.keyboard.press('.');
  await page.waitForFunction(() => document.querySelector('ol strong')?.textContent === 'before');
  const port = site.port;
  await site.kill();
  await page.locator('[data-state=stale]').waitFor();
  assert.ok((await page.locator('ol li').count()) > 0, 'what was shown stays');
  await site.serve(port);
  await page.evaluate((key) => sessionStorage.setItem('volary-key', key), site.key);
  await alert('meanwhile');
  // It is raised by a rule, a moment after the votes.
  for (let n = 0; n < 100 && !(await site.api('/alerts?page_size=20')).alerts.some((one) => one.subject_id === 'meanwhile'); n++) await new Promise((then) => setTimeout(then, 100));
  // The key of before holds no more; the page asks for one, or is opened anew. Its stream is one of the token's.
  const again = await open(browser, site, 'live');
  await again.waitForFunction(() => document.querySelector('.dot.on'));
  // The list is asked for beside the stream, and may come after it.
  await again.locator('ol strong', { hasText: 'meanwhile' }).first().waitFor();
  const names = await again.locator('ol strong').allTextContents();
  assert.equal(names.filter((name) => name === 'meanwhile').length, 1);
  assert.equal(names.filter((name) => name === 'before').length, 1);
  await page.context().close();
  await again.context().close();
});

test('a server with another store says so, and what is shown is asked for anew', async () => {
  const own = await Site.start(project, ['--answer', 'real']);
  // The page's key ends with the server; a token does not.
  const page = await open(browser, { ...own, url: own.url, key: own.token }, 'live');
  await page.waitForFunction(() => document.querySelector('.dot.on'));
  const votes = (subject, n0 = 0) => Array.from({ length: 8 }, (_, n) => ({ source: 'strong', id: `${subject}-${n}`, at_ms: 1_700_000_600_000, kind: 'vote', workflow: '1', version: '1.1', subject, actor: { user: `${subject}-${n + n0}` }, answers: { T0: ['real'] } }));
  await own.api('/classifications', votes('one'));
  await page.waitForFunction(() => document.querySelector('ol strong')?.textContent === 'one');
  await own.api('/classifications', votes('two'));
  await page.getByRole('button', { name: '1 new' }).waitFor();
  const port = own.port;
  await own.kill();
  await page.locator('[data-state=stale]').waitFor();
  for (const name of ['live.db', 'live.db-wal', 'live.db-shm']) rmSync(join(own.folder, name), { force: true });
  await own.serve(port);
  await page.waitForFunction(() => document.querySelector('.dot.on') && !document.querySelector('ol strong'));
  // What comes then is heard, although its number is one that the page has seen before.
  await own.api('/classifications', votes('three'));
  await page.waitForFunction(() => document.querySelector('ol strong')?.textContent === 'three');
  assert.equal(await page.locator('ol strong').count(), 1);
  await page.context().close();
  await own.end();
});

test('the first alert is shown at once, though it is heard of before it is known that there was none', async (t) => {
  const own = await Site.start(project, ['--answer', 'real']);
  t.after(() => own.end());
  const page = await open(browser, own);
  let answer;
  const held = new Promise((then) => (answer = then));
  let isFirst = true;
  await page.route('**/api/v1/alerts?**', async (route) => {
    if (!isFirst) return route.continue();
    isFirst = false;
    const response = await route.fetch();
    assert.deepEqual((await response.json()).alerts, []);
    await held;
    await route.fulfill({ response });
  });
  await page.getByRole('navigation').getByRole('link', { name: 'Live' }).click();
  await page.waitForFunction(() => document.querySelector('.dot.on'));
  await own.api('/classifications', Array.from({ length: 8 }, (_, n) => ({ source: 'strong', id: `first-${n}`, at_ms: 1_700_000_600_000, kind: 'vote', workflow: '1', version: '1.1', subject: 'first', actor: { user: `first-${n}` }, answers: { T0: ['real'] } })));
  await page.getByRole('button', { name: '1 new' }).waitFor();
  answer();
  await page.locator('ol strong', { hasText: 'first' }).waitFor();
  await page.context().close();
});

test('an alert is sent as a file, and that it was written is noted', async () => {
  const page = await open(browser, site, 'live');
  await page.locator('ol li').first().waitFor();
  await page.waitForFunction(() => document.querySelector('.dot.on'));
  const coming = page.waitForEvent('download');
  await page.keyboard.press('4');
  const download = await coming;
  const id = /^alert-(\d+)\.json$/.exec(download.suggestedFilename())[1];
  const report = JSON.parse(readFileSync(await download.path(), 'utf8'));
  assert.equal(report.alert.id, id);
  assert.equal(report.alert.voters, undefined, 'no volunteer is in it');
  await page.getByText(`report written: alert-${id}.json`).waitFor();
  const api = await site.api(`/alerts/${id}`);
  assert.equal(api.actions.at(-1).action, 'note');
  assert.deepEqual(page.faults, []);
  await page.context().close();
});

test('the same stream, asked again with the number of its last event, misses nothing and repeats nothing', async () => {
  const listen = async (last, until, isHeard = () => {}) => {
    const abort = new AbortController();
    const response = await fetch(`${site.url}api/v1/events?topics=alerts`, { headers: { authorization: `Bearer ${site.key}`, ...(last ? { 'last-event-id': last } : {}) }, signal: abort.signal });
    assert.equal(response.status, 200);
    isHeard();
    const events = [];
    let rest = '';
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    const timer = setTimeout(() => abort.abort(), WAIT_MS);
    try {
      for (let part = await reader.read(); !part.done; part = await reader.read()) {
        rest += part.value;
        const parts = rest.split('\n\n');
        rest = parts.pop();
        for (const one of parts) {
          const id = /^id: ?(\d+)/m.exec(one)?.[1];
          if (id) events.push({ id: Number(id), text: one });
        }
        if (until(events)) break;
      }
    } finally {
      clearTimeout(timer);
      abort.abort();
    }
    return events;
  };
  let first;
  await new Promise((then, fail) => {
    first = listen('', (events) => events.some((e) => e.text.includes('s-1')), then);
    first.catch(fail);
  });
  await alert('s-1');
  const heard = await first;
  const last = heard.at(-1).id;
  await alert('s-2');
  await alert('s-3');
  const then = await listen(String(last), (events) => events.some((e) => e.text.includes('s-3')));
  assert.ok(then.every((event) => event.id > last), 'nothing twice');
  assert.deepEqual(['s-2', 's-3'].map((s) => then.filter((e) => e.text.includes(`"${s}"`) && /alert\.created/.test(e.text)).length), [1, 1]);
  const wrong = await fetch(`${site.url}api/v1/events?topics=alerts`, { headers: { authorization: `Bearer ${site.key}`, 'last-event-id': 'x' } });
  assert.equal(wrong.status, 400);
});

test('what is too large or leads out is refused, and the server goes on', async () => {
  const ask = (path, body, headers = {}) =>
    fetch(`${site.url}api/v1${path}`, { method: body ? 'POST' : 'GET', headers: { authorization: `Bearer ${site.key}`, 'content-type': 'application/json', ...headers }, body: body && JSON.stringify(body) });
  const corners = (n) => Array.from({ length: n }, (_, i) => [Math.cos(i), Math.sin(i)]);
  const region = (n) => ({ region: { x: 'x', y: 'y', shapes: [{ op: 'add', points: corners(n) }] } });
  assert.equal((await ask('/tables/subjects/query', region(400))).status, 200);
  assert.equal((await ask('/tables/subjects/query', region(20_001))).status, 422);
  // It answers before it has heard it all, so that who is still writing may find the connection closed.
  const closed = (error) => {
    if (['EPIPE', 'ECONNRESET', 'UND_ERR_SOCKET'].includes(error.cause?.code)) return { status: 413 };
    throw error;
  };
  const large = await ask('/tables/subjects/query', region(200_000)).catch(closed);
  assert.ok([400, 413].includes(large.status), `${large.status}`);
  assert.equal((await ask('/tables/subjects/query', region(400))).status, 200);
  const terms = Array.from({ length: 10_000 }, (_, i) => `x = ${i}`).join(' or ');
  const refused = await ask('/tables/subjects/query', { filter: terms });
  assert.equal(refused.status, 400);
  assert.match((await refused.json()).detail, /\w+/);
  for (const path of ['/project/subjects/..%2f..%2f..%2fetc%2fpasswd/image', '/tables/..%2fvolary.toml/columns/x', '/project/subjects/g5%00.png/image']) {
    const answer = await ask(path);
    assert.ok([400, 404].includes(answer.status), `${path}: ${answer.status}`);
    assert.ok(!(await answer.text()).includes('root:'));
  }
  const { alerts } = await (await ask('/alerts?page_size=1')).json();
  const act = (tag) => ask(`/alerts/${alerts[0].id}/actions`, { action: 'claim' }, { 'if-match': tag });
  assert.equal((await act('"of another day"')).status, 412);
  // The page shows a filter that is too long as a fault of that line.
  const page = await open(browser, site, 'space?renderer=cpu&thumbnails=0');
  await settled(page);
  await page.locator('#filter').fill(terms.slice(0, 19_000).replace(/ or [^o]*$/, ''));
  await page.keyboard.press('Enter');
  await page.locator('#filter-problem').waitFor();
  assert.equal(await page.locator('.chips code').count(), 0);
  assert.deepEqual(page.faults, []);
  await page.context().close();
});

test('killed in the middle of labels, the server has lost none that it acknowledged', async () => {
  const own = await Site.start(project);
  const acknowledged = new Map();
  for (let round = 0; round < 5; round++) {
    let isOver = false;
    const send = async (worker) => {
      for (let n = 0; !isOver; n++) {
        const id = `r${round}-${worker}-${n}`;
        try {
          await own.api('/labels', { id, subject_id: `g${round}-${worker}-${n}`, question: 'relevance', value: '3' });
          acknowledged.set(id, true);
        } catch {
          return;
        }
      }
    };
    const sending = [send(0), send(1), send(2)];
    // At another moment each time, the same for who runs it again.
    await new Promise((then) => setTimeout(then, 60 + 37 * round));
    await own.kill();
    isOver = true;
    await Promise.all(sending);
    await own.serve();
    const held = new Set((await own.api('/labels')).labels.map((label) => label.id));
    for (const id of acknowledged.keys()) assert.ok(held.has(id), `${id} was acknowledged and is gone`);
  }
  assert.ok(acknowledged.size > 10, String(acknowledged.size));
  await own.end();
});
