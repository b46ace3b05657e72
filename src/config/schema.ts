/**
 * Every setting of a run with its documentation. A resolved config is complete: nothing is left to defaults.
 */
import { z } from 'zod';
import { methodSchema } from '../methods/index.js';
import { backboneNamed, backboneNames } from '../nn/index.js';

/** The message for whole alternatives of several kinds. That of zod would only say "Invalid input". */
const expected = (what: string) => ({ error: `expected ${what}` });

const range = z.tuple([z.number(), z.number()]);
const probability = z.number().min(0).max(1);

const crop = z.discriminatedUnion('kind', [
  z.strictObject({
    kind: z.literal('box'),
    left: z.int().min(0),
    top: z.int().min(0),
    width: z.int().min(1),
    height: z.int().min(1),
  }),
  z.strictObject({ kind: z.literal('ultrasound-region') }),
  z.strictObject({ kind: z.literal('colour-box'), of: z.string(), margin: z.int() }),
]);

const percent = z.number().min(0).max(100);
const increasing = { error: 'expected low below high' };
const intensity = z.discriminatedUnion('kind', [
  z
    .strictObject({ kind: z.literal('window'), low: z.number(), high: z.number() })
    .refine(({ low, high }) => low < high, increasing),
  z.strictObject({ kind: z.literal('file-window') }),
  z
    .strictObject({ kind: z.literal('percentile'), low: percent, high: percent })
    .refine(({ low, high }) => low < high, increasing),
  z.strictObject({ kind: z.literal('minmax') }),
]);

const preprocessing = z.strictObject({
  crop: crop.nullish(),
  intensity: intensity.nullish(),
});

const volumes = z.strictObject({
  axis: z
    .union(
      [z.literal([0, 1, 2]), z.enum(['axial', 'coronal', 'sagittal'])],
      expected('0, 1, 2, axial, coronal or sagittal'),
    )
    .describe('The slices’ normal: a stored axis, or a plane found by the file’s orientation.'),
  from: z.int().min(0).nullable().describe('First slice; null: 0.'),
  to: z.int().min(0).nullable().describe('Last slice; null: the last one.'),
  step: z.int().min(1),
  content: probability.describe(
    'Slices whose share of pixels above the volume’s darkest value is below this are left out.',
  ),
});

const data = z.strictObject({
  path: z.string().min(1).nullable().describe('Manifest, folder or phantom: what --data names.'),
  pathB: z.string().min(1).nullable().describe('Second of two folders matched by stem: --data-b.'),
  // The keys that may be absent have no default, so that runs and cells stored without them equal those of today.
  folders: z
    .record(z.string().min(1), z.string().min(1))
    .refine((folders) => Object.keys(folders).length > 0, 'expected at least one folder')
    .optional()
    .describe(
      'Modality → its folder or volume, matched by stem, in the place of path: --data flair=DIR t1=DIR.',
    ),
  modalities: z
    .array(z.string().min(1))
    .min(1)
    .optional()
    .describe(
      'The modalities by name, in their order: columns of a manifest, else a choice of what is there.',
    ),
  imageRoot: z
    .string()
    .min(1)
    .optional()
    .describe('Folder that image paths of the manifest are relative to; absent: the manifest’s own.'),
  subject: z
    .string()
    .min(1)
    .optional()
    .describe('Regular expression that names the patient in file names or ids, such as ^(P\\d+).'),
  columns: z
    .record(z.string(), z.string().nullable())
    .describe('Role → column name of the manifest, such as {a: flair}.'),
  positive: z
    .string()
    .nullable()
    .describe('The class that counts as positive, where its name does not tell.'),
  classes: z
    .array(z.string().min(1))
    .min(1)
    .nullable()
    .describe('Only samples of these classes; null: all, or what a known data set’s users take.'),
  spellings: z
    .enum(['join', 'keep'])
    .optional()
    .describe(
      'Subjects or classes that differ in case, spaces, zeros or Unicode form alone: join (as when left out) or keep.',
    ),
  drop: z
    .string()
    .min(1)
    .nullable()
    .describe('List of samples to leave out, as `data check --drop-list` writes it.'),
  preprocess: z
    .record(z.string(), preprocessing)
    .describe('Modality → crop and intensity mapping to 8 bits, such as {a: {intensity: {kind: minmax}}}.'),
  volumes: volumes.describe('Which slices of NIfTI volumes become samples.'),
  maxBytes: z
    .int()
    .min(1)
    .optional()
    .describe(
      'Most bytes that one image or volume may take decoded, by its header; absent: 536870912, which is 512 MiB.',
    ),
  shuffleBuffer: z
    .int()
    .min(1)
    .nullable()
    .describe(
      'Pairs held in memory while tar shards are streamed, drawn from in random order; null: all are decoded into the cache first.',
    ),
  size: z.int().min(32).multipleOf(16).describe('Side of the images the network sees, in pixels.'),
  cacheSize: z.int().min(32).nullable().describe('Side of the cached images; null: twice data.size.'),
  cacheFolder: z
    .string()
    .nullable()
    .describe('Where decoded images are kept; null: the user’s cache folder.'),
  normalize: z
    .enum(['none', 'imagenet'])
    .describe('Mean and standard deviation taken off the pixels, after scaling to 0..1.'),
  colourCoded: z
    .array(z.string())
    .nullable()
    .describe(
      'Modalities whose colours are measurements (SWE): no hue, gray or saturation change. Null: what the data set declares.',
    ),
  splits: z.string().nullable().describe('Splits file of `data split`.'),
  fold: z
    .union(
      [z.int().min(0), z.literal('all'), z.literal('none')],
      expected('a fold number from 0, all or none'),
    )
    .describe('Fold kept out of pretraining.'),
});

const model = z
  .strictObject({
    backbone: z
      .enum(backboneNames)
      .describe('The network from images to maps: a VGG, a ResNet, or a ViT with patches of 16 pixels.'),
    width: z.number().describe('Factor on all channels, such as 0.25; a multiple of 1/64, and 1 for a ViT.'),
    headInput: z
      .enum(['map', 'pool', 'gap'])
      .describe(
        'What the head reads: last map, what the backbone’s own classifier reads (of VGG the max-pooled last map, of others its average), or the last map’s average.',
      ),
    embeddingSize: z.int().min(1),
    branches: z
      .literal([1, 2])
      .optional()
      .describe(
        'Backbones of this width side by side, each with a head for its half of the embedding; absent: 1. See method.common.',
      ),
    initFrom: z
      .string()
      .nullable()
      .describe('Weights to start from: safetensors, or .pth, of torchvision, timm, DINO, MAE or ours.'),
  })
  .superRefine(({ backbone, width }, context) => {
    const fault = backboneNamed(backbone).widthFault(width);
    if (fault !== undefined) context.addIssue({ code: 'custom', path: ['width'], message: fault });
  });

const augment = z.strictObject({
  crop: z.strictObject({ scale: range, ratio: range }).nullable(),
  flip: probability,
  jitter: z
    .strictObject({
      brightness: z.number().min(0),
      contrast: z.number().min(0),
      saturation: z.number().min(0),
      hue: z.number().min(0).max(0.5),
      probability,
    })
    .nullable(),
  grayscale: probability,
  grayscaleFirst: z.boolean(),
  blur: z.strictObject({ probability, sigma: range }).nullable(),
  geometry: z.enum(['shared', 'independent']),
});

const schedule = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('constant') }),
  z.strictObject({
    kind: z.literal('multistep'),
    milestones: z.array(z.int().min(0)),
    gamma: z.number().positive(),
    unit: z.enum(['epoch', 'step']),
  }),
  z.strictObject({ kind: z.literal('cosine'), minimum: z.number().min(0) }),
]);

const training = z
  .strictObject({
    epochs: z.int().min(1),
    steps: z.int().min(1).nullable().describe('Ends the run after so many steps, whatever epochs says.'),
    batchSize: z.int().min(1).describe('Pairs a step.'),
    microBatch: z
      .union([z.int().min(1), z.literal('auto')], expected('a number of pairs or auto'))
      .nullable()
      .describe(
        'Pairs in one forward pass; the loss is still over batchSize. Batch norm sees one micro-batch at a time. auto: as many as half of the memory holds, on a GPU at most 32; null: all.',
      ),
    batchNorm: z
      .enum(['sync', 'local'])
      .optional()
      .describe(
        'Where several processes train together: sync, batch norm over the batches of all, as in one process; local, over each one’s own, as on the authors’ four GPUs; absent: sync.',
      ),
    recompute: z
      .enum(['none', 'cheap'])
      .optional()
      .describe(
        'On the CPU, what the backward pass computes again in place of keeping it, with the same bits. cheap: the inputs of convolutions after batch norm; absent: none.',
      ),
    dropLast: z.boolean().describe('Leave out an epoch’s last batch when it is not full.'),
    learningRate: z.number().positive(),
    momentum: z.number().min(0).lt(1),
    weightDecay: z.number().min(0),
    nesterov: z.boolean(),
    schedule,
    warmupSteps: z.int().min(0),
    restarts: z
      .array(z.int().min(1))
      .refine(
        (steps) => steps.every((step, i) => i === 0 || step > steps[i - 1]!),
        'expected steps in ascending order',
      )
      .optional()
      .describe('Steps at which the schedule begins anew, as pretrain --more-steps adds them; absent: none.'),
    precision: z
      .enum(['auto', 'fp32', 'bf16', 'fp16'])
      .describe('auto: bf16 where the machine has it, else fp32.'),
    device: z.string().regex(/^(auto|cpu|cuda|cuda:\d+)$/, 'expected auto, cpu, cuda or cuda:N'),
    threads: z.int().min(1).nullable().describe('Null: LibTorch’s own choice.'),
    checkpointEvery: z.int().min(1).describe('Steps between checkpoints.'),
    keepCheckpoints: z.int().min(1),
  })
  .refine(({ nesterov, momentum }) => !nesterov || momentum > 0, {
    path: ['nesterov'],
    error: 'needs training.momentum above 0',
  });

const monitor = z.strictObject({
  every: z.int().min(1).describe('Steps between looks at the embeddings and the gradients.'),
  pairs: z.int().min(2).describe('Pairs looked at, held-out ones where there are any.'),
  neighbours: z.int().min(1).describe('k of the kNN monitor.'),
});

export const configSchema = z.strictObject({
  recipe: z.string(),
  seed: z.int().min(0),
  data,
  model,
  method: methodSchema,
  augment,
  training,
  monitor,
});

export type Config = z.infer<typeof configSchema>;
