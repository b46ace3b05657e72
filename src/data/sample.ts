import type { Preprocessing } from './preprocessing.js';

/** One subject's aligned images of the same anatomy, one file a modality; `a` and `b` are the default modality names. */
export interface Sample {
  /** Unique in its dataset. */
  readonly id: string;
  /** The patient or other unit that must never stand on both sides of a split. */
  readonly subject: string;
  readonly images: Readonly<Record<string, ImageSource>>;
  /** Class name as the data spells it. */
  readonly label?: string;
  /** A fold published with the data, counted from 0. */
  readonly fold?: number;
  /** Further columns of the manifest, kept as they are. */
  readonly extra?: Readonly<Record<string, string>>;
  /** Of a pack or shards: the told half of `sourceDigests`, by which each image is recognised elsewhere. */
  readonly sourceDigests?: Readonly<Record<string, string>>;
  /** Where the data names this sample, `manifest.csv:12`, for messages only. */
  readonly origin?: string;
}

/** Where an image comes from: a file, a file within an archive, pixels in a pack, or pixels made on the spot (phantoms). */
export type ImageSource = FileSource | MemberSource | PackedSource | GeneratedSource;

export interface FileSource {
  readonly kind: 'file';
  /** Absolute path. Never written into anything that may be shared. */
  readonly path: string;
  /** Which of the images in the file; absent: the file holds one. */
  readonly part?: ImagePart;
}

/** One of several images in a file. */
export type ImagePart =
  /** Half of a side-by-side composite. */
  | { readonly kind: 'half'; readonly side: 'left' | 'right' }
  /** Frame of a multi-frame DICOM file, counted from 0. */
  | { readonly kind: 'frame'; readonly index: number }
  /** Slice of a volume across one of its stored axes, both counted from 0. */
  | { readonly kind: 'slice'; readonly axis: 0 | 1 | 2; readonly index: number };

/** An image file inside an uncompressed tar archive. */
export interface MemberSource {
  readonly kind: 'member';
  /** Absolute path of the archive. */
  readonly path: string;
  /** The member's bytes within the archive. */
  readonly offset: number;
  readonly length: number;
  /** The member's name, for messages. */
  readonly name: string;
}

/** Decoded pixels inside a pack: uint8 `[channels, side, side]`, planar. */
export interface PackedSource {
  readonly kind: 'packed';
  /** Absolute path of the pack. */
  readonly path: string;
  readonly offset: number;
  readonly side: number;
  readonly channels: 1 | 3;
}

export interface GeneratedSource {
  readonly kind: 'generated';
  /** Everything the pixels depend on, e.g. `breast-1/seed=0/index=7/b`: the cache's key for this image. */
  readonly key: string;
  /** Makes the image at the given side length. */
  readonly render: (size: number) => Raster;
}

/** Decoded 8-bit image, row-major, channels interleaved. */
export interface Raster {
  readonly width: number;
  readonly height: number;
  readonly channels: 1 | 3;
  readonly data: Uint8Array;
}

/** Samples in a fixed order with what is common to all of them. */
export interface Dataset {
  /** Short name without a path, safe to share: `manifest-core`, `phantom:breast`. */
  readonly name: string;
  readonly modalities: readonly string[];
  readonly samples: readonly Sample[];
  /** Class counted as positive by binary metrics; absent when samples carry no labels. */
  readonly positive?: string;
  /** Modalities whose colours are measurements, such as stiffness: they keep them through every augmentation. */
  readonly colourCoded?: readonly string[];
  /** How the pixels of each modality become 8-bit images; absent: as `Preprocessing` says for nothing asked. */
  readonly preprocess?: Readonly<Record<string, Preprocessing>>;
  /** Modalities that no scanner made: computed from another one or drawn. Said wherever they are shown or judged. */
  readonly simulated?: readonly string[];
  /** Version of what drew or simulated the images. */
  readonly generatorVersion?: number;
  /** What the publication of a known data set says of it, to stand beside what is found. */
  readonly published?: Publication;
}

export interface Publication {
  /** The data set as its authors call it. */
  readonly name: string;
  /** Samples of each class in the publication, by the names that the samples carry; empty where it does not say. */
  readonly counts: Readonly<Record<string, number>>;
  /** Samples in the publication, where it does not say how many of each class. */
  readonly samples?: number;
  /** Subjects in the publication, where it says. */
  readonly subjects?: number;
  /** What a user should know before using it: no patient ids, known duplicates, licence. */
  readonly notes: readonly string[];
}
