/** A name with a value, as it is typed. */
export interface Pair {
  name: string;
  value: string;
}

/** The pairs as an object. Pairs without a name are left out. */
export function record(pairs: readonly Pair[]): Record<string, string> | undefined {
  const named = pairs.filter((pair) => pair.name.trim() !== '');
  if (named.length === 0) return undefined;
  return Object.fromEntries(named.map((pair) => [pair.name.trim(), pair.value]));
}

/** The first name that stands twice. */
export function twice(pairs: readonly Pair[]): string | undefined {
  const names = pairs.map((pair) => pair.name.trim()).filter((name) => name !== '');
  return names.find((name, index) => names.indexOf(name) !== index);
}
