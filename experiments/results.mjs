/** Opens the packed results of `experiments/results`, packs an experiment's folder, and checks what is packed: see HELP. */
import { checkSums, PackingError, pack, unpack, writeSums } from './packing/packedFolder.mjs';

const HELP = `Usage:
  node experiments/results.mjs unpack PACKED FOLDER   make FOLDER, which anatomy experiment table reads
  node experiments/results.mjs pack FOLDER PACKED     pack experiment.json and cells/ of FOLDER
  node experiments/results.mjs check PACKED           compare all files with their checksums
  node experiments/results.mjs sums PACKED            write the checksums anew, after a table has changed

For example:
  node experiments/results.mjs unpack experiments/results/study runs/study
  node dist/cli/main.js experiment table runs/study

What packing keeps of the numbers stands in experiments/results/README.md.
`;

/** By name, what a command does and how many folders it asks for. */
const COMMANDS = {
  unpack: { folders: 2, run: unpack },
  pack: { folders: 2, run: pack },
  check: { folders: 1, run: checkSums },
  sums: { folders: 1, run: writeSums },
};

const [name, ...folders] = process.argv.slice(2);
if (['--help', '-h'].includes(name)) {
  process.stdout.write(HELP);
} else {
  try {
    const command = COMMANDS[name];
    if (folders.length !== command?.folders) throw new PackingError(HELP.trim());
    command.run(...folders);
  } catch (error) {
    if (!(error instanceof PackingError)) throw error;
    process.stderr.write(`${error.message}\n`);
    process.exitCode = 1;
  }
}
