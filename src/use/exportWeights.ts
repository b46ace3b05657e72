/** Writes the weights of a run's encoder for other programs. */
import { UsageError } from '../errors.js';
import { exportEncoder } from '../export/encoder.js';
import { saveState } from '../export/stateFile.js';
import { makeFolderOf, refuseToReplace } from '../files.js';
import { Branches, disposeModule, stateDict } from '../nn/index.js';
import { type EncoderDescription, encoderMetadata } from '../training/encoderFile.js';
import { type Exported, type ExportOptions, openExported } from './exported.js';

export interface WeightsExportOptions extends ExportOptions {
  /** The path of the file to write. */
  readonly out: string;
  /** Replaces a file that is there. */
  readonly overwrite?: boolean;
}

export interface ExportedWeights {
  readonly file: string;
  /** The number of tensors. */
  readonly tensors: number;
  readonly description: EncoderDescription;
}

/**
 * Writes the whole encoder as safetensors, with the metadata that suffices to build and to feed it. Its tensors have
 * the names of the public implementation of its backbone, and `head.*`; those of several backbones begin with
 * `branches.0.`, `branches.1.`.
 *
 * @throws UsageError where the run, the modality or the file does not fit
 */
export function exportSafetensors(options: WeightsExportOptions): Promise<ExportedWeights> {
  return exporting(options, ({ encoder, description }) => {
    exportEncoder(options.out, encoder, encoderMetadata(description));
    return { file: options.out, tensors: stateDict(encoder).size, description };
  });
}

/**
 * Writes the backbone alone as safetensors, for `load_state_dict` of torchvision's or timm's own model with
 * `strict=False`, as classifiers are not in it.
 *
 * @param options.branch the backbone that is meant, counted from 0, where the encoder has several
 * @throws UsageError where the run, the modality, the branch or the file does not fit
 */
export function exportTorchvision(
  options: WeightsExportOptions & { readonly branch?: number },
): Promise<ExportedWeights> {
  return exporting(options, ({ encoder: { backbone }, description }) => {
    const { run, out, branch } = options;
    const count = backbone instanceof Branches ? backbone.count : 1;
    if (count > 1 && branch === undefined) {
      throw new UsageError(
        `${run}: its encoder has ${count} backbones side by side, and a public model has one; name one with --branch 0 … ${count - 1}, or write all of it with anatomy export safetensors`,
      );
    }
    if (branch !== undefined && branch >= count) {
      throw new UsageError(
        `--branch is ${branch}, expected 0${count > 1 ? ` … ${count - 1}` : ', the only one'}`,
      );
    }
    const prefix = count > 1 ? `branches.${branch}.` : '';
    const state = new Map(
      [...stateDict(backbone)].flatMap(([name, value]) =>
        name.startsWith(prefix) ? [[name.slice(prefix.length), value] as const] : [],
      ),
    );
    saveState(out, state, { format: 'pt', ...encoderMetadata(description) }, { vouch: true });
    return { file: out, tensors: state.size, description };
  });
}

async function exporting(
  options: WeightsExportOptions,
  write: (exported: Exported) => ExportedWeights,
): Promise<ExportedWeights> {
  const { out, overwrite = false } = options;
  refuseToReplace([out], out, overwrite);
  const exported = await openExported(options);
  try {
    makeFolderOf(out);
    return write(exported);
  } finally {
    disposeModule(exported.encoder);
  }
}
