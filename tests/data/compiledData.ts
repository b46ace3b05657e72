import { copyFileSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';

const repository = fileURLToPath(new URL('../../', import.meta.url));

/**
 * Compiles what the image cache needs into `folder` as plain JavaScript, for tests that need real processes (to kill,
 * or to race) and must not depend on a build having been made.
 */
export function compileData(folder: string): void {
  const sources = ['src', 'src/data', 'src/data/formats', 'src/data/formats/dicom', 'src/export'].flatMap(
    (directory) =>
      readdirSync(join(repository, directory))
        .filter((name) => name.endsWith('.ts'))
        .map((name) => `${directory}/${name}`),
  );
  for (const source of sources) {
    const { outputText } = ts.transpileModule(readFileSync(join(repository, source), 'utf8'), {
      compilerOptions: {
        module: ts.ModuleKind.ESNext,
        target: ts.ScriptTarget.ES2022,
        verbatimModuleSyntax: true,
      },
    });
    const target = join(folder, source.replace(/\.ts$/, '.js'));
    mkdirSync(dirname(target), { recursive: true });
    writeFileSync(target, outputText);
  }
  copyFileSync(join(repository, 'package.json'), join(folder, 'package.json'));
  symlinkSync(join(repository, 'node_modules'), join(folder, 'node_modules'));
}
