/**
 * Marks the text that was searched for, in the elements that have `data-searched`. The marks are a highlight of CSS, `search` in app.css:
 * elements around each found text would make the rows of a list twice as slow. Answers what takes the marks away.
 */
export function mark(root: Element, search: string): (() => void) | undefined {
  if (search === '' || !('highlights' in CSS)) return undefined;
  const wanted = search.toLowerCase();
  const ranges: Range[] = [];
  for (const element of root.querySelectorAll('[data-searched]')) {
    const text = element.firstChild;
    const at = text?.nodeValue?.toLowerCase().indexOf(wanted) ?? -1;
    if (!text || at < 0) continue;
    const range = new Range();
    range.setStart(text, at);
    range.setEnd(text, at + search.length);
    ranges.push(range);
  }
  CSS.highlights.set('search', new Highlight(...ranges));
  return () => CSS.highlights.delete('search');
}
