/** Methods without any pretraining of ours: random weights ("w/o pretrain"), and weights that came from elsewhere. */
import { z } from 'zod';
import { UsageError } from '../errors.js';
import { disposeModule, type Encoder, stateDict } from '../nn/index.js';
import { TensorError } from '../tensor/index.js';
import { defineMethod, type MethodContext } from './definition.js';
import type { Method } from './method.js';
import { makeViews } from './views.js';

export const random = defineMethod({
  name: 'random',
  summary: 'random weights with calibrated batch norm: the row "w/o pretrain"',
  schema: z.strictObject({ name: z.literal('random') }),
  defaults: { name: 'random' },
  trains: false,
  check: (_, { givenWeights }) => {
    if (!givenWeights) return;
    throw new UsageError(
      'method random starts from the seed, and model.initFrom names weights; leave out --init-from, or use --method imagenet for weights as they are',
    );
  },
  create: (_, context) => untrained('random', context),
});

export const imagenet = defineMethod({
  name: 'imagenet',
  summary: 'weights given with --init-from, such as torchvision’s of ImageNet, as they are',
  schema: z.strictObject({ name: z.literal('imagenet') }),
  defaults: { name: 'imagenet' },
  trains: false,
  elsewhere: { data: { normalize: 'imagenet' } },
  check: (_, { givenWeights }) => {
    if (givenWeights) return;
    throw new UsageError(
      'method imagenet needs weights; give a file by --init-from, such as torchvision’s, and the model.backbone and model.width it was made for',
    );
  },
  create: (_, context) => untrained('imagenet', context),
});

function untrained(name: string, context: MethodContext): Method {
  const encoder: Encoder = context.makeEncoder();
  const nothing = (): never => {
    throw new TensorError(`${name}: there is nothing to train`);
  };
  return {
    name,
    comparesBatch: false,
    parameters: () => new Map(),
    state: () => stateDict(encoder),
    views: (batch) =>
      makeViews(
        batch,
        context.modalities.map((modality) => ({ modality, look: 'whole' })),
        context,
      ),
    forward: nothing,
    chance: nothing,
    encoderFor: () => encoder,
    dispose: () => disposeModule(encoder),
  };
}
