/** The command `anatomy serve`: a live page of the runs in a folder. */
import { spawn } from 'node:child_process';
import type { Command } from 'commander';
import { consoleOf } from './console.js';
import { wholeNumber } from './options/configOptions.js';
import { print } from './output.js';

interface Flags {
  port: number;
  host?: string;
  masks?: string;
  public?: boolean;
  open?: boolean;
}

export function registerServe(program: Command): void {
  program
    .command('serve [folder]')
    .description('Watch runs as they train, in a page of this machine: states, curves, results.')
    .option('--port <n>', 'port; 0 takes any that is free', wholeNumber(0, 65_535), 8765)
    .option(
      '--host <address>',
      'listen on this address of the machine in place of the loopback; 0.0.0.0 for all',
    )
    .option('--masks <folder>', 'outlines of lesions: a mask ID.png for samples; phantoms need none')
    .option('--public', 'for others to look at: pseudonyms, no images of patients, no paths, nothing written')
    .option('--open', 'open the page in the browser')
    .addHelpText(
      'after',
      `
FOLDER (default: runs) holds runs at any depth. The page changes no run, and needs no network. The address has a token, as
Jupyter's has: whoever knows it may look.

Examples:
  $ anatomy serve
  $ anatomy serve runs/methods --port 0 --open
On a machine elsewhere, keep the loopback and take the port along: ssh -L 8765:127.0.0.1:8765 MACHINE
See also: anatomy report, anatomy experiment table`,
    )
    .action(async (root = 'runs', { port, host, masks, public: isPublic, open }: Flags) => {
      const console = consoleOf(program);
      const { serve } = await import('../server/serve.js');
      const serving = await serve({ root, port, host, masks, isPublic });
      if (host !== undefined && !LOOPBACK.test(host)) {
        console.warn(
          `whoever reaches ${host} and learns the token sees your runs${isPublic ? '' : ' with their images and ids (--public shows neither)'}, over a connection that is not encrypted; without --host only this machine does`,
        );
      }
      print(`${serving.url}\n`);
      console.info(`serving the runs in ${root}; Ctrl-C ends it`);
      if (open) openInBrowser(serving.url);
      const end = new Promise<NodeJS.Signals>((resolve) => {
        for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, resolve);
      });
      await end;
      await serving.close();
    });
}

const LOOPBACK = /^(127\.\d+\.\d+\.\d+|localhost|::1)$/;

function openInBrowser(url: string): void {
  const [command, ...args] = process.platform === 'darwin' ? ['open', url] : ['xdg-open', url];
  spawn(command!, args, { stdio: 'ignore', detached: true })
    .on('error', () => undefined) // the address stands on the terminal
    .unref();
}
