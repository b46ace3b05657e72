import { supportsBf16 } from './cpu.js';
import { native, type PackedHandle } from './native.js';
import { Tensor } from './tensor.js';

export interface PackOptions {
  /** [out, in, k, k] on the CPU, f32 or bf16. */
  readonly weight: Tensor;
  readonly bias: Tensor | null;
  readonly stride: readonly [number, number];
  readonly padding: readonly [number, number];
  /** Whether a ReLU comes after it. */
  readonly relu: boolean;
}

/**
 * A convolution without gradient, with a copy of the weights in the order that oneDNN's kernel likes. `conv2d` brings
 * them into it at each call, and its ReLU is another pass over the output. The numbers are the same, to the bit.
 */
export class PackedConvolution {
  readonly #handle: PackedHandle;

  private constructor(handle: PackedHandle) {
    this.#handle = handle;
  }

  /**
   * Packs the weights for inputs [B, in, H, W] such as this one; those of another size get the same numbers, if slower.
   *
   * @returns undefined where the loaded LibTorch, or the processor, has no such kernel
   */
  static make(
    input: Tensor,
    { weight, bias, stride, padding, relu }: PackOptions,
  ): PackedConvolution | undefined {
    if (weight.dtype === 'bf16' && !supportsBf16()) return undefined;
    const { packConvolution } = native();
    const handle = packConvolution(weight.handle, bias?.handle ?? null, stride, padding, input.shape, relu);
    return handle === null ? undefined : new PackedConvolution(handle);
  }

  /** [B, in, H, W] of the weights' dtype → [B, out, H', W'] */
  forward(input: Tensor): Tensor {
    return new Tensor(native().runPacked(this.#handle, input.handle));
  }

  dispose(): void {
    native().freePacked(this.#handle);
  }
}
