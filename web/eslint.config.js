import { fileURLToPath } from 'node:url';
import boundaries from 'eslint-plugin-boundaries';
import svelte from 'eslint-plugin-svelte';
import globals from 'globals';
import ts from 'typescript-eslint';

const here = (/** @type {string} */ path) => fileURLToPath(new URL(path, import.meta.url));

/**
 * What a part of the sources may not import.
 * @param {string} from
 * @param {object} to
 * @param {string} message
 */
const forbidden = (from, to, message) => ({
  from: { element: { type: from } },
  disallow: { to: { element: to } },
  message,
});
const arrows = [
  forbidden('api', { type: ['state', 'components', 'feature', 'routes'] }, 'The client is below everything.'),
  forbidden('state', { type: ['feature', 'routes'] }, 'State knows no feature.'),
  forbidden('components', { type: ['state', 'feature', 'routes'] }, 'A component gets props and callbacks.'),
  forbidden('feature', { type: 'routes' }, 'Routes place features.'),
  forbidden(
    'feature',
    { type: 'feature', captured: { name: '!{{ from.element.captured.name }}' } },
    'Features do not import each other: what two need goes down.',
  ),
];

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
    files: ['src/**'],
    plugins: { boundaries },
    settings: {
      'boundaries/elements': [
        { type: 'feature', pattern: 'src/lib/features/*', capture: ['name'] },
        { type: 'state', pattern: 'src/lib/state' },
        { type: 'components', pattern: 'src/lib/components' },
        { type: 'api', pattern: 'src/lib/api' },
        { type: 'routes', pattern: 'src/routes' },
      ],
      'import/resolver': { [here('tools/resolver.cjs')]: {} },
    },
    rules: {
      'boundaries/dependencies': ['error', { default: 'allow', policies: arrows }],
    },
  },
  {
    files: ['src/lib/components/**'],
    rules: {
      'no-restricted-imports': [
        'error',
        {
          patterns: [
            {
              group: ['#lib/api/client.ts', '#lib/api/socket.ts'],
              message: 'Components never see the client.',
            },
          ],
        },
      ],
    },
  },
);
