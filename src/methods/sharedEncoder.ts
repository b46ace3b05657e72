import { disposeModule, type Encoder, namedParameters, stateDict } from '../nn/index.js';
import type { Tensor } from '../tensor/index.js';
import type { MethodContext } from './definition.js';

/** The part of a method that has one encoder for all modalities. A method with more to train or to keep adds that. */
export abstract class SharedEncoder {
  protected readonly context: MethodContext;
  protected readonly encoder: Encoder;

  constructor(context: MethodContext) {
    this.context = context;
    this.encoder = context.makeEncoder();
  }

  parameters(): ReadonlyMap<string, Tensor> {
    return namedParameters(this.encoder);
  }

  state(): ReadonlyMap<string, Tensor> {
    return stateDict(this.encoder);
  }

  encoderFor(): Encoder {
    return this.encoder;
  }

  dispose(): void {
    disposeModule(this.encoder);
  }
}
