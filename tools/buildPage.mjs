// Builds the live page, web/ to dist/web/, by Vite.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { build } from 'vite';

/** @param root the checkout */
export async function buildPage(root) {
  await build({
    root: join(root, 'web'),
    configFile: false,
    logLevel: 'warn',
    resolve: { alias: [{ find: /^numcodecs\/.*/, replacement: join(root, 'web/noCodec.ts') }] },
    build: {
      outDir: join(root, 'dist/web'),
      emptyOutDir: true,
      target: 'es2022',
      modulePreload: { polyfill: false },
      // What is bundled is passed on, and so are its licences.
      license: { fileName: 'licenses.md' },
      rolldownOptions: { checks: { pluginTimings: false } }, // how long a busy machine takes is no warning
      chunkSizeWarningLimit: 1000, // Niivue, which is loaded when a volume is opened
    },
  });
  addNiivueLicense(root);
}

/** Niivue's package names its licence and leaves the text out. */
function addNiivueLicense(root) {
  const file = join(root, 'dist/web/licenses.md');
  const licenses = readFileSync(file, 'utf8');
  const heading = /^## @niivue\/niivue - .*\n/m.exec(licenses);
  if (heading === null) return; // a page without volumes, as tests build
  const text = readFileSync(join(root, 'web/niivue.license.md'), 'utf8');
  writeFileSync(file, licenses.replace(heading[0], `${heading[0]}\n${text}`));
}
