/** Blurs numbers in memory, for drawing and for the audit; `augment/blur.ts` blurs tensors in training. */
/** Samples exp(−x²/2σ²) for |x| ≤ 3σ (σ in samples), scaled to a sum of one. */
export function gaussianKernel(sigma: number): Float64Array {
  const radius = Math.ceil(3 * sigma);
  const kernel = Float64Array.from({ length: 2 * radius + 1 }, (_, i) =>
    sigma > 0 ? Math.exp(-0.5 * ((i - radius) / sigma) ** 2) : 1,
  );
  const total = kernel.reduce((sum, w) => sum + w, 0);
  return kernel.map((w) => w / total);
}

/**
 * Filters by a separable Gaussian. σ is in pixels, and 0 leaves that axis alone. Mirrored edges keep a constant
 * constant.
 */
export function gaussianBlur(
  image: Float32Array,
  width: number,
  height: number,
  sigmaX: number,
  sigmaY: number,
): Float32Array {
  const rows = sigmaX > 0 ? blurRows(image, width, height, gaussianKernel(sigmaX)) : image;
  return sigmaY > 0 ? blurColumns(rows, width, height, gaussianKernel(sigmaY)) : rows.slice();
}

function blurRows(image: Float32Array, width: number, height: number, kernel: Float64Array): Float32Array {
  const radius = (kernel.length - 1) / 2;
  const out = new Float32Array(image.length);
  const padded = new Float64Array(width + 2 * radius);
  for (let i = 0; i < height; i += 1) {
    for (let j = 0; j < padded.length; j += 1) padded[j] = image[i * width + mirror(j - radius, width)]!;
    for (let j = 0; j < width; j += 1) {
      let sum = 0;
      for (let k = 0; k < kernel.length; k += 1) sum += kernel[k]! * padded[j + k]!;
      out[i * width + j] = sum;
    }
  }
  return out;
}

function blurColumns(image: Float32Array, width: number, height: number, kernel: Float64Array): Float32Array {
  const radius = (kernel.length - 1) / 2;
  const out = new Float32Array(image.length);
  const sums = new Float64Array(width);
  for (let i = 0; i < height; i += 1) {
    sums.fill(0);
    for (let k = 0; k < kernel.length; k += 1) {
      const from = mirror(i + k - radius, height) * width;
      const weight = kernel[k]!;
      for (let j = 0; j < width; j += 1) sums[j]! += weight * image[from + j]!;
    }
    out.set(sums, i * width);
  }
  return out;
}

/** Reflects an index into [0, n), with the edge sample repeated: … 1 0 | 0 1 … */
function mirror(index: number, n: number): number {
  const period = 2 * n;
  const folded = ((index % period) + period) % period;
  return folded < n ? folded : period - 1 - folded;
}
