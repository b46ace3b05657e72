// Which BLAS the system gives to programs that ask for libblas.so.3: with the reference one, or one without threads,
// matrix products are several times slower.
import { existsSync, readdirSync, realpathSync } from 'node:fs';
import { join } from 'node:path';

/** The library behind libblas.so.3, through Debian's alternatives; null where there is none. */
export function systemBlas(libraries = '/usr/lib') {
  if (!existsSync(libraries)) return null;
  const folders = readdirSync(libraries).filter((name) => name.endsWith('-linux-gnu'));
  const link = ['', ...folders].map((name) => join(libraries, name, 'libblas.so.3')).find(existsSync);
  return link ? realpathSync(link) : null;
}

/** What a BLAS library's path says of it. */
export function judgeBlas(path) {
  const variant = /openblas-?(pthread|openmp|serial)/.exec(path)?.[1];
  if (variant) return { name: `OpenBLAS (${variant})`, fast: variant !== 'serial' };
  if (/openblas/.test(path)) return { name: 'OpenBLAS', fast: true };
  if (/libmkl/.test(path)) return { name: 'MKL', fast: true };
  if (/blis|armpl|nvpl/.test(path)) return { name: 'a tuned BLAS', fast: true };
  return { name: 'the reference BLAS', fast: false };
}
