/** The way in which one modality's decoded pixels become an 8-bit image: first the crop, then the intensities. */
export interface Preprocessing {
  readonly crop?: Crop | null;
  /**
   * The map of intensities. Null leaves 8-bit pixels as they are and maps 16-bit PNG and TIFF by their full range;
   * DICOM and NIfTI values need one of the maps.
   */
  readonly intensity?: Intensity | null;
}

/**
 * The pixels of the source that are kept. The two modalities of a pair must be cropped alike, or they are no longer
 * aligned.
 */
export type Crop =
  /** A box in pixels of the source. */
  | {
      readonly kind: 'box';
      readonly left: number;
      readonly top: number;
      readonly width: number;
      readonly height: number;
    }
  /** The first ultrasound region of tissue (B-mode) that a DICOM file declares. */
  | { readonly kind: 'ultrasound-region' }
  /**
   * The coloured box of an elastography screen, found in the image of modality `of` of the same sample, grown by
   * `margin` pixels; its scale bar, a narrow strip of colours, is left outside.
   */
  | { readonly kind: 'colour-box'; readonly of: string; readonly margin: number };

/** The map from stored values to 0 … 255. Linear between `low` and `high`, clipped outside. */
export type Intensity =
  /** The values `low` … `high`, in the file's own units (Hounsfield units, after DICOM's rescale slope). */
  | { readonly kind: 'window'; readonly low: number; readonly high: number }
  /** The (first) VOI window or table that a DICOM file carries. */
  | { readonly kind: 'file-window' }
  /** Two percentiles of the image's own values (of the whole volume for a slice), 0 … 100. */
  | { readonly kind: 'percentile'; readonly low: number; readonly high: number }
  /** The least and the largest value of the image (of the whole volume for a slice). */
  | { readonly kind: 'minmax' };
