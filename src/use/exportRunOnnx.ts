import { exportOnnx } from '../export/onnx/exportOnnx.js';
import { makeFolderOf, refuseToReplace, writeFileAtomic } from '../files.js';
import { type Normalization, normalize } from '../methods/index.js';
import { disposeModule, type Encoder, stateDict } from '../nn/index.js';
import type { Tensor } from '../tensor/index.js';
import type { EncoderDescription } from '../training/encoderFile.js';
import { cacheSizeOf } from '../training/imageCache.js';
import { type CheckedOutput, checkOnnx } from './checkOnnx.js';
import { type ExportOptions, openExported } from './exported.js';

export interface OnnxExportOptions extends ExportOptions {
  /** The path of the file to write. */
  readonly out: string;
  /** Takes 8-bit images of any size instead of the network's input; see `preprocess`. */
  readonly preprocess?: boolean;
  /** Replaces a file that is there. */
  readonly overwrite?: boolean;
}

export interface OnnxExport {
  readonly file: string;
  readonly bytes: number;
  readonly metadata: Readonly<Record<string, string>>;
  /** How far onnxruntime's outputs are from LibTorch's; null where onnxruntime-node is not installed. */
  readonly check: readonly CheckedOutput[] | null;
}

/**
 * Writes the encoder of a run as ONNX and checks the file.
 * @throws UsageError where the run has no such encoder or the file may not be written, OnnxError where a part of the
 * network has no counterpart in ONNX
 */
export async function exportRunOnnx({
  out,
  preprocess = false,
  overwrite = false,
  ...options
}: OnnxExportOptions): Promise<OnnxExport> {
  refuseToReplace([out], out, overwrite);
  const { config, encoder, description } = await openExported(options);
  try {
    const { size, normalize: normalization } = config.data;
    const side = { size, cacheSize: cacheSizeOf(config) };
    const metadata = { ...flat(description, side), ...inputInWords(side, preprocess) };
    const network = networkOf(encoder, normalization);
    const model = exportOnnx(network, {
      imageShape: [3, size, size],
      weights: stateDict(encoder),
      metadata,
      ...(preprocess && { preprocess: side }),
    });
    makeFolderOf(out);
    writeFileAtomic(out, model);
    const check = await checkOnnx(model, network, { ...side, preprocess });
    return { file: out, bytes: model.length, metadata, check };
  } finally {
    disposeModule(encoder);
  }
}

/** The function that is exported: images in 0..1, [B, 3, size, size], to all outputs by name. */
export function networkOf(
  encoder: Encoder,
  normalization: Normalization,
): (images: Tensor) => Record<string, Tensor> {
  return (images) => {
    const { features, embedding, maps } = encoder.forward(normalize(images, normalization));
    return { features, embedding, ...Object.fromEntries(maps.map((map, i) => [`map${i}`, map])) };
  };
}

/** The description of an encoder as ONNX holds it: texts by key. */
function flat(
  { model, input, modalities, ...facts }: EncoderDescription,
  { cacheSize }: { readonly cacheSize: number },
): Record<string, string> {
  const { size, normalize: normalization, preprocess } = input;
  const all = {
    ...{ ...facts, branches: 1, ...model, size, cacheSize, normalize: normalization },
    ...{ preprocess: JSON.stringify(preprocess), modalities: modalities && JSON.stringify(modalities) },
  };
  return Object.fromEntries(
    Object.entries(all).flatMap(([key, value]) => (value === undefined ? [] : [[key, String(value)]])),
  );
}

/** Tells in words what to give to the model, and what of the preprocessing lies outside of it. */
function inputInWords(
  { size, cacheSize }: { readonly size: number; readonly cacheSize: number },
  inside: boolean,
): Record<string, string> {
  const outside = 'The crop and the intensities under "preprocess" are not inside the model.';
  if (inside) {
    return {
      input: `image: uint8 [height, width, channels], one image of any size with 1 or 3 channels. Resizing and normalisation are inside the model. ${outside}`,
    };
  }
  return {
    input: `images: float32 [batch, 3, ${size}, ${size}] in 0..1, gray repeated three times. The normalisation is inside the model. ${outside}`,
    resize: `Squash to a square of side min(${cacheSize}, height, width) by antialiased bilinear interpolation and round to 8 bits, halves up. Resize to ${size} in the same way without rounding, and divide by 255.`,
  };
}
