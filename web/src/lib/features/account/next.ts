/** Where to go after the sign-in: `?next=`, if it is a path of the dashboard on this host. */
const HOME = '/dashboard';
const KEY = 'locule.next';

export function nextOf(url: URL): string {
  return safe(url.searchParams.get('next'), url.origin);
}

function safe(wanted: string | null, origin: string): string {
  if (!wanted?.startsWith('/')) return HOME;
  try {
    // A browser reads `/\host` and `//host` as another host.
    const to = new URL(wanted, origin);
    if (to.origin !== origin || to.pathname.startsWith('/login')) return HOME;
    return to.pathname + to.search + to.hash;
  } catch {
    return HOME;
  }
}

/** The address of a page for people without a login, with the same `?next=`. */
export function withNext(path: string, next: string): string {
  if (next === HOME) return path;
  return `${path}${path.includes('?') ? '&' : '?'}next=${encodeURIComponent(next)}`;
}

/** Remembers the page while the browser is at the provider. */
export function keepNext(next: string): void {
  sessionStorage.setItem(KEY, next);
}

export function takeNext(origin: string): string {
  const kept = sessionStorage.getItem(KEY);
  sessionStorage.removeItem(KEY);
  return safe(kept, origin);
}
