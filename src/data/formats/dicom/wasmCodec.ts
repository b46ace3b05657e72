/** The decoders that Emscripten made of C++ libraries; all of them work alike. */
export interface WasmDecoder {
  /** Memory of the decoder for the compressed bytes. */
  getEncodedBuffer(length: number): Uint8Array;
  decode(): void;
  getFrameInfo(): { width: number; height: number; bitsPerSample: number; componentCount: number };
  /** JPEG-LS only: 0 if the components follow each other plane by plane. */
  getInterleaveMode?(): number;
  /** Memory of the decoder with the samples, of 8 or 16 bits. */
  getDecodedBuffer(): Uint8Array;
  delete(): void;
}

export type LoadCodec<Name extends string> = (options: {
  print: (text: string) => void;
  printErr: (text: string) => void;
}) => Promise<Record<Name, new () => WasmDecoder>>;

export interface Decoded {
  readonly width: number;
  readonly height: number;
  readonly components: number;
  readonly planar: boolean;
  /** In the decoder's order. */
  readonly samples: Uint8Array | Uint16Array;
}

/** A C++ decoder, loaded with the first image that needs it. What it prints goes nowhere. */
export class WasmCodec {
  readonly #load: () => Promise<new () => WasmDecoder>;
  #loaded?: Promise<new () => WasmDecoder>;

  constructor(load: () => Promise<new () => WasmDecoder>) {
    this.#load = load;
  }

  /** @throws whatever the decoder throws, also numbers */
  async decode(bytes: Uint8Array): Promise<Decoded> {
    this.#loaded ??= this.#load();
    const Decoder = await this.#loaded;
    try {
      const decoder = new Decoder();
      try {
        decoder.getEncodedBuffer(bytes.length).set(bytes);
        decoder.decode();
        const { width, height, bitsPerSample, componentCount } = decoder.getFrameInfo();
        const planar = decoder.getInterleaveMode?.() === 0;
        // Copied out of the decoder's memory, which is used again.
        const copy = decoder.getDecodedBuffer().slice();
        const samples = bitsPerSample > 8 ? new Uint16Array(copy.buffer, 0, copy.length >> 1) : copy;
        return { width, height, components: componentCount, planar, samples };
      } finally {
        decoder.delete();
      }
    } catch (error) {
      // After a fault its memory may hold anything.
      this.#loaded = undefined;
      throw error;
    }
  }
}

const silent = { print: () => undefined, printErr: () => undefined };

export const jpegLs = new WasmCodec(async () => {
  const { default: load } = await import('@cornerstonejs/codec-charls/decodewasmjs');
  return (await load(silent)).JpegLSDecoder;
});

export const jpeg2000 = new WasmCodec(async () => {
  const { default: load } = await import('@cornerstonejs/codec-openjpeg/decodewasmjs');
  return (await load(silent)).J2KDecoder;
});

export const jpeg8 = new WasmCodec(async () => {
  const { default: load } = await import('@cornerstonejs/codec-libjpeg-turbo-8bit/decodewasmjs');
  return (await load(silent)).JPEGDecoder;
});
