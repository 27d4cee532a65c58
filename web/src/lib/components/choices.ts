import type { Snippet } from 'svelte';

/** A filter with several choices. */
export interface Choices {
  id: string;
  label: string;
  /** Asked for when the choices show, or one of them is chosen: to count a thousand rows for each key of a search would be slow. */
  options: () => readonly Option[];
  chosen: readonly string[];
  /** What stands in place of the options when there are none. */
  none: string;
  /** In place of the list of options, when there are too many to list. */
  content?: Snippet;
  onchange: (chosen: string[]) => void;
}

export interface Option {
  value: string;
  label: string;
  /** How many rows have the value. */
  count?: number;
}

/** The choices after one of them was switched. */
export function switched(chosen: readonly string[], value: string, on: boolean): string[] {
  const others = chosen.filter((other) => other !== value);
  return on ? [...others, value] : others;
}

/** Each value of the rows once, with the number of its rows, in the order of the labels. */
export function counted(values: readonly (readonly [value: string, label: string])[]): Required<Option>[] {
  const options = new Map<string, Required<Option>>();
  for (const [value, label] of values) {
    const option = options.get(value);
    if (option) option.count += 1;
    else options.set(value, { value, label, count: 1 });
  }
  return [...options.values()].sort((a, b) => a.label.localeCompare(b.label));
}

/** The order of the rows, as a select field has it. */
export interface Sorting {
  value: string;
  options: readonly { value: string; label: string }[];
  onchange: (sort: string) => void;
}
