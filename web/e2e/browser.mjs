// Debian's Chromium, without a graphics card and without a network of its own.
import { existsSync } from 'node:fs';
import { chromium as playwright } from 'playwright-core';

export const FLAGS = [
  '--no-sandbox',
  '--use-angle=swiftshader',
  '--enable-unsafe-swiftshader',
  '--disable-accelerated-2d-canvas',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

/** Where Chromium is, or nothing. */
export function path() {
  const known = [process.env.CHROMIUM, '/usr/bin/chromium', '/usr/bin/chromium-browser'];
  return known.find((one) => one && existsSync(one)) ?? null;
}

export async function chromium(more = []) {
  const executablePath = path();
  if (!executablePath) throw new Error('no Chromium; install the package chromium, or set CHROMIUM');
  return playwright.launch({ executablePath, headless: true, args: [...FLAGS, ...more] });
}
