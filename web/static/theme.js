// Runs before the first paint: a page must not flash in the wrong theme.
(() => {
  let theme = 'dark';
  try {
    theme = localStorage.getItem('locule.theme') || theme;
    document.documentElement.dataset.density = localStorage.getItem('locule.density') || 'normal';
  } catch {
    // Storage is blocked; the default stands.
  }
  if (theme === 'system') theme = matchMedia('(prefers-color-scheme: light)').matches ? 'light' : 'dark';
  document.documentElement.dataset.theme = theme === 'light' ? 'light' : 'dark';
})();
