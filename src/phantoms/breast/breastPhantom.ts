/**
 * The room `phantoms/breast` draws a synthetic breast-mass study: for each patient a B-mode image `a` (gray), the
 * shear-wave elastogram `b` (colour) of the same plane, and on request a strain elastogram `c` (colour). Anatomy is
 * shared; speckle, echoes and calcifications show in `a` only, stiffness in `b` and, relative to its surroundings, in
 * `c`. Signs, stiffness and image formation follow published statistics (see
 * `breastSigns`, `breastCase`, `speckle`), so that the classes overlap.
 */
import type { Dataset, Raster, Sample } from '../../data/sample.js';
import { UsageError } from '../../errors.js';
import { ALIGNED, FARTHEST, MOTIONS, type Motion, misalign, misalignmentKey } from '../misalignment.js';
import { drawBmode } from './bmode.js';
import { type BreastCase, caseLabel, sampleCase, stream } from './breastCase.js';
import { drawTissue, type Tissue } from './breastTissue.js';
import { drawColours, drawGray, type Measured, measureStiffness, trueStiffness } from './elastography.js';
import { measureStrain } from './strain.js';

/** The version of the pixels. It is part of every key and raised whenever a pixel changes. */
export const phantomVersion = 2;

/** The options that change the pixels of a pair. */
export interface Appearance {
  /** The number of modalities: 2, the default, or 3 with the strain elastogram `c`, to which `b`'s options apply too. */
  modalities?: number;
  /**
   * Whether `b` lies over a B-mode image with speckle of its own, as on a screen, or is the colours alone. Default
   * true.
   */
  overlay?: boolean;
  /** Whether `b` is one channel, the stiffness alone, from 0 to the top of the colour scale. Default false. */
  gray?: boolean;
  /** The difficulty. 1, the default, overlaps the classes as published; larger is harder. */
  difficulty?: number;
  /** The root-mean-square displacement of `b` against `a`, in pixels of a 224-pixel image, 0 (the default) to 36. */
  misalignment?: number;
  /** What moves: each place by its own way (`elastic`, the default), or the whole image (`rigid`). */
  motion?: Motion;
}

export interface BreastPhantomOptions extends Appearance {
  pairs: number;
  seed: number;
}

/**
 * Makes the data set of a study.
 *
 * @throws UsageError on an option out of its range
 */
export function breastPhantom({ pairs, seed, ...appearance }: BreastPhantomOptions): Dataset {
  requireInteger('pairs', pairs, 1, 1_000_000);
  requireInteger('seed', seed, 0, Number.MAX_SAFE_INTEGER);
  const settings = completeAppearance(appearance);
  const { overlay, gray, difficulty } = settings;
  const modalities = ['a', 'b', 'c'].slice(0, settings.modalities);
  const key = `breast-${phantomVersion}/seed=${seed}/difficulty=${difficulty}`;
  const elastogram = `overlay=${overlay}/gray=${gray}/${misalignmentKey(settings)}`;

  // A loader usually asks for a and b of a pair in turn, so only the latest pair's anatomy is kept.
  let latest: { key: string; scene: Scene } | undefined;
  const sceneOf = (index: number, size: number): Scene => {
    const wanted = `${index}/${size}`;
    if (latest?.key !== wanted) {
      latest = { key: wanted, scene: drawScene({ seed, index, size, ...settings }) };
    }
    return latest.scene;
  };
  const samples = Array.from({ length: pairs }, (_, index): Sample => {
    const number = String(index).padStart(4, '0');
    return {
      id: `breast-${number}`,
      subject: `patient-${number}`,
      label: caseLabel(seed, index),
      images: {
        a: {
          kind: 'generated',
          key: `${key}/index=${index}/a`,
          render: (size) => renderBmode(sceneOf(index, size)),
        },
        b: {
          kind: 'generated',
          key: `${key}/index=${index}/${elastogram}/b`,
          render: (size) => renderElastogram(sceneOf(index, size)),
        },
        ...(modalities.includes('c') && {
          c: {
            kind: 'generated',
            key: `${key}/index=${index}/${elastogram}/c`,
            render: (size) => renderStrain(sceneOf(index, size)),
          },
        }),
      },
    };
  });
  return {
    name: 'phantom:breast',
    modalities,
    samples,
    positive: 'malignant',
    colourCoded: gray ? [] : modalities.slice(1),
  };
}

export interface PairOptions extends Appearance {
  seed: number;
  index: number;
  /** The side of the square images, in pixels. */
  size: number;
}

export interface BreastPair {
  readonly a: Raster;
  readonly b: Raster;
  /** The strain elastogram, where three modalities are asked for. */
  readonly c?: Raster;
  readonly label: 'benign' | 'malignant';
  /** Masks, row-major, one byte for each pixel. They lie on `a`, wherever `b` is moved to. */
  readonly masks: {
    /** The lesion: 1 inside its outline. */
    readonly lesion: Uint8Array;
    /** The layers, as indices into `layerNames`, as if there were no lesion. */
    readonly layers: Uint8Array;
  };
  readonly params: BreastCase;
}

/**
 * Draws pair `index`, with everything known about it. It is the same for any number of pairs; only its speckle
 * depends on `size`.
 *
 * @throws UsageError on an option out of its range
 */
export function generatePair({ seed, index, size, ...appearance }: PairOptions): BreastPair {
  const scene = drawScene({ seed, index, size, ...completeAppearance(appearance) });
  return {
    a: renderBmode(scene),
    b: renderElastogram(scene),
    ...(scene.modalities === 3 && { c: renderStrain(scene) }),
    label: scene.breast.label,
    masks: {
      lesion: lesionOf(scene),
      layers: scene.tissue.layer,
    },
    params: scene.breast,
  };
}

/**
 * Draws the mask `lesion` of `generatePair` alone, without an image.
 *
 * @throws UsageError on an option out of its range
 */
export function breastLesion({ seed, index, size, ...appearance }: PairOptions): Uint8Array {
  return lesionOf(drawScene({ seed, index, size, ...completeAppearance(appearance) }));
}

function lesionOf({ tissue }: Scene): Uint8Array {
  return Uint8Array.from(tissue.distance, (d) => (d < 0 ? 1 : 0));
}

/** A case drawn at one size, with all that its two images need. */
interface Scene extends Required<PairOptions> {
  readonly breast: BreastCase;
  readonly tissue: Tissue;
}

function drawScene(options: Required<PairOptions>): Scene {
  const { seed, index, size, difficulty } = options;
  requireInteger('seed', seed, 0, Number.MAX_SAFE_INTEGER);
  requireInteger('index', index, 0, Number.MAX_SAFE_INTEGER);
  requireInteger('size', size, 16, 2048);
  const breast = sampleCase({ seed, index, difficulty });
  return { ...options, breast, tissue: drawTissue(breast, seed, index, size) };
}

function renderBmode({ breast, tissue, seed, index, size, difficulty }: Scene): Raster {
  const data = drawBmode(stream(seed, index, 'speckle a'), breast, tissue, difficulty);
  return { width: size, height: size, channels: 1, data };
}

function renderElastogram(scene: Scene): Raster {
  const { breast, tissue, seed, index, difficulty } = scene;
  const measured = measureStiffness(stream(seed, index, 'shear wave'), breast, tissue, difficulty);
  const image = onScreen(measured, breast.elastogram.scaleKpa, 'speckle b', scene);
  return misalign(image, scene, seed, 'breast', index);
}

/** Draws the strain elastogram: red is soft and blue is stiff, or bright and dark in gray. */
function renderStrain(scene: Scene): Raster {
  const { breast, tissue, seed, index, difficulty } = scene;
  const stiffness = trueStiffness(stream(seed, index, 'shear wave'), breast, tissue);
  const measured = measureStrain(stream(seed, index, 'strain'), breast, tissue, stiffness, difficulty);
  return misalign(onScreen(measured, 1, 'speckle c', scene), scene, seed, 'breast c', index);
}

/** Draws a measurement as its scanner does, in colours or in gray. @param top the end of the scale */
function onScreen(measured: Measured, top: number, speckle: string, scene: Scene): Raster {
  const { breast, tissue, seed, index, size, overlay, gray, difficulty } = scene;
  const { opacity } = breast.elastogram;
  // The screen's two images are taken at different times, so the speckle under the colours is not that of `a`.
  const underlay = overlay
    ? { gray: drawBmode(stream(seed, index, speckle), breast, tissue, difficulty), opacity }
    : undefined;
  return gray
    ? { width: size, height: size, channels: 1, data: drawGray(measured, top) }
    : { width: size, height: size, channels: 3, data: drawColours(measured, top, underlay) };
}

function completeAppearance(appearance: Appearance): Required<Appearance> {
  const { gray = false, overlay = !gray, difficulty = 1, modalities = 2 } = appearance;
  const { misalignment = ALIGNED.misalignment, motion = ALIGNED.motion } = appearance;
  requireInteger('modalities', modalities, 2, 3);
  requireBoolean('overlay', overlay);
  requireBoolean('gray', gray);
  if (gray && overlay) {
    throw new UsageError(
      'breast phantom: overlay is true with gray, expected false: colours can lie over a B-mode image, gray cannot; leave one out',
    );
  }
  requireNumber('difficulty', difficulty, 0.25, 4, '1 is as published');
  requireNumber('misalignment', misalignment, 0, FARTHEST, 'pixels of a 224-pixel image');
  if (!MOTIONS.includes(motion))
    throw new UsageError(`breast phantom: motion is "${motion}", expected ${MOTIONS.join(' or ')}`);
  return { overlay, gray, difficulty, misalignment, motion, modalities };
}

function requireInteger(name: string, value: number, low: number, high: number): void {
  if (!Number.isSafeInteger(value) || value < low || value > high) {
    throw new UsageError(
      `breast phantom: ${name} is ${value}, expected a whole number from ${low} to ${high}`,
    );
  }
}

function requireNumber(name: string, value: number, low: number, high: number, meaning: string): void {
  if (!(value >= low && value <= high)) {
    throw new UsageError(
      `breast phantom: ${name} is ${value}, expected a number from ${low} to ${high} (${meaning})`,
    );
  }
}

function requireBoolean(name: string, value: boolean): void {
  if (typeof value !== 'boolean') {
    throw new UsageError(`breast phantom: ${name} is ${JSON.stringify(value)}, expected true or false`);
  }
}
