/** Whether a key press is text for an input, or belongs to a layer above the page, so that letter keys leave it alone. */
export function taken(event: KeyboardEvent): boolean {
  if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || event.isComposing)
    return true;
  const target = event.target instanceof Element ? event.target : undefined;
  if (target?.closest('input:not([type="checkbox"]), textarea, select, [contenteditable="true"], .xterm'))
    return true;
  return document.querySelector('[role="dialog"][data-state="open"], [role="menu"]') !== null;
}
