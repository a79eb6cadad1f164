// The build of the page, the same bytes each time: no dates, no machine names. Names without digests: a change of one
// page changes that page's files in `dist`, and not the name of every file that imports it; the server's ETags say what
// is new.
import { svelte } from '@sveltejs/vite-plugin-svelte';
import { defineConfig } from 'vite';

export default defineConfig({
  plugins: [svelte()],
  base: '/',
  // What a script asks for lies beside it: a copy of the page may stand under any path.
  experimental: { renderBuiltUrl: (_, { hostType }) => (hostType === 'html' ? undefined : { relative: true }) },
  build: {
    target: 'es2022',
    outDir: 'dist',
    emptyOutDir: true,
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    reportCompressedSize: false,
    sourcemap: false,
    rolldownOptions: {
      output: {
        entryFileNames: 'assets/[name].js',
        chunkFileNames: 'assets/[name].js',
        assetFileNames: 'assets/[name][extname]',
      },
    },
  },
  // A machine may be busy, and no test here measures time: the limit is for one that never ends.
  test: { include: ['tests/**/*.test.ts'], environment: 'node', testTimeout: 120_000 },
} as Parameters<typeof defineConfig>[0]);
