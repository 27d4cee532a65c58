import boundaries from 'eslint-plugin-boundaries';
import svelte from 'eslint-plugin-svelte';
import globals from 'globals';
import ts from 'typescript-eslint';

export default ts.config(
  { ignores: ['build/', '.svelte-kit/', 'src/lib/api/schema.gen.ts', 'tools/', 'test-results/'] },
  ...ts.configs.strict,
  ...svelte.configs.recommended,
  {
    languageOptions: {
      globals: { ...globals.browser },
      parserOptions: { parser: ts.parser, extraFileExtensions: ['.svelte'] },
    },
    rules: {
      // A page of a guest's text must never become markup.
      'svelte/no-at-html-tags': 'error',
      // Every route of the dashboard is at the root of the host.
      'svelte/no-navigation-without-resolve': 'off',
      '@typescript-eslint/no-non-null-assertion': 'error',
      // Fixtures of Playwright that need no other.
      'no-empty-pattern': 'off',
      'max-lines': ['error', 500],
      'no-restricted-globals': ['error', 'eval'],
      'no-restricted-syntax': [
        'error',
        {
          selector: 'Literal[value=/#[0-9a-fA-F]{6}\\b/]',
          message: 'Colours are tokens of app.css.',
        },
      ],
    },
  },
  {
    files: ['src/lib/**', 'src/routes/**'],
    plugins: { boundaries },
    settings: {
      'boundaries/elements': [
        { type: 'routes', pattern: 'src/routes', mode: 'folder' },
        { type: 'feature', pattern: 'src/lib/features/*', mode: 'folder', capture: ['name'] },
        { type: 'state', pattern: 'src/lib/state', mode: 'folder' },
        { type: 'components', pattern: 'src/lib/components', mode: 'folder' },
        { type: 'api', pattern: 'src/lib/api', mode: 'folder' },
      ],
    },
  },
);
