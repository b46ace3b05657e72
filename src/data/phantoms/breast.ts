import { UsageError } from '../../errors.js';
import type { Dataset, Raster, Sample } from '../sample.js';
import { drawBmode } from './bmode.js';
import { type BreastCase, caseLabel, sampleCase, stream } from './breastCase.js';
import { drawTissue, type Tissue } from './breastTissue.js';
import { drawElastogram, measureStiffness } from './elastography.js';

/**
 * A synthetic breast-mass study: per patient a B-mode image `a` (gray) and the shear-wave elastogram `b` (colour) of the same
 * plane. Anatomy is shared; speckle, echoes and calcifications show in `a` only, stiffness in `b` only. Signs, stiffness and
 * image formation follow published statistics (see `breastSigns`, `breastCase`, `speckle`), so that the classes overlap.
 */

/** Part of every key: raise it whenever a pixel changes. */
export const phantomVersion = 1;

export interface BreastPhantomOptions {
  pairs: number;
  seed: number;
  /** Elastogram over a B-mode image of its own speckle, as screens show it; else the colours alone. */
  overlay?: boolean;
  /** 1 overlaps the classes as published; larger is harder. */
  difficulty?: number;
}

export function breastPhantom({
  pairs,
  seed,
  overlay = true,
  difficulty = 1,
}: BreastPhantomOptions): Dataset {
  requireInteger('pairs', pairs, 1, 1_000_000);
  requireInteger('seed', seed, 0, Number.MAX_SAFE_INTEGER);
  requireDifficulty(difficulty);
  requireBoolean('overlay', overlay);
  const key = `breast-${phantomVersion}/seed=${seed}/difficulty=${difficulty}`;

  // A loader usually asks for a and b of a pair in turn; only the latest pair's anatomy is kept.
  let latest: { key: string; scene: Scene } | undefined;
  const sceneOf = (index: number, size: number): Scene => {
    const wanted = `${index}/${size}`;
    if (latest?.key !== wanted) {
      latest = { key: wanted, scene: drawScene({ seed, index, size, overlay, difficulty }) };
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
          key: `${key}/index=${index}/overlay=${overlay}/b`,
          render: (size) => renderElastogram(sceneOf(index, size)),
        },
      },
    };
  });
  return {
    name: 'phantom:breast',
    modalities: ['a', 'b'],
    samples,
    positive: 'malignant',
    colourCoded: ['b'],
  };
}

export interface PairOptions {
  seed: number;
  index: number;
  /** Side of the square images, pixels. */
  size: number;
  overlay?: boolean;
  difficulty?: number;
}

export interface BreastPair {
  readonly a: Raster;
  readonly b: Raster;
  readonly label: 'benign' | 'malignant';
  /** Row-major, one byte a pixel. */
  readonly masks: {
    /** 1 inside the lesion's outline. */
    readonly lesion: Uint8Array;
    /** Index into `layerNames`, the lesion left out. */
    readonly layers: Uint8Array;
  };
  readonly params: BreastCase;
}

/** Pair `index` with everything known about it. It is the same for any number of pairs; only its speckle depends on `size`. */
export function generatePair(options: PairOptions): BreastPair {
  const scene = drawScene({ overlay: true, difficulty: 1, ...options });
  return {
    a: renderBmode(scene),
    b: renderElastogram(scene),
    label: scene.breast.label,
    masks: {
      lesion: Uint8Array.from(scene.tissue.distance, (d) => (d < 0 ? 1 : 0)),
      layers: scene.tissue.layer,
    },
    params: scene.breast,
  };
}

/** A case drawn at one size, with what its two images need to know. */
interface Scene extends Required<PairOptions> {
  readonly breast: BreastCase;
  readonly tissue: Tissue;
}

function drawScene(options: Required<PairOptions>): Scene {
  const { seed, index, size, difficulty } = options;
  requireInteger('seed', seed, 0, Number.MAX_SAFE_INTEGER);
  requireInteger('index', index, 0, Number.MAX_SAFE_INTEGER);
  requireInteger('size', size, 16, 2048);
  requireDifficulty(difficulty);
  const breast = sampleCase({ seed, index, difficulty });
  return { ...options, breast, tissue: drawTissue(breast, seed, index, size) };
}

function renderBmode({ breast, tissue, seed, index, size, difficulty }: Scene): Raster {
  const data = drawBmode(stream(seed, index, 'speckle a'), breast, tissue, difficulty);
  return { width: size, height: size, channels: 1, data };
}

function renderElastogram({ breast, tissue, seed, index, size, overlay, difficulty }: Scene): Raster {
  const measured = measureStiffness(stream(seed, index, 'shear wave'), breast, tissue, difficulty);
  // The screen's two images are taken apart in time: the speckle under the colours is not that of `a`.
  const underlay = overlay
    ? {
        gray: drawBmode(stream(seed, index, 'speckle b'), breast, tissue, difficulty),
        opacity: breast.elastogram.opacity,
      }
    : undefined;
  return { width: size, height: size, channels: 3, data: drawElastogram(measured, underlay) };
}

function requireInteger(name: string, value: number, low: number, high: number): void {
  if (!Number.isSafeInteger(value) || value < low || value > high) {
    throw new UsageError(
      `breast phantom: ${name} is ${value}, expected a whole number from ${low} to ${high}`,
    );
  }
}

function requireBoolean(name: string, value: boolean): void {
  if (typeof value !== 'boolean') {
    throw new UsageError(`breast phantom: ${name} is ${JSON.stringify(value)}, expected true or false`);
  }
}

function requireDifficulty(value: number): void {
  if (!(value >= 0.25 && value <= 4)) {
    throw new UsageError(
      `breast phantom: difficulty is ${value}, expected a number from 0.25 to 4 (1 is as published)`,
    );
  }
}
