/**
 * Registers two gray images with elastix (Klein et al. 2010) as WebAssembly: Mattes mutual information, adaptive
 * stochastic gradient descent, four resolutions.
 */
import { AnatomyError } from '../../errors.js';
import { warp } from '../images/warp.js';
import type { Raster } from '../sample.js';
import type { Registration } from './alignPair.js';
import { gray } from './grayImage.js';
import { localContrast } from './localContrast.js';
import { type Affine, compose, type TransformationKind } from './transformation.js';

/** What elastix calls the transformations. */
export const transformationNames: Readonly<Record<TransformationKind, string>> = {
  rigid: 'EulerTransform',
  similarity: 'SimilarityTransform',
  affine: 'AffineTransform',
};

/** The package, which is asked for only by those who register images. */
const PACKAGE = '@itk-wasm/elastix';
export const ELASTIX_VERSION = '1.0.1';

/** What elastix is asked for, in its own names. */
export const elastixParameters: Readonly<Record<string, readonly string[]>> = {
  Registration: ['MultiResolutionRegistration'],
  NumberOfResolutions: ['4'],
  FixedImagePyramid: ['FixedSmoothingImagePyramid'],
  MovingImagePyramid: ['MovingSmoothingImagePyramid'],
  Metric: ['AdvancedMattesMutualInformation'],
  Optimizer: ['AdaptiveStochasticGradientDescent'],
  MaximumNumberOfIterations: ['256'],
  AutomaticParameterEstimation: ['true'],
  AutomaticScalesEstimation: ['true'],
  NumberOfSamplesForExactGradient: ['4096'],
  ImageSampler: ['RandomCoordinate'],
  NumberOfSpatialSamples: ['2048'],
  NewSamplesEveryIteration: ['true'],
  CheckNumberOfSamples: ['true'],
  MaximumNumberOfSamplingAttempts: ['8'],
  RandomSeed: ['1'],
  Interpolator: ['LinearInterpolator'],
  Resampler: ['DefaultResampler'],
  ResampleInterpolator: ['FinalBSplineInterpolator'],
  FinalBSplineInterpolationOrder: ['3'],
  DefaultPixelValue: ['0'],
  ResultImageFormat: ['nii'],
  WriteIterationInfo: ['false'],
  WriteResultImage: ['false'],
};

/** Finds the transformation from the points of `fixed` to those of `moving`, which begins at `start`. */
export type Register = (
  fixed: Raster,
  moving: Raster,
  kind: TransformationKind,
  start: Affine,
) => Promise<Affine | undefined>;

/** @throws AnatomyError if the package is not installed */
export async function loadElastix(): Promise<Register> {
  const { elastixNode } = await import('@itk-wasm/elastix').catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'ERR_MODULE_NOT_FOUND') throw error;
    throw new AnatomyError(
      `Registration needs the package ${PACKAGE}, which is not installed: npm install ${PACKAGE}@${ELASTIX_VERSION}`,
    );
  });

  return async (fixed, moving, kind, start) => {
    // elastix begins at the identity, so the image is brought to the start first.
    const begun = warp(moving, start, fixed.width, fixed.height);
    const parameters = [{ ...elastixParameters, Transform: [transformationNames[kind]] }];
    const found = await elastixNode(parameters as never, {
      fixed: imageOf(fixed),
      moving: imageOf(begun),
    }).catch((error: unknown) => {
      // Where too few of the pixels overlap, elastix gives up on the pair, in words or as a bare number.
      if (!(error instanceof Error) || error.message.includes('itk::ExceptionObject')) return undefined;
      throw error;
    });
    const transformation = found && readTransformation(found.transformParameterObject);
    return transformation?.every(Number.isFinite) ? compose(start, transformation) : undefined;
  };
}

/**
 * Registers a pair by elastix: as the images are, which is the more exact, and by their local contrast, as brightness may
 * be the camera's.
 */
export function byElastix(
  pair: { readonly a: Raster; readonly b: Raster },
  register: Register,
): readonly Registration[] {
  const [a, b] = [gray(pair.a), gray(pair.b)];
  return [
    { a, b },
    { a: localContrast(a), b: localContrast(b) },
  ].map(
    (look): Registration =>
      (way, kind, start) =>
        way === 'there' ? register(look.a, look.b, kind, start) : register(look.b, look.a, kind, start),
  );
}

/** The image as ITK describes one: one number a pixel, pixels of size 1, from the origin. */
function imageOf({ width, height, data }: Raster) {
  return {
    imageType: { dimension: 2, componentType: 'float32', pixelType: 'Scalar', components: 1 } as const,
    name: 'image',
    origin: [0, 0],
    spacing: [1, 1],
    direction: Float64Array.of(1, 0, 0, 1),
    size: [width, height],
    metadata: new Map<string, never>(),
    data: Float32Array.from(data),
  };
}

/** Reads elastix's transformation, whose points count from the middle of the first pixel. */
function readTransformation(object: unknown): Affine {
  const [map] = [object].flat() as Readonly<Record<string, readonly string[]>>[];
  const numbers = (name: string) => map![name]!.map(Number);
  const [x, y] = numbers('CenterOfRotationPoint') as [number, number];
  const [a, b, d, e, right, down] = matrixOf(map!.Transform![0]!, numbers('TransformParameters'));
  const about: Affine = [a, b, x - a * x - b * y + right, d, e, y - d * x - e * y + down];
  return compose([1, 0, 0.5, 0, 1, 0.5], compose(about, [1, 0, -0.5, 0, 1, -0.5]));
}

/** The matrix a b d e by rows, then the shift. */
function matrixOf(
  name: string,
  parameters: readonly number[],
): readonly [number, number, number, number, number, number] {
  if (name === transformationNames.affine)
    return parameters as [number, number, number, number, number, number];
  const [scale, angle, right, down] = name === transformationNames.rigid ? [1, ...parameters] : parameters;
  const [cos, sin] = [scale! * Math.cos(angle!), scale! * Math.sin(angle!)];
  return [cos, -sin, sin, cos, right!, down!];
}
