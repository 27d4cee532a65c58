/** A filter with several choices. */
export interface Choices {
  id: string;
  label: string;
  options: readonly { value: string; label: string; count?: number }[];
  chosen: readonly string[];
  /** What stands in place of the options when there are none. */
  none: string;
  onchange: (chosen: string[]) => void;
}

/** The choices after one of them was switched. */
export function switched(chosen: readonly string[], value: string, on: boolean): string[] {
  const others = chosen.filter((other) => other !== value);
  return on ? [...others, value] : others;
}
