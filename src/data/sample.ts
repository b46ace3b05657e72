/** The types of the room `data`: every reader gives these, and everything that trains or judges takes them. */
import type { Preprocessing } from './preprocessing.js';

/**
 * One subject's aligned images of the same anatomy, at most one for each modality; `a` and `b` are the default modality
 * names.
 */
export interface Sample {
  /** A name that is unique in the data set. */
  readonly id: string;
  /** The patient or other unit that must never stand on both sides of a split. */
  readonly subject: string;
  /** The images that the sample has, at least one, by modality. Others are missing. */
  readonly images: Readonly<Record<string, ImageSource>>;
  /** The class name as the data spells it. */
  readonly label?: string;
  /** A fold published with the data, counted from 0. */
  readonly fold?: number;
  /** Further columns of the manifest, kept as they are. */
  readonly extra?: Readonly<Record<string, string>>;
  /**
   * The told half of each image's source digest, by which it is recognised elsewhere. Only packs and shards have it.
   */
  readonly sourceDigests?: Readonly<Record<string, string>>;
  /** The place where the data names this sample, such as `manifest.csv:12`; for messages only. */
  readonly origin?: string;
}

/**
 * The origin of an image: a file, a file within an archive, pixels in a pack, or pixels made on the spot (phantoms).
 */
export type ImageSource = FileSource | MemberSource | PackedSource | GeneratedSource;

export interface FileSource {
  readonly kind: 'file';
  /** The absolute path. It is never written into anything that may be shared. */
  readonly path: string;
  /** The part of the file that is the image; absent: all of it. */
  readonly part?: ImagePart;
  /** Where the image lies in the frame of another one; absent: in a frame of its own. */
  readonly frame?: Frame;
}

/** The place of an image in the frame of the image that it was registered to (`anatomy data align`). */
export interface Frame {
  /** The width and height of the frame, in pixels: those of the other image. */
  readonly width: number;
  readonly height: number;
  /**
   * [a, b, c, d, e, f]: the point (x, y) of the frame shows the point (a x + b y + c, d x + e y + f) of the image, both
   * in pixels, of which the first covers [0, 1).
   */
  readonly transformation: readonly [number, number, number, number, number, number];
  /** The width and height of the image when it was registered. */
  readonly of: { readonly width: number; readonly height: number };
}

/** One of several images in a file. */
export type ImagePart =
  /** A half of a side-by-side composite. */
  | { readonly kind: 'half'; readonly side: 'left' | 'right' }
  /** A frame of a multi-frame DICOM file, counted from 0. */
  | { readonly kind: 'frame'; readonly index: number }
  /** A slice of a volume across one of its stored axes; both are counted from 0. */
  | {
      readonly kind: 'slice';
      readonly axis: 0 | 1 | 2;
      readonly index: number;
      /** The directions of the stored axes, as in `LPS`, where a mate says them and the file itself does not. */
      readonly orientation?: string;
    };

/** An image file inside an uncompressed tar archive. */
export interface MemberSource {
  readonly kind: 'member';
  /** The absolute path of the archive. */
  readonly path: string;
  /** The first byte of the image file within the archive. */
  readonly offset: number;
  readonly length: number;
  /** The name of the image file, for messages. */
  readonly name: string;
}

/** Decoded pixels inside a pack: uint8 `[channels, side, side]`, planar. */
export interface PackedSource {
  readonly kind: 'packed';
  /** The absolute path of the pack. */
  readonly path: string;
  readonly offset: number;
  readonly side: number;
  readonly channels: 1 | 3;
}

export interface GeneratedSource {
  readonly kind: 'generated';
  /**
   * The cache's key for this image. It names everything that the pixels depend on, as in `breast-1/seed=0/index=7/b`.
   */
  readonly key: string;
  /** Makes the image at the given side length. */
  readonly render: (size: number) => Raster;
}

/** A decoded 8-bit image, row-major, channels interleaved. */
export interface Raster {
  readonly width: number;
  readonly height: number;
  readonly channels: 1 | 3;
  readonly data: Uint8Array;
}

/** Samples in a fixed order, with all that they have in common. */
export interface Dataset {
  /** A short name without a path, safe to share: `manifest-core`, `phantom:breast`. */
  readonly name: string;
  readonly modalities: readonly string[];
  readonly samples: readonly Sample[];
  /** The class that binary metrics count as positive; absent when samples carry no labels. */
  readonly positive?: string;
  /** Modalities whose colours are measurements, such as stiffness, and therefore survive every augmentation. */
  readonly colourCoded?: readonly string[];
  /** The most bytes that one image or volume may take when it is decoded; absent: 512 MiB. */
  readonly maxBytes?: number;
  /** The preprocessing of each modality; absent: whole images with the map that `intensity: null` stands for. */
  readonly preprocess?: Readonly<Record<string, Preprocessing>>;
  /**
   * Modalities that no scanner made, but a computation or a drawing. This is said wherever they are shown or judged.
   */
  readonly simulated?: readonly string[];
  /** The version of the program that drew or simulated the images. */
  readonly generatorVersion?: number;
  /** Names of which several look like one in other spellings; absent where there are none. */
  readonly spelledSeveralWays?: SpelledSeveralWays;
  /** The published facts of a known data set, to stand beside what is found. */
  readonly published?: Publication;
}

/** The spellings of each subject and of each class that has several. */
export interface SpelledSeveralWays {
  readonly subjects: readonly (readonly string[])[];
  readonly classes: readonly (readonly string[])[];
  /** Whether the samples carry one spelling of each; if not, they carry all. */
  readonly joined: boolean;
}

export interface Publication {
  /** The name that the authors give the data set. */
  readonly name: string;
  /**
   * The published number of samples of each class, by the names that the samples carry; empty where none is
   * published.
   */
  readonly counts: Readonly<Record<string, number>>;
  /** The published number of samples, where none is published for each class. */
  readonly samples?: number;
  /** The published number of subjects; absent where none is published. */
  readonly subjects?: number;
  /** Sentences that a user should know before using the data: no patient ids, known duplicates, licence. */
  readonly notes: readonly string[];
}
