// Screenshots of every route, to be looked at: `node e2e/shots.mjs URL FOLDER [route …]`. Both themes, two widths.
import { mkdirSync } from 'node:fs';
import { chromium, FLAGS } from './browser.mjs';

const [url, folder, ...only] = process.argv.slice(2);
const [base, key] = url.split('#');
mkdirSync(folder, { recursive: true });
const routes = only.length ? only : ['', 'space', 'subjects', 'confusion', 'anomaly', 'live', 'volunteers', 'classify', 'jobs', 'help'];
const browser = await chromium();
for (const [width, height] of [[1280, 800], [390, 844]]) {
  for (const theme of ['dark', 'light']) {
    const context = await browser.newContext({ viewport: { width, height }, colorScheme: theme });
    const page = await context.newPage();
    page.on('pageerror', (error) => console.log('ERROR', error.message));
    page.on('console', (m) => ['error', 'warning'].includes(m.type()) && console.log(m.type(), m.text()));
    await page.goto(`${base}#${key}`);
    await page.waitForTimeout(400);
    for (const route of routes) {
      await page.goto(base.replace(/\/$/, '') + '/' + route);
      await page.waitForTimeout(1500);
      await page.screenshot({ fullPage: Boolean(process.env.FULL) && !route.startsWith('space'), path: `${folder}/${route.replace(/[^a-z0-9]+/gi, '_').slice(0, 40) || 'overview'}-${theme}-${width}.png` });
    }
    await context.close();
  }
}
await browser.close();
void FLAGS;
