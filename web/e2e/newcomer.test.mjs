// A newcomer's minute: from the page's address alone, by what stands on it, to the weirdest galaxy that volunteers
// liked; and it is the one that the command line finds.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { chromium, open, settled, Site, VOLARY } from './site.mjs';

let site;
let browser;
let wanted;
/** As the tour calls what volunteers liked. */
const LIKED = 'Features or disk';
before(async () => {
  site = await Site.start((folder) => execFileSync(VOLARY, ['demo', '.'], { cwd: folder, stdio: 'ignore' }));
  browser = await chromium();
  // The equal query on the command line: those that were liked, and of them the highest by `forest`.
  site.record('slice', 'consensus/consensus.parquet', `consensus("T0.${LIKED}") > 0.7`, '--with', 'outliers.csv', '-o', 'liked.json');
  const liked = JSON.parse(readFileSync(join(site.folder, 'liked.json'), 'utf8'));
  wanted = liked.reduce((best, one) => (one.forest > best.forest ? one : best)).subject_id;
  assert.ok(liked.length > 20 && liked.length < 600, String(liked.length));
});
after(async () => {
  await browser?.close();
  await site?.end();
});

/** What a newcomer must find by its words: visible, and in reach. */
async function seen(locator) {
  await locator.waitFor();
  assert.ok(await locator.isVisible());
  await locator.scrollIntoViewIfNeeded();
  return locator;
}

test('with the mouse, by what stands on the page', async () => {
  const from = Date.now();
  const page = await open(browser, site, '');
  await settled(page);
  await (await seen(page.getByRole('link', { name: 'The weirdest first' }))).click();
  const say = await seen(page.getByLabel('volunteers say'));
  const choice = (await say.locator('option').allTextContents()).find((text) => text.includes(LIKED));
  assert.ok(choice, 'the answer is offered by the words of the question');
  await say.selectOption({ label: choice });
  await page.waitForFunction(() => location.search.includes('filter='));
  await settled(page);
  await page.waitForFunction((id) => document.querySelector('.card')?.title === id, wanted);
  await (await seen(page.getByText('Chosen:').getByRole('link'))).click();
  await page.waitForFunction(() => location.pathname.startsWith('/subjects/'));
  await settled(page);
  assert.equal(await page.locator('h1').textContent(), wanted);
  await seen(page.getByRole('img', { name: new RegExp(`Image of subject ${wanted}`) }));
  assert.ok(Date.now() - from < 60_000, 'within a minute');
  assert.deepEqual(page.faults, []);
  await page.context().close();
});

test('with the keyboard alone, by what has the focus', async () => {
  const page = await open(browser, site, '');
  await settled(page);
  /** Tab until what has the focus says this. */
  const reach = async (says) => {
    for (let n = 0; n < 120; n++) {
      const found = await page.evaluate((says) => {
        const at = document.activeElement;
        const label = at?.closest('label')?.textContent ?? '';
        return at !== document.body && `${at?.textContent ?? ''} ${at?.getAttribute('title') ?? ''} ${label}`.includes(says);
      }, says);
      if (found) return;
      await page.keyboard.press('Tab');
    }
    assert.fail(`nothing that says ${says} can be reached`);
  };
  await reach('The weirdest first');
  await page.keyboard.press('Enter');
  await page.waitForFunction(() => location.pathname === '/anomaly');
  await settled(page);
  await page.evaluate(() => document.activeElement?.blur());
  await reach('volunteers say');
  // A list takes what is typed as the beginning of a choice.
  for (let n = 0; n < 30; n++) {
    if ((await page.evaluate(() => document.activeElement.selectedOptions[0].textContent)).includes(LIKED)) break;
    await page.keyboard.press('ArrowDown');
    await page.waitForTimeout(30);
  }
  await settled(page);
  await page.waitForFunction((id) => document.querySelector('.card')?.title === id, wanted);
  await page.keyboard.press('Escape');
  await page.evaluate(() => document.activeElement?.blur());
  // The first is chosen; the list of shortcuts says what opens it.
  await page.keyboard.press('?');
  const opens = page.locator('dialog div, dialog dl').filter({ hasText: 'open' }).first();
  await seen(opens);
  await page.keyboard.press('Escape');
  await page.locator('dialog').waitFor({ state: 'detached' });
  await page.keyboard.press('Enter');
  await page.waitForFunction((id) => location.pathname === `/subjects/${id}`, wanted);
  assert.deepEqual(page.faults, []);
  await page.context().close();
});
