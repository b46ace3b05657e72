/** The weights that a run begins from, `model.initFrom`, and the images that they expect. */
import { existsSync, statSync } from 'node:fs';
import { type Config, type ConfigSources, resolveConfig } from '../config/index.js';
import { DataError, UsageError } from '../errors.js';
import { isOurs, readSafetensorsHeader } from '../export/safetensors.js';
import type { Normalization } from '../methods/index.js';
import { backboneNamed } from '../nn/index.js';
import { findEncoderDescription } from './encoderFile.js';
import { encoderPath, readRunConfig, runPaths } from './runFolder.js';

/**
 * The file that `model.initFrom` means: itself, or of a run its encoder; of a run with one for each modality that of the
 * same name.
 * @throws UsageError where nothing is there, or a folder without a finished run
 */
export function weightsAt(initFrom: string, name: string | undefined): string {
  const place = statSync(initFrom, { throwIfNoEntry: false });
  if (place === undefined) {
    throw new UsageError(
      `model.initFrom is ${initFrom}, and there is no such file; name weights (.safetensors or .pth) or the folder of a finished run`,
    );
  }
  if (!place.isDirectory()) return initFrom;
  const own = name === undefined ? undefined : encoderPath(initFrom, name);
  const file = own !== undefined && existsSync(own) ? own : runPaths(initFrom).encoder;
  if (existsSync(file)) return file;
  throw new UsageError(
    `model.initFrom is ${initFrom}: the folder has no encoder.safetensors; name a file of weights, or a finished run`,
  );
}

/**
 * Puts a config together as `resolveConfig` does. Where it names weights to begin from and no source says how images are
 * normalised, `data.normalize` is what the weights expect. A run that was begun otherwise keeps its own.
 *
 * @param options.out the folder of the run, which may have been begun
 * @param options.onNotice is told what was set, and how to undo it
 */
export function resolveStart(
  sources: ConfigSources,
  { out, onNotice }: { out?: string | undefined; onNotice: (message: string) => void },
): Config {
  const config = resolveConfig(sources);
  const { initFrom } = config.model;
  if (initFrom === null) return config;
  const begun = out !== undefined && existsSync(runPaths(out).config);
  const normalize = begun ? readRunConfig(out).data.normalize : expectedNormalization(config);
  const suited = resolveConfig({ ...sources, beneath: { data: { normalize } } });
  if (!begun && suited.data.normalize !== config.data.normalize) {
    onNotice(
      `data.normalize is set to ${normalize}, which ${initFrom} expects; give --set data.normalize=${config.data.normalize} if its weights were trained otherwise`,
    );
  }
  return suited;
}

/** How the images were normalised that weights were trained on; as the config says where nothing tells. */
function expectedNormalization({ model, data }: Config): Normalization {
  const file = weightsAt(model.initFrom!, undefined);
  const own = findEncoderDescription(file)?.input.normalize;
  if (own !== undefined) return own;
  return isPublic(file) ? backboneNamed(model.backbone).normalization : data.normalize;
}

function isPublic(file: string): boolean {
  try {
    return !isOurs(readSafetensorsHeader(file));
  } catch (error) {
    // Not safetensors: what torch.save writes.
    if (error instanceof DataError) return true;
    throw error;
  }
}
