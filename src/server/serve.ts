/** Opens a port for the live page. */
import { randomBytes } from 'node:crypto';
import { existsSync, statSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { hostname, networkInterfaces } from 'node:os';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { getRequestListener } from '@hono/node-server';
import { AnatomyError, UsageError } from '../errors.js';
import { isSystemError, sweepTemporaries } from '../files.js';
import { serveApp } from './app.js';
import type { ExplorerOptions } from './explorer/explorer.js';
import { ExplorerThread } from './explorer/explorerThread.js';
import { hostWords } from './guard.js';

/** The page as `tools/buildPage.mjs` leaves it. */
const PAGE = fileURLToPath(new URL('../web/', import.meta.url));

export interface ServeOptions {
  /** The folder with the runs. With `data` it may be absent: a list of samples to leave out makes it, or a run. */
  readonly root: string;
  /** Data to look at without a run, with the name that the page has for them. */
  readonly data?: { readonly name: string; readonly spec: NonNullable<ExplorerOptions['data']> } | undefined;
  /** 0 takes any port that is free. */
  readonly port: number;
  /** An address of this machine that others can reach, in place of the loopback. */
  readonly host?: string | undefined;
  /** The folder of the built page. */
  readonly page?: string;
  readonly pauseMs?: number;
  /** A folder with masks of lesions, ID.png. */
  readonly masks?: string | undefined;
  /** Whether others may look. */
  readonly isPublic?: boolean | undefined;
}

export interface Serving {
  /** The address with its token. */
  readonly url: string;
  /** Ends at once, whoever is connected. */
  close(): Promise<void>;
}

/**
 * Serves the page on the loopback, or on `host`.
 *
 * @throws UsageError when there is no such folder, the port is taken, or `host` is no address of this machine
 */
export async function serve({
  root,
  data,
  port,
  host,
  page = PAGE,
  pauseMs,
  masks,
  isPublic,
}: ServeOptions): Promise<Serving> {
  const found = statSync(root, { throwIfNoEntry: false });
  if (found === undefined ? data === undefined : !found.isDirectory()) {
    throw new UsageError(
      `${root}: no such folder; expected one with runs in it, as anatomy pretrain --out makes them`,
    );
  }
  if (masks !== undefined && !statSync(masks, { throwIfNoEntry: false })?.isDirectory()) {
    throw new UsageError(`--masks ${masks}: no such folder; expected one that holds ID.png for samples`);
  }
  if (!existsSync(join(page, 'index.html'))) {
    throw new AnatomyError('the page has not been built; run npm run build, or npx anatomy setup');
  }
  const server = createServer();
  await listening(server, host ?? '127.0.0.1', port);
  sweepKilled(root, isPublic);
  const own = (server.address() as AddressInfo).port;
  const token = randomBytes(24).toString('base64url');
  const hosts = host === undefined ? [] : namesOf(host);
  const explorer = new ExplorerThread({ masks, isPublic });
  const auditor = new ExplorerThread({ isPublic, data: data?.spec });
  const app = serveApp({
    ...{ root: resolve(root), data: data?.name, page, pauseMs, isPublic },
    ...{ token, port: own, hosts, explorer, auditor },
  });
  server.on('request', getRequestListener(app.fetch));
  return {
    url: `http://${hostWords(hosts[0] ?? '127.0.0.1')}:${own}/?token=${token}`,
    close: async () => {
      await Promise.all([
        explorer.close(),
        auditor.close(),
        new Promise((done) => {
          server.close(done);
          server.closeAllConnections();
        }),
      ]);
    },
  };
}

/** Removes the half-written list of a server that was killed as it wrote one. */
function sweepKilled(root: string, isPublic = false): void {
  if (isPublic) return; // it writes nothing
  try {
    sweepTemporaries(root);
  } catch (error) {
    if (!isSystemError(error)) throw error; // a folder that may only be read
  }
}

/** The names by which others reach an address: those of the machine, where it stands for all of them. */
function namesOf(host: string): string[] {
  if (host !== '0.0.0.0' && host !== '::') return [host];
  const addresses = Object.values(networkInterfaces()).flatMap((all) => all ?? []);
  return [hostname(), ...addresses.filter(({ internal }) => !internal).map(({ address }) => address)];
}

function listening(server: Server, host: string, port: number): Promise<void> {
  return new Promise((done, fail) => {
    server.once('error', (error) => {
      const taken = isSystemError(error) && ['EADDRINUSE', 'EACCES'].includes(error.code ?? '');
      const words = taken
        ? `--port ${port} of ${host}: ${error.code === 'EACCES' ? 'not allowed' : 'another program uses it'}; choose another --port, or 0 for any`
        : `--host ${host}: ${error.message}; expected a name or an address of this machine, or 0.0.0.0 for all`;
      fail(new UsageError(words));
    });
    server.listen(port, host, done);
  });
}
