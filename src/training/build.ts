import type { Config } from '../config/index.js';
import type { Dataset } from '../data/sample.js';
import { UsageError } from '../errors.js';
import { importEncoder } from '../export/encoder.js';
import { Anatomy, type Method } from '../methods/index.js';
import { Encoder, namedParameters, stateDict, vgg16 } from '../nn/index.js';
import { type Device, noGrad, ops, tidy, toChannelsLast } from '../tensor/index.js';

/** The encoder a config describes, with initial weights from its seed or from `model.initFrom`, on the device. */
export function buildEncoder({ model, data, seed }: Config, device: Device): Encoder {
  const { backbone, width, headInput, embeddingSize, initFrom } = model;
  const encoder = new Encoder({
    backbone: vgg16({ width, batchNorm: backbone === 'vgg16_bn', seed }),
    size: data.size,
    headInput,
    embeddingSize,
    seed,
  });
  if (initFrom !== null) importEncoder(initFrom, encoder);
  noGrad(() =>
    tidy(() => {
      for (const tensor of stateDict(encoder).values()) {
        const moved = tensor.to({ device });
        ops.setData(tensor, tensor.shape.length === 4 ? toChannelsLast(moved) : moved);
      }
      for (const parameter of namedParameters(encoder).values()) parameter.setRequiresGrad();
    }),
  );
  return encoder;
}

/** The pretraining method a config describes. @throws UsageError when it does not fit the data */
export function buildMethod(
  config: Config,
  dataset: Pick<Dataset, 'modalities' | 'colourCoded'>,
  device: Device,
): Method {
  const { data, method, augment, seed } = config;
  checkMaps(config);
  return new Anatomy({
    ...method,
    patches: method.patches as [number, number],
    encoder: buildEncoder(config, device),
    modalities: pairOf(dataset.modalities),
    size: data.size,
    seed,
    augmentation: augment,
    colourCoded: data.colourCoded ?? dataset.colourCoded ?? [],
    normalization: data.normalize,
  });
}

/** @throws UsageError unless there are exactly two modalities */
export function pairOf(modalities: readonly string[]): [string, string] {
  const [a, b] = modalities;
  if (a === undefined || b === undefined || modalities.length > 2) {
    throw new UsageError(
      `the data has ${modalities.length} modalities (${modalities.join(', ')}), the method needs two; name them with data.columns`,
    );
  }
  return [a, b];
}

/**
 * To be asked before anything is decoded.
 * @throws UsageError when a grid is finer than its map, with the smallest size that works
 */
export function checkMaps({ data, method }: Pick<Config, 'data' | 'method'>): void {
  const { maps, patches } = method;
  const perMap = Array.isArray(patches[0]);
  if (perMap && patches.length !== maps.length) {
    throw new UsageError(
      `method.patches has ${patches.length} grids for ${maps.length} maps; give one, or one for each`,
    );
  }
  maps.forEach((map, i) => {
    const grid = (perMap ? patches[i] : patches) as [number, number];
    const side = data.size / 2 ** map;
    const finest = Math.max(...grid);
    if (finest > side) {
      const smallest = Math.max(32, Math.ceil((finest * 2 ** map) / 16) * 16);
      throw new UsageError(
        `method.patches is ${grid.join('×')} on map ${map}, which is ${side}×${side} at data.size ${data.size}; use data.size ${smallest} or more, or a coarser grid`,
      );
    }
  });
}
