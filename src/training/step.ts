import type { Batch, Forward, Method, Term } from '../methods/index.js';
import type { Sgd } from '../optim/index.js';
import { autocast, type Device, gradientsOf, noGrad, ops, type Tensor, tidy } from '../tensor/index.js';
import { autocastDtype, type LossScaler, type Precision } from './precision.js';

export interface StepOptions {
  method: Method;
  optimizer: Sgd;
  batch: Batch;
  learningRate: number;
  precision: Precision;
  device: Device;
  /** Present for fp16. */
  scaler?: LossScaler;
  /** Also compare with chance and measure the terms' gradients: costs a backward pass for each term. */
  inspect?: boolean;
}

export interface StepResult {
  /** The objective. */
  readonly loss: number;
  /** Every term unweighted, those of weight 0 too. */
  readonly terms: Readonly<Record<string, number>>;
  /** False: nothing was updated, because the objective is not a finite number. */
  readonly finite: boolean;
  /** With `inspect`: `chance/TERM`, `gradientNorm/TERM/MAP`, `gradientRatio/MAP`. */
  readonly inspection: Readonly<Record<string, number>>;
}

/** One update: views, one forward over all of them, the objective, backward, optimiser. Leaves no tensor behind. */
export function trainingStep({
  method,
  optimizer,
  batch,
  learningRate,
  precision,
  device,
  scaler,
  inspect = false,
}: StepOptions): StepResult {
  return tidy(() => {
    // The graph holds what backward needs and frees it as it goes; a handle here would keep every activation to the end.
    const { loss, values, inspection } = tidy(() => {
      const views = method.views(batch);
      const dtype = autocastDtype(precision);
      const forward =
        dtype === null ? method.forward(views) : autocast(dtype, () => method.forward(views), device);
      const terms = { ...forward.perPair, ...method.loss(forward.embeddings) };
      const loss = weightedSum(terms);
      const values = Object.fromEntries(
        Object.entries(terms).map(([name, { value }]) => [name, value.item()]),
      );
      const look = inspect && Number.isFinite(loss.item());
      return { loss, values, inspection: look ? inspectTerms(method, forward, terms) : {} };
    });
    const total = loss.item();
    if (!Number.isFinite(total)) return { loss: total, terms: values, finite: false, inspection };
    optimizer.zeroGrad();
    if (scaler === undefined) {
      loss.backward();
      optimizer.step(learningRate);
    } else {
      loss.mul(scaler.scale).backward();
      const finite = unscale(method, scaler.scale);
      if (finite) optimizer.step(learningRate);
      scaler.update(finite);
    }
    optimizer.zeroGrad();
    method.afterStep();
    return { loss: total, terms: values, finite: true, inspection };
  });
}

function weightedSum(terms: Readonly<Record<string, Term>>): Tensor {
  const weighted = Object.values(terms)
    .filter(({ weight }) => weight !== 0)
    .map(({ value, weight }) => (weight === 1 ? value : value.mul(weight)));
  return weighted.reduce((sum, term) => sum.add(term));
}

/** Divides the gradients by the scale. @returns whether all are finite */
function unscale(method: Method, scale: number): boolean {
  return noGrad(() =>
    tidy(() => {
      const gradients = [...method.parameters().values()].flatMap((parameter) => parameter.grad ?? []);
      ops.foreachMulScalar_(gradients, 1 / scale);
      return gradients.every((gradient) => Number.isFinite(gradient.sum().item()));
    }),
  );
}

/**
 * How hard each weighted term pulls at each map, ‖w ∂term/∂map‖₂, and the ratio of the terms that stand per pair (L_C) to
 * those that compare the batch (L_Glo). Beside them what each term would be by chance.
 */
function inspectTerms(
  method: Method,
  forward: Forward,
  terms: Readonly<Record<string, Term>>,
): Record<string, number> {
  const found: Record<string, number> = {};
  for (const [name, value] of Object.entries(method.chance(forward))) found[`chance/${name}`] = value;
  const mapNames = Object.keys(forward.maps);
  const squared: Record<'perPair' | 'batch', number[]> = {
    perPair: mapNames.map(() => 0),
    batch: mapNames.map(() => 0),
  };
  for (const [name, { value, weight }] of Object.entries(terms)) {
    if (weight === 0) continue;
    const gradients = gradientsOf([value], Object.values(forward.maps), { retainGraph: true });
    gradients.forEach((gradient, i) => {
      const norm =
        gradient === null ? 0 : weight * ops.vectorNorm(gradient.to({ dtype: 'f32' }), 2, null, false).item();
      found[`gradientNorm/${name}/${mapNames[i]}`] = norm;
      squared[name in forward.perPair ? 'perPair' : 'batch'][i]! += norm * norm;
    });
  }
  mapNames.forEach((name, i) => {
    const [perPair, batch] = [squared.perPair[i]!, squared.batch[i]!];
    if (perPair > 0 && batch > 0) found[`gradientRatio/${name}`] = Math.sqrt(perPair / batch);
  });
  return found;
}
