/** Settings of this browser. They hold no secret, so that they may stay in local storage. */
export type Theme = 'dark' | 'light' | 'system';
export type Density = 'normal' | 'compact';

function read<T extends string>(key: string, allowed: readonly T[], otherwise: T): T {
  try {
    const kept = localStorage.getItem(`locule.${key}`);
    return allowed.find((value) => value === kept) ?? otherwise;
  } catch {
    return otherwise;
  }
}

function keep(key: string, value: string): void {
  try {
    localStorage.setItem(`locule.${key}`, value);
  } catch {
    // Storage is blocked: the setting lasts as long as the page.
  }
}

export class Preferences {
  theme = $state<Theme>(read('theme', ['dark', 'light', 'system'], 'dark'));
  density = $state<Density>(read('density', ['normal', 'compact'], 'normal'));
  times = $state<'relative' | 'absolute'>(read('times', ['relative', 'absolute'], 'relative'));
  zone = $state<'local' | 'utc'>(read('zone', ['local', 'utc'], 'local'));
  letters = $state<'on' | 'off'>(read('letters', ['on', 'off'], 'on'));
  sideBar = $state<'open' | 'folded'>(read('sideBar', ['open', 'folded'], 'open'));
  /** Whether the page is light now, by choice or as the system is. */
  light = $state(false);

  set<K extends 'theme' | 'density' | 'times' | 'zone' | 'letters' | 'sideBar'>(
    key: K,
    value: this[K],
  ): void {
    (this as Record<K, this[K]>)[key] = value;
    keep(key, value);
    this.apply();
  }

  /** Writes the settings to the page. */
  apply(): void {
    const root = document.documentElement;
    this.light =
      this.theme === 'light' ||
      (this.theme === 'system' && matchMedia('(prefers-color-scheme: light)').matches);
    root.dataset.theme = this.light ? 'light' : 'dark';
    root.dataset.density = this.density;
  }

  /** Follows the system's theme. */
  start(): () => void {
    const query = matchMedia('(prefers-color-scheme: light)');
    const follow = () => this.apply();
    query.addEventListener('change', follow);
    this.apply();
    return () => query.removeEventListener('change', follow);
  }
}
