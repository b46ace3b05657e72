import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { resolveConfig } from '../../src/config/index.js';
import { MessageConsole } from '../../src/log/console.js';
import { pretrain } from '../../src/training/pretrain.js';
import { nifti } from '../data/handmadeVolumes.js';

/** Stored with the feet along the first axis, the front along the second and the left along the third. */
const ON_ITS_SIDE = [
  [0, 0, -1, 12],
  [0, 1, 0, 0],
  [-1, 0, 0, 9],
];
export const SLICES = 10;
const SIDE = 12;

/** The axial slices that the run has. */
export const TAKEN = [2, 4, 6, 8];

/** From this slice on the patient's right front is bright, which images show in the upper left. */
export const BRIGHT_FROM = 5;

/** A run that was trained on slices of volumes of four patients, `a` gzipped, `b` not, nor does it say how the patient lay. */
export async function volumeRun(folder: string, root: string): Promise<void> {
  mkdirSync(folder, { recursive: true });
  const rows = [0, 1, 2, 3].map((patient) => {
    const volume = (modality: number) =>
      nifti(
        [SLICES, SIDE, SIDE],
        (down, front, left) =>
          down >= BRIGHT_FROM && front >= SIDE / 2 && left < SIDE / 2
            ? 240
            : 30 + 40 * modality + ((3 * down + 5 * front + 7 * left + patient) % 11),
        ON_ITS_SIDE,
        (header) => modality === 1 && header.writeInt16LE(0, 254),
      );
    writeFileSync(join(folder, `p${patient}-a.nii.gz`), volume(0));
    writeFileSync(join(folder, `p${patient}-b.nii`), gunzipSync(volume(1)));
    return `p${patient},p${patient},p${patient}-a.nii.gz,p${patient}-b.nii,${patient % 2 ? 'ill' : 'well'}`;
  });
  const manifest = join(folder, 'pairs.csv');
  writeFileSync(manifest, `${['id,subject,a,b,label', ...rows].join('\n')}\n`);
  const config = resolveConfig({
    set: [
      ...[
        'data.size=32',
        'model.width=0.25',
        'method.patches=[2,2]',
        'method.maps=[1,2,3]',
        'data.positive=ill',
      ],
      ...['data.volumes.from=2', 'data.volumes.step=2'],
      ...['a', 'b'].map((one) => `data.preprocess.${one}.intensity={kind: minmax}`),
      ...['training.batchSize=4', 'training.steps=1', 'training.precision=fp32'],
    ],
    flags: { 'data.path': manifest, 'data.cacheFolder': join(folder, 'cache') },
  });
  await pretrain(config, { out: root, console: new MessageConsole({ quiet: true }) });
}
