/** Judges the rows with a protocol that is trained by gradient descent. */
import { backboneNamed } from '../../nn/index.js';
import {
  type CrossValidationSources,
  crossValidateEncoders,
  crossValidateThumbnails,
} from '../crossValidate.js';
import type { RowOutcome } from '../probes/probe.js';
import type { RowName } from '../results/evaluationResult.js';
import { type TrainedProbe, trainingSettings, weightsOf } from './trainedProbe.js';
import { trainRows } from './trainedRows.js';

/**
 * Judges the rows with a trained probe. The authors' linear probe sees whole images only, so it is computed on features
 * that are read once; every other recipe is trained on images.
 *
 * @param protocol the name of the protocol, for the result
 */
export async function judgeTrained(
  protocol: string,
  probe: TrainedProbe,
  rows: readonly RowName[],
  sources: CrossValidationSources,
): Promise<{ outcomes: Map<string, RowOutcome>; settings: Record<string, unknown> }> {
  const onFeatures = probe.finetune === undefined && probe.preset.onFeatures === true;
  const { backbone } = sources.plan.rounds[0]!.encoder.config.model;
  const samples = sources.plan.rounds.map(({ train }) => train.length);
  return {
    outcomes: onFeatures
      ? await onFrozenFeatures(probe, rows, sources)
      : await onImages(probe, rows, sources),
    settings: {
      recipe: `${probe.preset.name}-${protocol}`,
      standardize: 'none',
      ...trainingSettings(probe, samples, backboneNamed(backbone).layers),
    },
  };
}

async function onFrozenFeatures(
  { preset, classWeights }: TrainedProbe,
  rows: readonly RowName[],
  sources: CrossValidationSources,
): Promise<Map<string, RowOutcome>> {
  const { epochs, batchSize, learningRate, schedule } = preset;
  const milestones = schedule.kind === 'multistep' ? schedule.milestones : [];
  return crossValidateEncoders(
    rows,
    (labels, classes) => ({
      kind: 'linear',
      options: {
        epochs,
        batchSize,
        learningRate,
        milestones,
        classWeights: weightsOf(classWeights, labels, classes),
      },
    }),
    sources,
  );
}

async function onImages(
  probe: TrainedProbe,
  rows: readonly RowName[],
  sources: CrossValidationSources,
): Promise<Map<string, RowOutcome>> {
  return new Map([
    ...(await crossValidateThumbnails(rows, sources)),
    ...(await trainRows(rows, { ...sources, probe }, sources.console)),
  ]);
}
