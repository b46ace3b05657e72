/** Writes the weights of a run's encoder for other programs. */
import { UsageError } from '../errors.js';
import { separateModalities } from '../evaluation/encoders/runEncoders.js';
import { exportEncoder } from '../export/encoder.js';
import { saveState } from '../export/stateFile.js';
import { refuseToReplace } from '../files.js';
import { Branches, stateDict } from '../nn/index.js';
import { describeEncoder, type EncoderDescription, encoderMetadata } from '../training/encoderFile.js';
import { readProvenance } from '../training/provenance.js';
import { openSingleRun, RunNetworks } from './openEncoder.js';

export interface ExportOptions {
  /** The folder of a run. */
  readonly run: string;
  /** The file to write. */
  readonly out: string;
  /** The modality whose encoder is meant, where each has its own. */
  readonly modality?: string;
  /** Replaces a file that is there. */
  readonly overwrite?: boolean;
  readonly onWarning?: (message: string) => void;
}

export interface ExportedWeights {
  readonly file: string;
  /** The names of the tensors. */
  readonly names: readonly string[];
  readonly description: EncoderDescription;
}

/**
 * Writes the whole encoder as safetensors, with the metadata that suffices to build and to feed it. Its tensors have
 * the names of the public implementation of its backbone, and `head.*`; those of several backbones begin with
 * `branches.0.`, `branches.1.`.
 *
 * @throws UsageError where the run, the modality or the file does not fit
 */
export function exportSafetensors(options: ExportOptions): ExportedWeights {
  return withEncoder(options, (networks, modality, description) => {
    const encoder = networks.of(modality);
    exportEncoder(options.out, encoder, encoderMetadata(description));
    return { file: options.out, names: [...stateDict(encoder).keys()], description };
  });
}

/**
 * Writes the backbone alone as safetensors, for `load_state_dict` of torchvision's or timm's own model with
 * `strict=False`, as classifiers are not in it.
 *
 * @param options.branch the backbone that is meant, counted from 0, where the encoder has several
 * @throws UsageError where the run, the modality, the branch or the file does not fit
 */
export function exportTorchvision(options: ExportOptions & { readonly branch?: number }): ExportedWeights {
  return withEncoder(options, (networks, modality, description) => {
    const { backbone } = networks.of(modality);
    const count = backbone instanceof Branches ? backbone.count : 1;
    const { branch } = options;
    if (count > 1 && branch === undefined) {
      throw new UsageError(
        `${options.run}: its encoder has ${count} backbones side by side, and a public model has one; name one with --branch 0 … ${count - 1}, or write all of it with anatomy export safetensors`,
      );
    }
    if (branch !== undefined && (branch < 0 || branch >= count)) {
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
    saveState(options.out, state, { format: 'pt', ...encoderMetadata(description) }, { vouch: true });
    return { file: options.out, names: [...state.keys()], description };
  });
}

function withEncoder<T>(
  { run: root, out, modality, overwrite = false, onWarning = () => {} }: ExportOptions,
  write: (networks: RunNetworks, modality: string, description: EncoderDescription) => T,
): T {
  refuseToReplace([out], out, overwrite);
  const run = openSingleRun(root, onWarning);
  const networks = new RunNetworks(run, 'cpu');
  try {
    const separate = separateModalities(run.encoders[0]!);
    const { modalities = [], dataHash } = readProvenance(root);
    const own = modalityToExport(root, modality, modalities, separate);
    const description = describeEncoder(networks.config, {
      modalities,
      modality: separate.length === 0 ? undefined : own,
      publishedHash: dataHash,
    });
    return write(networks, own, description);
  } finally {
    networks.dispose();
  }
}

/** @param separate the modalities that have an encoder of their own beside the first one's */
function modalityToExport(
  root: string,
  asked: string | undefined,
  modalities: readonly string[],
  separate: readonly string[],
): string {
  const [first = 'a'] = modalities.filter((name) => !separate.includes(name));
  if (separate.length === 0) {
    if (asked === undefined || modalities.length === 0 || modalities.includes(asked)) return asked ?? first;
    throw new UsageError(
      `--modality is ${asked}, expected one of ${modalities.join(', ')}, which share one encoder`,
    );
  }
  const names = [first, ...separate];
  if (asked !== undefined && names.includes(asked)) return asked;
  throw new UsageError(
    asked === undefined
      ? `${root}: each modality has an encoder of its own; name one with --modality ${names.join(' or ')}`
      : `--modality is ${asked}, expected one of ${names.join(', ')}`,
  );
}
