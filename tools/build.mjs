// `npm run build`, also before the package is packed: dist/ holds what src/ compiles to, and nothing older.
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { LOCK_FILE } from './buildNative.mjs';
import { buildTypeScript, typeScriptState } from './buildTypeScript.mjs';
import { Failure } from './failure.mjs';
import { withLock } from './lock.mjs';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const log = (line) => console.error(`build: ${line}`);

try {
  await withLock(
    LOCK_FILE,
    async (started) => {
      if (typeScriptState(root) !== 'built') await buildTypeScript(root, { log, started });
    },
    { log },
  );
} catch (error) {
  log(error instanceof Failure ? error.message : error.stack);
  process.exit(error.exitCode ?? 1);
}
