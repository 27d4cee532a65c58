/** Values as a shell and as Python write them. */

/** One word of a shell command. */
export function quoted(word: string): string {
  return /^[A-Za-z0-9_./:=@%+-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}

/** A value as Python writes it. */
export function python(value: unknown, indent = 0): string {
  if (value === null || value === undefined) return 'None';
  if (value === true) return 'True';
  if (value === false) return 'False';
  if (typeof value !== 'object') return JSON.stringify(value);
  const entries = Object.entries(value);
  if (entries.length === 0) return '{}';
  const pad = ' '.repeat(indent + 4);
  const lines = entries.map(([name, item]) => `${pad}${JSON.stringify(name)}: ${python(item, indent + 4)},`);
  return `{\n${lines.join('\n')}\n${' '.repeat(indent)}}`;
}
