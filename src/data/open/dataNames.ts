/**
 * The kinds of data that `--data` may name, for help and errors. They are written out here without imports, as
 * `--help` must not wait for the code that opens data.
 */
export const KNOWN_DATASETS = ['BraTS', 'US-SWE', 'Fundus-FFA', 'BUSI', 'iChallenge-PM', 'iChallenge-AMD'];

export const WHAT_DATA_IS =
  'a manifest (.csv), a folder with manifest.csv, two folders of images or two volumes (--data A --data-b B), ' +
  'a folder or volume for each modality (--data flair=DIR t1=DIR), a folder of images or of a folder for each class, ' +
  `a known data set’s folder (${KNOWN_DATASETS.join(', ')}), a pack (.safetensors), ` +
  'tar shards (name-{000000..000009}.tar or their folder), or a phantom (phantom:breast or phantom:fundus, as in phantom:fundus,pairs=400,seed=0)';
