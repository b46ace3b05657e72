/** All images of a data set, decoded at one size: bytes on disk that are ready to be mapped into memory. */
export interface ImageCache {
  /** The side S in pixels. It is at most the one asked for, and not above the sources; see `openImageCache`. */
  readonly size: number;
  /** The sample ids in the order of the images. */
  readonly ids: readonly string[];
  readonly modalities: Readonly<Record<string, CachedModality>>;
  /**
   * For each modality that some samples lack, the positions of those that have it, ascending; absent: nothing is
   * missing. Zeros stand in the places of the others.
   */
  readonly present?: Readonly<Record<string, readonly number[]>>;
  /** The digest of what the data is (ids, subjects, labels, pixels at this size), not of where it lies. */
  readonly dataHash: string;
  /** The number of samples N. */
  readonly count: number;
}

export interface CachedModality {
  /** The absolute path of the file that holds the images. */
  readonly file: string;
  /** The state of the file when its content was checked; see `fileState`. */
  readonly state: string;
  /** The position in the file of the first of the N·C·S·S bytes: uint8 `[N, C, S, S]`. */
  readonly offset: number;
  /** The number of channels C: 1 if every image of the modality is gray, else 3. */
  readonly channels: 1 | 3;
}
