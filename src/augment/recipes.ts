/** The recipes by which training images are varied. */
type Range = readonly [low: number, high: number];

/** The settings of an augmentation. All numbers mean what they mean in torchvision. */
export interface Augmentation {
  /** The ranges of RandomResizedCrop: share of the image's area, and width : height. Null: the whole image. */
  readonly crop: { readonly scale: Range; readonly ratio: Range } | null;
  /** The probability of mirroring left and right. */
  readonly flip: number;
  /**
   * The strengths x of ColorJitter. Factors come from [max(0, 1 − x), 1 + x], hue from [−x, x], in random order, and
   * all of it happens with `probability`.
   */
  readonly jitter: {
    readonly brightness: number;
    readonly contrast: number;
    readonly saturation: number;
    readonly hue: number;
    readonly probability: number;
  } | null;
  /** The probability of losing colour. */
  readonly grayscale: number;
  /** Whether grayscale comes before the jitter. Default: after it, as in SimCLR. */
  readonly grayscaleFirst?: boolean;
  /** The Gaussian blur, with sigma in pixels, which comes last. Its kernel is a tenth of the side. */
  readonly blur: { readonly probability: number; readonly sigma: Range } | null;
  /** Whether all modalities of a pair share one crop and flip, so that they stay aligned, or each has its own. */
  readonly geometry: 'shared' | 'independent';
}

/** The default ratio of torchvision, from Inception. */
const ratio: Range = [3 / 4, 4 / 3];

/**
 * The paper's "relatively moderate data augmentations (flip, crop and light color jittering)"; the numbers are ours.
 * Geometry is independent: augmented views only meet in the global loss, and Table 3's *With Aug* calls their patches
 * shuffled.
 */
const paper: Augmentation = {
  crop: { scale: [0.5, 1], ratio },
  flip: 0.5,
  jitter: { brightness: 0.2, contrast: 0.2, saturation: 0.2, hue: 0.05, probability: 1 },
  grayscale: 0,
  blur: null,
  geometry: 'independent',
};

/** The augmentation of the authors' snapshot (MathewCrespo/MM_unsupervised, main.py), after InstDis. */
const authors: Augmentation = {
  crop: { scale: [0.2, 1], ratio },
  flip: 0.5,
  jitter: { brightness: 0.4, contrast: 0.4, saturation: 0.4, hue: 0.4, probability: 1 },
  grayscale: 0.2,
  grayscaleFirst: true,
  blur: null,
  geometry: 'independent',
};

/** The augmentation of Chen et al. 2020, appendix A, with colour strength 1. */
const simclr: Augmentation = {
  crop: { scale: [0.08, 1], ratio },
  flip: 0.5,
  jitter: { brightness: 0.8, contrast: 0.8, saturation: 0.8, hue: 0.2, probability: 0.8 },
  grayscale: 0.2,
  blur: { probability: 0.5, sigma: [0.1, 2] },
  geometry: 'independent',
};

export const recipes = { paper, authors, simclr } as const;
export type RecipeName = keyof typeof recipes;

/**
 * Checks the numbers of an augmentation.
 *
 * @throws RangeError naming the first number that makes no sense
 */
export function checkAugmentation({ crop, flip, jitter, grayscale, blur }: Augmentation): void {
  if (crop !== null) {
    checkRange('crop.scale', crop.scale, 1);
    checkRange('crop.ratio', crop.ratio);
  }
  check('flip', flip, 1);
  if (jitter !== null) {
    check('jitter.brightness', jitter.brightness);
    check('jitter.contrast', jitter.contrast);
    check('jitter.saturation', jitter.saturation);
    check('jitter.hue', jitter.hue, 0.5);
    check('jitter.probability', jitter.probability, 1);
  }
  check('grayscale', grayscale, 1);
  if (blur !== null) {
    check('blur.probability', blur.probability, 1);
    checkRange('blur.sigma', blur.sigma);
  }
}

function check(name: string, value: number, most = Number.MAX_VALUE): void {
  if (!(value >= 0 && value <= most)) {
    throw new RangeError(
      `augmentation: ${name} is ${value}, expected ${most < Number.MAX_VALUE ? `0..${most}` : '≥ 0'}`,
    );
  }
}

function checkRange(name: string, [low, high]: Range, most = Number.MAX_VALUE): void {
  if (!(low > 0 && low <= high && high <= most)) {
    const limit = most < Number.MAX_VALUE ? `, up to ${most}` : '';
    throw new RangeError(`augmentation: ${name} is [${low}, ${high}], expected [low, high] above 0${limit}`);
  }
}
