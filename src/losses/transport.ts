/**
 * Optimal transport between the patches of two images that are not aligned. Similar patches that lie near each other
 * belong together:
 *
 *   K_ij = exp(s_i^A·s_j^B/ε − ‖p_i − p_j‖²/(2σ²))       with s: unit vectors, p: the patches' centres, in patches
 *   T    = Sinkhorn(K)                                   rows and columns sum to 1
 *   s̃_i  = Σ_j T_ij s_j^B                                what B shows where A has patch i
 *
 * The correlation matrix of s̃ is T A^B Tᵀ, so Eq. 5 of s^A and s̃ is P⁻²‖A^A − T A^B Tᵀ‖²_F.
 */
import { noGrad, ops, type Tensor, tensor, tidy } from '../tensor/index.js';

export interface TransportOptions {
  /** ε of `transport`, the temperature of the patches' similarity; default 0.1. The smaller, the sharper is T. */
  transportEpsilon?: number;
  /**
   * σ of `transport`, in patches: how far a patch may have moved; default 1. The smaller, the nearer is the loss to
   * Eq. 5.
   */
  transportSigma?: number;
}

export const transportDefaults: Required<TransportOptions> = { transportEpsilon: 0.1, transportSigma: 1 };

const ITERATIONS = 10;

/**
 * Moves B's patches to where A has them, by T of both images. No gradient goes through T.
 *
 * @param sA unit vectors, [B, C, P]
 * @param sB unit vectors, [B, C, P]
 * @param moved the embeddings of B that are moved, [B, C, P]
 * @param grid [N^h, N^w]
 * @returns s̃: [B, C, P]
 */
export function transport(
  [sA, sB]: readonly [Tensor, Tensor],
  moved: Tensor,
  grid: readonly [number, number],
  options: TransportOptions,
): Tensor {
  return ops.bmm(moved, ops.transpose(transportPlan(sA, sB, grid, options), 1, 2));
}

/**
 * Computes T, without gradient. Ten rounds make the columns sum to 1 and then the rows. So the rows do exactly, which
 * makes each patch of A face a mean of B's patches. The columns do within a few hundredths at the defaults, and less
 * well where ε or σ is smaller.
 *
 * @param sA unit vectors, [B, C, P]
 * @param sB unit vectors, [B, C, P]
 * @returns T: [B, P, P]
 */
export function transportPlan(
  sA: Tensor,
  sB: Tensor,
  grid: readonly [number, number],
  {
    transportEpsilon: epsilon = transportDefaults.transportEpsilon,
    transportSigma: sigma = transportDefaults.transportSigma,
  }: TransportOptions,
): Tensor {
  return noGrad(() =>
    tidy(() => {
      let logits = tidy(() =>
        ops
          .bmm(ops.transpose(sA, 1, 2), sB)
          .div(epsilon)
          .sub(farness(grid, sigma, sA)),
      );
      for (let i = 0; i < ITERATIONS; i += 1) {
        // In the log domain, to make lines sum to 1 is a log-softmax. What it read is freed at once.
        for (const dim of [1, 2]) {
          const before = logits;
          logits = ops.logSoftmax(before, dim);
          before.dispose();
        }
      }
      return logits.exp();
    }),
  );
}

/** ‖p_i − p_j‖²/(2σ²): [P, P], in the dtype and on the device of `like`. */
function farness([rows, columns]: readonly [number, number], sigma: number, like: Tensor): Tensor {
  const { dtype, device } = like;
  const patches = rows * columns;
  // In doubles and per axis: (d/σ)² of 0 is 0 however small σ is, and that of another d at most ∞.
  const along = (length: number, shape: readonly number[]): Tensor => {
    const distances = Array.from({ length: length ** 2 }, (_, at) => Math.floor(at / length) - (at % length));
    return tensor(
      distances.map((d) => (d / sigma) ** 2 / 2),
      shape,
      { dtype, device },
    );
  };
  const both = along(rows, [rows, 1, rows, 1]).add(along(columns, [1, columns, 1, columns]));
  return ops.reshape(both, [patches, patches]);
}
