/**
 * Where the page runs: at its server, or as a copy, a folder of files behind any web server (`volary export page`).
 * A copy keeps its address behind `#`, since whoever serves it knows no routes.
 */

const mode = globalThis.document?.querySelector('meta[name=volary-mode]')?.getAttribute('content');

/** Whether there is no server of ours. */
export const isCopy = mode === 'copy';

/** Servers, and what stands before them, take addresses of some kilobytes; what is longer stays in the browser, behind `#`. */
const LONGEST = 7_000;

/** Path and search of what is shown. */
export function here(): { path: string; search: string } {
  if (!isCopy) return { path: location.pathname, search: location.hash.startsWith('#?') ? location.hash.slice(1) : location.search };
  const [, path, search] = /^#?([^?]*)(.*)$/.exec(location.hash) ?? [];
  return { path: path || '/', search: search ?? '' };
}

/** The address of a path of the page. */
export function address(to: string): string {
  if (isCopy) return `#${to}`;
  return to.length > LONGEST ? to.replace('?', '#?') : to;
}

/** Where the files of the built page are. */
export const ROOT = isCopy ? './' : '/';
