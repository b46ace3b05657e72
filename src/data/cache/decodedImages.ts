/** Every image of a data set at one size, decoded: bytes on disk, ready to be mapped. */
export interface ImageCache {
  /** Side S in pixels. At most what was asked for, and not above the sources: see `openImageCache`. */
  readonly size: number;
  /** Sample ids in the order of the images. */
  readonly ids: readonly string[];
  readonly modalities: Readonly<Record<string, CachedModality>>;
  /** Digest of what the data is (ids, subjects, labels, pixels at this size), not of where it lies. */
  readonly dataHash: string;
  /** Number of samples N. */
  readonly count: number;
}

export interface CachedModality {
  /** Absolute path of the file that holds them. */
  readonly file: string;
  /** Where in it the N·C·S·S bytes begin: uint8 `[N, C, S, S]`. */
  readonly offset: number;
  /** 1 if every image of the modality is gray, else 3. */
  readonly channels: 1 | 3;
}
