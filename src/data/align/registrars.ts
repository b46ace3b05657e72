/** What registers pairs: elastix, or another method. */
import type { Alignment } from '../open/alignment.js';
import { type AlignOptions, alignPair } from './alignPair.js';
import {
  byElastix,
  ELASTIX_VERSION,
  elastixParameters,
  loadElastix,
  transformationNames,
} from './elastix.js';
import { openThreads, type Registrars } from './threads.js';
import type { TransformationKind } from './transformation.js';

/** A way to register pairs, with what is told of it beside the transformations. */
export interface RegistrationMethod {
  readonly told: Pick<Alignment, 'tool' | 'metric' | 'parameters'>;
  readonly open: (options: AlignOptions) => Promise<Registrars>;
}

export function elastix(kind: TransformationKind): RegistrationMethod {
  return {
    told: {
      tool: `@itk-wasm/elastix ${ELASTIX_VERSION}`,
      metric: elastixParameters.Metric![0]!,
      parameters: { ...elastixParameters, Transform: [transformationNames[kind]] } as Alignment['parameters'],
    },
    open: openElastix,
  };
}

/** @throws AnatomyError if elastix is not installed */
async function openElastix(options: AlignOptions): Promise<Registrars> {
  const register = await loadElastix();
  return (
    openThreads({ worker: new URL('./alignWorker.js', import.meta.url), workerData: options }) ?? {
      count: 1,
      align: (a, b) => alignPair({ a, b }, options, byElastix({ a, b }, register)),
      close: async () => undefined,
    }
  );
}
