/** Which page a path means. Plain client routes: the server answers each of them with the same file. */

export const ROUTES = [
  { path: '/', name: 'overview', title: 'Overview', key: 'o' },
  { path: '/space', name: 'space', title: 'Space', key: 's' },
  { path: '/subjects', name: 'subjects', title: 'Subjects', key: 'u' },
  { path: '/confusion', name: 'confusion', title: 'Slices', key: 'c' },
  { path: '/anomaly', name: 'anomaly', title: 'Anomaly', key: 'a' },
  { path: '/live', name: 'live', title: 'Live', key: 'l' },
  { path: '/volunteers', name: 'volunteers', title: 'Volunteers', key: 'v' },
  { path: '/classify', name: 'classify', title: 'Vet', key: 'e' },
  { path: '/jobs', name: 'jobs', title: 'Jobs', key: 'j' },
  { path: '/help', name: 'help', title: 'Help', key: 'h' },
] as const;

export type RouteName = (typeof ROUTES)[number]['name'] | 'subject' | 'none';

export interface Route {
  readonly name: RouteName;
  /** The subject of a subject's page. */
  readonly id: string;
}

export function route(path: string): Route {
  const trimmed = path.length > 1 ? path.replace(/\/+$/, '') : path;
  const subject = /^\/subjects\/([^/]+)$/.exec(trimmed);
  if (subject) {
    try {
      return { name: 'subject', id: decodeURIComponent(subject[1]) };
    } catch {
      return { name: 'none', id: '' };
    }
  }
  const found = ROUTES.find((one) => one.path === (trimmed || '/'));
  return { name: found?.name ?? 'none', id: '' };
}

export function subjectPath(id: string): string {
  return `/subjects/${encodeURIComponent(id)}`;
}
