// From data to an encoder, judged and used: a tiny network on simulated pairs, in seconds.
//   node examples/pretrain.mjs
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  audit,
  disposeModule,
  embed,
  evaluate,
  fitModel,
  loadEncoder,
  openDataset,
  predict,
  pretrain,
  resolveConfig,
} from 'anatomy-ssl';

const folder = mkdtempSync(join(tmpdir(), 'example-'));
const run = join(folder, 'run');
const cacheFolder = join(folder, 'cache');
const path = 'phantom:breast,pairs=24,seed=0';

try {
  // 1. Open the data and look for what is wrong with it.
  const dataset = await openDataset({ path });
  const report = await audit(dataset, { quick: true });
  console.log(`${report.samples} pairs, ${report.counts.error} errors`);
  assert.equal(report.samples, 24);

  // 2. Pretrain without labels. Settings are those of `anatomy config show`.
  const config = resolveConfig({
    recipe: 'recommended',
    set: [
      'data.size=32',
      'model.width=0.125',
      'method.patches=[2,2]',
      'training.batchSize=12',
      'training.steps=4',
    ],
    flags: { 'data.path': path, 'data.cacheFolder': cacheFolder },
  });
  const outcome = await pretrain(config, { out: run });
  assert.equal(outcome.kind, 'finished');

  // 3. Judge it by labels, patients apart, beside the same encoder untrained and thumbnails.
  const judged = await evaluate({
    run,
    protocol: 'logreg',
    features: 'pooled',
    folds: 2,
    replicates: 100,
    cacheFolder,
  });
  for (const { key, metrics } of judged.rows) console.log(`${key}: AUC ${metrics.auc.pooled.toFixed(3)}`);
  assert.ok(judged.rows.some(({ key }) => key === 'run/pooled/a+b'));

  // 4. Read features of new images into a file.
  const summary = await embed({
    run,
    data: { path: 'phantom:breast,pairs=5,seed=1' },
    out: join(folder, 'f.npy'),
    cacheFolder,
  });
  assert.equal(summary.samples, 5);

  // 5. The encoder's file is enough to build it, without the run.
  const { encoder, description } = loadEncoder(join(run, 'encoder.safetensors'));
  console.log(
    `${description.model.branches} branches of ${encoder.backbone.name}, ${description.input.size} pixels`,
  );
  disposeModule(encoder);

  // 6. A model that gives probabilities for new images.
  await fitModel({ run, out: join(folder, 'model.safetensors'), folds: 2, cacheFolder });
  const { samples, files } = await predict({
    ...{ model: join(folder, 'model.safetensors'), data: { path: 'phantom:breast,pairs=5,seed=1' } },
    ...{ out: join(folder, 'predictions.csv'), cacheFolder },
  });
  assert.equal(readFileSync(files[0], 'utf8').trim().split('\n').length, 6);
  for (const { sample, called, probabilities } of samples)
    console.log(sample.id, called, probabilities[1].toFixed(2));
} finally {
  rmSync(folder, { recursive: true, force: true });
}
