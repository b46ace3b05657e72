import { native } from '../../src/tensor/native.js';

/**
 * Counts the tensors that were made and that nobody has disposed of. Unlike `liveTensors()` it counts those too that
 * the garbage collector has taken since: it may run between any two reads, and frees what earlier code forgot.
 */
export function undisposedTensors(): number {
  const engine = native();
  return engine.liveTensors() + engine.collectedTensors();
}
