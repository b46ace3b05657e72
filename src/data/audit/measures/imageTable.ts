import { PrintTable } from './duplicates.js';
import { BLANK_SHARE, type Picture } from './picture.js';

/** The measures of the images of one modality, kept while a data set passes by: about 630 bytes for each image. */
export class ImageTable {
  readonly width: Uint32Array;
  readonly height: Uint32Array;
  /** The number of channels; 0 for an image that is missing or cannot be read. */
  readonly channels: Uint8Array;
  readonly mean: Float32Array;
  readonly deviation: Float32Array;
  /** The level that one of a thousand pixels exceeds. */
  readonly top: Uint8Array;
  readonly flatShare: Float32Array;
  readonly colour: Float32Array;
  readonly texture: Float32Array;
  readonly prints: PrintTable;

  constructor(count: number) {
    this.width = new Uint32Array(count);
    this.height = new Uint32Array(count);
    this.channels = new Uint8Array(count);
    this.mean = new Float32Array(count);
    this.deviation = new Float32Array(count);
    this.top = new Uint8Array(count);
    this.flatShare = new Float32Array(count);
    this.colour = new Float32Array(count);
    this.texture = new Float32Array(count);
    this.prints = new PrintTable(count);
  }

  /** @param near whether to keep the prints by which near-duplicates are found */
  set(position: number, picture: Picture, near: boolean): void {
    this.width[position] = picture.width;
    this.height[position] = picture.height;
    this.channels[position] = picture.channels;
    this.mean[position] = picture.mean;
    this.deviation[position] = picture.deviation;
    this.top[position] = picture.top;
    this.flatShare[position] = picture.flatShare;
    this.colour[position] = picture.colour;
    this.texture[position] = picture.texture;
    this.prints.set(position, picture, near);
  }

  sizeAt(position: number): { width: number; height: number } {
    return { width: this.width[position]!, height: this.height[position]! };
  }

  isReadable(position: number): boolean {
    return this.channels[position]! > 0;
  }

  isBlank(position: number): boolean {
    return this.isReadable(position) && this.flatShare[position]! >= BLANK_SHARE;
  }

  /** Tells whether the image shows something. */
  hasContent(position: number): boolean {
    return this.isReadable(position) && !this.isBlank(position);
  }
}
