// Where the keyboard is after something was taken out of the page from under it: at what comes next, not at the page's
// beginning; and nobody who uses a pointer is led anywhere.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { chromium, open, project, settled, Site } from './site.mjs';

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

/** Waits until what has the focus is called so; says what has it if that never comes. */
const focused = async (page, wanted) => {
  const called = () => {
    const has = document.activeElement;
    return has === document.body ? 'nothing' : has.id || has.getAttribute('aria-label') || has.textContent.trim() || has.tagName;
  };
  const is = await page.waitForFunction(({ called, wanted }) => new Function(`return (${called})()`)() === wanted, { called: String(called), wanted }, { timeout: 30_000 }).catch(() => null);
  assert.ok(is, `${wanted} is to have the focus, and ${await page.evaluate(called)} has it`);
};
const filtered = (...filters) => filters.map((filter) => `filter=${encodeURIComponent(filter)}`).join('&');
const chips = (page, n) => page.waitForFunction((n) => document.querySelectorAll('.chips code').length === n, n);

test('the line of a tag gives the focus back to what had it', async () => {
  const page = await open(browser, site, 'subjects/g8', { bypassCSP: true });
  await settled(page);
  const button = page.getByRole('button', { name: 'Tag', exact: true });
  const line = page.getByRole('textbox', { name: 'Tag' });
  for (const way of ['escape', 'give']) {
    await button.focus();
    await page.keyboard.press('Enter');
    await focused(page, 'Tag');
    await line.fill(way);
    await page.keyboard.press(way === 'escape' ? 'Escape' : 'Enter');
    await line.waitFor({ state: 'detached' });
    assert.ok(await button.isVisible());
    await page.waitForFunction(() => document.activeElement?.textContent === 'Tag' && document.activeElement.tagName === 'BUTTON');
  }
  await page.getByRole('button', { name: 'Take the tag give back' }).waitFor();
  // What was refused can be written anew.
  await page.keyboard.press('Enter');
  await line.fill('one;two');
  await page.keyboard.press('Tab');
  await page.keyboard.press('Enter');
  await page.getByText('give them one by one').waitFor();
  await page.keyboard.press('Escape');
  // With its key, from anywhere: back to there.
  await page.goto(`${site.url}space?renderer=cpu&thumbnails=0&focus=g8`);
  await settled(page);
  await page.locator('.plot').first().focus();
  await page.keyboard.press('t');
  await page.waitForFunction(() => document.activeElement?.getAttribute('placeholder') === 'tag');
  await page.keyboard.press('Escape');
  await page.waitForFunction(() => document.activeElement?.classList.contains('plot'));
  // Nothing had it: then keys are shortcuts again, and none is the button's.
  await page.evaluate(() => document.activeElement.blur());
  await page.keyboard.press('t');
  await page.waitForFunction(() => document.activeElement?.getAttribute('placeholder') === 'tag');
  await page.keyboard.press('Escape');
  await line.waitFor({ state: 'detached' });
  await focused(page, 'nothing');
  assert.deepEqual(page.faults, []);
  await page.context().close();
});

test('where a chip was taken away the next one is at hand, or the line', async () => {
  const region = `region=${encodeURIComponent('+-3,-3;5,-3;5,6;-3,6')}`;
  const at = `subjects?${filtered('n_seen >= 6', 'n_seen >= 7', 'n_seen >= 8')}&${region}`;
  const page = await open(browser, site, at, { bypassCSP: true });
  await settled(page);
  await page.getByRole('button', { name: 'Remove the filter n_seen >= 7' }).press('Enter');
  await chips(page, 2);
  await focused(page, 'Remove the filter n_seen >= 8');
  await page.keyboard.press('Space');
  await chips(page, 1);
  await focused(page, 'Remove the region');
  await page.keyboard.press('Enter');
  await page.locator('.chips .region').waitFor({ state: 'detached' });
  await focused(page, 'filter');
  await page.getByRole('button', { name: 'Remove the filter n_seen >= 6' }).press('Enter');
  await chips(page, 0);
  await focused(page, 'filter');
  // A finger on the last one opens no keyboard over the page.
  await page.goto(`${site.url}subjects?${filtered('n_seen >= 6')}`);
  await settled(page);
  await page.getByRole('button', { name: 'Remove the filter n_seen >= 6' }).click();
  await chips(page, 0);
  await page.waitForTimeout(200);
  await focused(page, 'nothing');
  assert.deepEqual(page.faults, []);
  await page.context().close();
});

test('where a histogram was closed the next one is at hand, or what adds one', async () => {
  const page = await open(browser, site, 'space?renderer=cpu&thumbnails=0&histogram=n_seen&histogram=kind&histogram=anomaly_score', { bypassCSP: true });
  await page.locator('section.histogram').nth(2).waitFor();
  await page.getByRole('button', { name: 'Close the histogram of kind' }).press('Enter');
  await focused(page, 'Close the histogram of anomaly_score');
  await page.keyboard.press('Enter');
  await page.waitForFunction(() => document.querySelectorAll('section.histogram').length === 1);
  await page.waitForFunction(() => document.activeElement?.closest('label')?.textContent.includes('Add a histogram'));
  // With the mouse too it is closed, and nobody is led away.
  await page.getByRole('button', { name: 'Close the histogram of n_seen' }).click();
  await page.waitForFunction(() => document.querySelectorAll('section.histogram').length === 0);
  await page.waitForTimeout(200);
  await focused(page, 'nothing');
  assert.deepEqual(page.faults, []);
  await page.context().close();
});

test('on a narrow screen Escape closes the list of pages, and nothing else', async () => {
  const page = await open(browser, site, `confusion?${filtered('n_seen >= 6')}`, { viewport: { width: 390, height: 844 }, bypassCSP: true });
  await settled(page);
  const menu = page.locator('button.menu');
  for (const steps of [0, 2]) {
    await menu.focus();
    await page.keyboard.press('Enter');
    await page.locator('nav a', { hasText: 'Help' }).waitFor();
    for (let n = 0; n < steps; n++) await page.keyboard.press('Tab');
    await page.keyboard.press('Escape');
    await page.locator('nav').waitFor({ state: 'hidden' });
    assert.equal(await menu.getAttribute('aria-expanded'), 'false');
    await focused(page, 'Slices ▾');
    await chips(page, 1);
  }
  // Where it is closed Escape is the page's again.
  await page.keyboard.press('Escape');
  await chips(page, 0);
  assert.deepEqual(page.faults, []);
  await page.context().close();
});
