/** The command `anatomy serve`: a live page of the runs in a folder. */
import { spawn } from 'node:child_process';
import type { Command } from 'commander';
import { WHAT_DATA_IS } from '../data/open/dataNames.js';
import type { MessageConsole } from '../log/console.js';
import type { ServeOptions } from '../server/serve.js';
import { consoleOf } from './console.js';
import { configSources, wholeNumber } from './options/configOptions.js';
import { addDataOptions, DATA_FLAGS, type DataFlags } from './options/dataOptions.js';
import { print } from './output.js';

interface Flags extends DataFlags {
  port: number;
  host?: string;
  masks?: string;
  public?: boolean;
  open?: boolean;
}

export function registerServe(program: Command): void {
  const serve = program
    .command('serve [folder]')
    .description('Watch runs as they train, in a page of this machine: states, curves, results.')
    .option('--port <n>', 'port; 0 takes any that is free', wholeNumber(0, 65_535), 8765)
    .option(
      '--host <address>',
      'listen on this address of the machine in place of the loopback; 0.0.0.0 for all',
    )
    .option('--masks <folder>', 'outlines of lesions: a mask ID.png for samples; phantoms need none')
    .option('--public', 'for others to look at: pseudonyms, no images of patients, no paths, nothing written')
    .option('--open', 'open the page in the browser');
  addDataOptions(serve, `data to look through before a run has any: ${WHAT_DATA_IS}`)
    .addHelpText(
      'after',
      `
FOLDER (default: runs) holds runs at any depth. The page changes no run, and needs no network. The address has a token, as
Jupyter's has: whoever knows it may look. With --data it also shows what anatomy data check finds in the data, and writes
a list of samples to leave out into FOLDER, which need not be there yet.

Examples:
  $ anatomy serve
  $ anatomy serve runs/methods --port 0 --open
  $ anatomy serve --data pairs.csv
On a machine elsewhere, keep the loopback and take the port along: ssh -L 8765:127.0.0.1:8765 MACHINE
See also: anatomy report, anatomy data check, anatomy experiment table`,
    )
    .action(async (root = 'runs', flags: Flags) => {
      const { port, host, masks, public: isPublic, open } = flags;
      const console = consoleOf(program);
      const data = await openedData(flags, console);
      // Threads that spin while they wait take the cores from the training that one watches, and then both are slow.
      process.env.OMP_WAIT_POLICY ??= 'passive';
      const { serve } = await import('../server/serve.js');
      const serving = await serve({ root, data, port, host, masks, isPublic });
      if (host !== undefined && !LOOPBACK.test(host)) {
        console.warn(
          `whoever reaches ${host} and learns the token sees your runs${isPublic ? '' : ' with their images and ids (--public shows neither)'}, over a connection that is not encrypted; without --host only this machine does`,
        );
      }
      print(`${serving.url}\n`);
      console.info(
        `serving the runs in ${root}${data === undefined ? '' : ` and the data ${data.name}`}; Ctrl-C ends it`,
      );
      if (open) openInBrowser(serving.url);
      const end = new Promise<NodeJS.Signals>((resolve) => {
        for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, resolve);
      });
      await end;
      await serving.close();
    });
}

/**
 * The data that the flags name, which were opened once to see that they can be; undefined where they name none.
 *
 * @throws DataError or UsageError as every command that opens data
 */
async function openedData(flags: Flags, console: MessageConsole): Promise<ServeOptions['data']> {
  if (DATA_FLAGS.every((name) => flags[name] === undefined)) return undefined;
  const [{ resolveConfig }, { datasetSpec }, { openDataset }] = await Promise.all([
    import('../config/index.js'),
    import('../training/datasetSpec.js'),
    import('../data/openDataset.js'),
  ]);
  const spec = datasetSpec(resolveConfig(configSources(flags)));
  await openDataset(spec, {
    positive: 'optional',
    onWarning: (message) => console.warn(message),
    onFault: () => {}, // the audit tells of it
  });
  return { name: nameOf(flags), spec };
}

/** The data as they were named after `--data`. */
function nameOf({ data, dataB }: DataFlags): string {
  if (typeof data !== 'object')
    return [data, dataB].filter((place) => place !== undefined).join(' --data-b ');
  return Object.entries(data)
    .map((pair) => pair.join('='))
    .join(' ');
}

const LOOPBACK = /^(127\.\d+\.\d+\.\d+|localhost|::1)$/;

function openInBrowser(url: string): void {
  const [command, ...args] = process.platform === 'darwin' ? ['open', url] : ['xdg-open', url];
  spawn(command!, args, { stdio: 'ignore', detached: true })
    .on('error', () => undefined) // the address stands on the terminal
    .unref();
}
