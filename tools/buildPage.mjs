// Builds the live page, web/ to dist/web/, by Vite.
import { join } from 'node:path';
import { build } from 'vite';

/** @param root the checkout */
export async function buildPage(root) {
  await build({
    root: join(root, 'web'),
    configFile: false,
    logLevel: 'warn',
    build: {
      outDir: join(root, 'dist/web'),
      emptyOutDir: true,
      target: 'es2022',
      modulePreload: { polyfill: false },
      // What is bundled is passed on, and so are its licences.
      license: { fileName: 'licenses.md' },
    },
  });
}
