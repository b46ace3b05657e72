// Compiles src/ into dist/ and the live page into dist/web/ when they have changed, and takes away what deleted sources left
// there.
import { createHash } from 'node:crypto';
import { chmodSync, existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { run } from './command.mjs';
import { Failure } from './failure.mjs';

/** Paths of the files below a folder, relative to it, sorted. */
function filesBelow(folder, prefix = '') {
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { withFileTypes: true })
    .flatMap((entry) => {
      const path = `${prefix}${entry.name}`;
      return entry.isDirectory() ? filesBelow(join(folder, entry.name), `${path}/`) : [path];
    })
    .sort();
}

function sourcesOf(root) {
  return filesBelow(join(root, 'src')).filter((name) => /(?<!\.d)\.ts$/.test(name));
}

/** Contents, not times: a checkout sets those anew. */
function stampOf(root) {
  const hash = createHash('sha256');
  const page = filesBelow(join(root, 'web')).map((name) => `web/${name}`);
  const sources = sourcesOf(root).map((name) => `src/${name}`);
  const files = [...sources, ...page, 'tsconfig.json', 'tsconfig.build.json'];
  for (const name of files) hash.update(`${name}\0`).update(readFileSync(join(root, name)));
  return hash.digest('hex');
}

const stampFile = (root) => join(root, 'dist/.stamp');
const outputOf = (source) => source.replace(/\.ts$/, '.js');

/** Whether this is the source, and not the package made of it, which carries dist/ in place of src/. */
export const isClone = (root) => existsSync(join(root, 'src'));

/** 'built' when dist/ is what src/ compiles to, 'stale' when it is older, 'missing' when it is not there. */
export function typeScriptState(root) {
  if (!isClone(root)) return 'built';
  if (!existsSync(join(root, 'dist'))) return 'missing';
  if (!existsSync(stampFile(root)) || readFileSync(stampFile(root), 'utf8') !== stampOf(root)) return 'stale';
  const outputs = [...sourcesOf(root).map(outputOf), 'web/index.html'];
  return outputs.every((name) => existsSync(join(root, 'dist', name))) ? 'built' : 'stale';
}

/** Outputs in dist/ whose source is gone. */
function orphans(root) {
  const modules = new Set(sourcesOf(root).map((name) => name.replace(/\.ts$/, '')));
  return filesBelow(join(root, 'dist')).filter((name) => {
    if (name.startsWith('web/')) return false; // Vite empties it
    const module = /^(.*?)(\.d\.ts|\.js)(\.map)?$/.exec(name)?.[1];
    return module !== undefined && !modules.has(module);
  });
}

export async function buildTypeScript(root, { log, started }) {
  log('compiling TypeScript (tsc)');
  const dist = join(root, 'dist');
  const stamp = stampOf(root);
  rmSync(stampFile(root), { force: true });
  for (const name of orphans(root)) rmSync(join(dist, name));
  // tsc trusts its record of what it wrote and would not write a lost file again.
  if (!sourcesOf(root).every((name) => existsSync(join(dist, outputOf(name))))) {
    rmSync(join(dist, '.tsbuildinfo'), { force: true });
  }
  try {
    const tsc = join(root, 'node_modules/typescript/bin/tsc');
    await run(process.execPath, [tsc, '-p', 'tsconfig.build.json'], { cwd: root, started });
  } catch (error) {
    throw new Failure(`the TypeScript sources do not compile, see above: ${error.message}`);
  }
  try {
    const { buildPage } = await import('./buildPage.mjs');
    await buildPage(root);
  } catch (error) {
    throw new Failure(`the live page in web/ could not be built: ${error.message}`);
  }
  const program = join(dist, 'cli/main.js');
  if (existsSync(program)) chmodSync(program, 0o755);
  writeFileSync(stampFile(root), stamp);
}
