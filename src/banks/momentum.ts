import { noGrad, ops, type Tensor, TensorError } from '../tensor/index.js';

/**
 * Takes the momentum encoder's step: target ← m·target + (1 − m)·source, in place. m is the share that stays (0.999 in
 * MoCo); some libraries call 1 − m the momentum.
 * @param target the parameters of the momentum encoder by name
 * @param source the parameters of the trained encoder, under the same names
 * @throws TensorError naming parameters that the two do not share; nothing is changed then
 */
export function momentumUpdate(
  target: ReadonlyMap<string, Tensor>,
  source: ReadonlyMap<string, Tensor>,
  momentum: number,
): void {
  if (!(momentum >= 0 && momentum <= 1)) {
    throw new TensorError(`momentumUpdate: momentum is ${momentum}, expected a number in [0, 1]`);
  }
  const problems: string[] = [];
  for (const [name, { shape }] of target) {
    const other = source.get(name);
    if (other === undefined) problems.push(`${name} is missing from the source`);
    else if (other.shape.join() !== shape.join()) {
      problems.push(`${name} is [${other.shape}] in the source, expected [${shape}]`);
    }
  }
  for (const name of source.keys())
    if (!target.has(name)) problems.push(`${name} is missing from the target`);
  if (problems.length > 0) throw new TensorError(`momentumUpdate: ${problems.slice(0, 8).join('; ')}`);
  if (target.size === 0) return;
  const targets = [...target.values()];
  const sources = [...target.keys()].map((name) => source.get(name)!);
  noGrad(() => {
    ops.foreachMulScalar_(targets, momentum);
    ops.foreachAddList_(targets, sources, 1 - momentum);
  });
}
