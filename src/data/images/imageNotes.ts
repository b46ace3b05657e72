/** Notes on image files that are read although they lack something. */

/** Collects the notes on the images of a data set, for one sentence a kind. */
export class ImageNotes {
  readonly #images = new Map<string, string[]>();

  /** @param image its name for messages */
  add(note: string | undefined, image: string): void {
    if (note === undefined) return;
    const images = this.#images.get(note);
    if (images === undefined) this.#images.set(note, [image]);
    else images.push(image);
  }

  /** Words each kind of note once, with the number of images and one of them. */
  warnings(total: number): string[] {
    return [...this.#images].map(
      ([note, images]) => `${images.length} of ${total} images: ${note}. For instance ${images[0]}.`,
    );
  }
}
