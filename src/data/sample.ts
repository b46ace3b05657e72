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
  /** Where the data names this sample, `manifest.csv:12`, for messages only. */
  readonly origin?: string;
}

/** Where an image comes from: a file, or pixels made on the spot (phantoms). */
export type ImageSource = FileSource | GeneratedSource;

export interface FileSource {
  readonly kind: 'file';
  /** Absolute path. Never written into anything that may be shared. */
  readonly path: string;
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
}
