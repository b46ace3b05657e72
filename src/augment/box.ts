/** A rectangle of whole source pixels: rows top … top + height − 1, columns left … left + width − 1. */
export interface Box {
  readonly top: number;
  readonly left: number;
  readonly height: number;
  readonly width: number;
}
