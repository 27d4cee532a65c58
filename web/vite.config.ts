import adapter from '@sveltejs/adapter-static';
import { sveltekit } from '@sveltejs/kit/vite';
import tailwindcss from '@tailwindcss/vite';
import { defineConfig } from 'vite';
import { mockPlatform } from './mocks/dev.ts';

/** The running platform behind the development server. */
const platform = process.env.LOCULE_URL ?? 'http://127.0.0.1:8000';
const proxied = ['/v1', '/auth/oauth', '/health', '/openapi.json', '/openapi.yaml', '/docs'];

export default defineConfig(({ mode }) => ({
  plugins: [
    ...(mode === 'mock' ? [mockPlatform()] : []),
    tailwindcss(),
    sveltekit({
      adapter: adapter({ pages: 'build', assets: 'build', fallback: '200.html', precompress: true }),
      compilerOptions: { runes: true },
      // The page's own script is allowed by its hash. xterm and CodeMirror make style elements.
      csp: {
        mode: 'hash',
        directives: {
          'default-src': ['none'],
          'script-src': ['self'],
          'style-src': ['self', 'unsafe-inline'],
          'img-src': ['self', 'blob:', 'data:'],
          'font-src': ['self'],
          'connect-src': ['self'],
          'base-uri': ['none'],
          'form-action': ['none'],
          'require-trusted-types-for': ['script'],
          'trusted-types': ['svelte-trusted-html'],
        },
      },
      // A build of the same sources is the same, byte for byte.
      version: { name: 'locule', pollInterval: 0 },
    }),
  ],
  server: {
    proxy:
      mode === 'mock'
        ? {}
        : Object.fromEntries(
            proxied.map((path) => [path, { target: platform, ws: true, changeOrigin: true }]),
          ),
  },
  build: { target: 'es2022' },
}));
