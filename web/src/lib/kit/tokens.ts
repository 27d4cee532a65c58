/** The tokens of a theme as a style: a part of the page shows the theme whichever theme the page has. */
export function tokensOf(theme: 'dark' | 'light'): string {
  const found = new Map<string, string>();
  const take = (rules: CSSRuleList) => {
    for (const rule of rules) {
      if (rule instanceof CSSLayerBlockRule) take(rule.cssRules);
      if (!(rule instanceof CSSStyleRule)) continue;
      const selectors = rule.selectorText.split(',').map((one) => one.trim().replaceAll('"', "'"));
      if (!selectors.some((one) => one === ':root' || one === `:root[data-theme='${theme}']`)) continue;
      for (const name of rule.style)
        if (name.startsWith('--')) found.set(name, rule.style.getPropertyValue(name));
    }
  };
  for (const sheet of document.styleSheets) take(sheet.cssRules);
  return [`color-scheme:${theme}`, ...[...found].map(([name, value]) => `${name}:${value}`)].join(';');
}
