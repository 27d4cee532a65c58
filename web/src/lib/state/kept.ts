/** A list of words kept in this browser, such as the columns that a table hides. Never a secret. */
export function keptList(key: string, otherwise: readonly string[]): string[] {
  try {
    const kept = localStorage.getItem(`locule.${key}`);
    return kept === null ? [...otherwise] : kept.split(',').filter((word) => word !== '');
  } catch {
    return [...otherwise];
  }
}

export function keepList(key: string, words: readonly string[]): void {
  try {
    localStorage.setItem(`locule.${key}`, words.join(','));
  } catch {
    // Storage is blocked: the choice lasts as long as the page.
  }
}
