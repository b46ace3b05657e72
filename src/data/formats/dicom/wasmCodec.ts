/** A decoder that Emscripten made of a C++ library. All of them work alike. */
export interface WasmDecoder {
  /** Gives memory of the decoder for the compressed bytes. */
  getEncodedBuffer(length: number): Uint8Array;
  decode(): void;
  getFrameInfo(): { width: number; height: number; bitsPerSample: number; componentCount: number };
  /** Gives 0 if the components follow each other plane by plane. Only the decoder of JPEG-LS has it. */
  getInterleaveMode?(): number;
  /** Gives memory of the decoder with the samples, of 8 or 16 bits. */
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
  /** The samples in the decoder's order. */
  readonly samples: Uint8Array | Uint16Array;
}

/** A C++ decoder that is loaded with the first image that needs it. Its prints go nowhere. */
export class WasmCodec {
  readonly #load: () => Promise<new () => WasmDecoder>;
  #loaded?: Promise<new () => WasmDecoder>;

  constructor(load: () => Promise<new () => WasmDecoder>) {
    this.#load = load;
  }

  /** Decodes one image. It throws whatever the decoder throws, also numbers. */
  async decode(bytes: Uint8Array): Promise<Decoded> {
    try {
      this.#loaded ??= this.#load();
      const Decoder = await this.#loaded;
      const decoder = new Decoder();
      try {
        decoder.getEncodedBuffer(bytes.length).set(bytes);
        decoder.decode();
        const { width, height, bitsPerSample, componentCount } = decoder.getFrameInfo();
        const planar = decoder.getInterleaveMode?.() === 0;
        // The samples are copied out of the decoder's memory, which is used again.
        const copy = decoder.getDecodedBuffer().slice();
        const samples = bitsPerSample > 8 ? new Uint16Array(copy.buffer, 0, copy.length >> 1) : copy;
        return { width, height, components: componentCount, planar, samples };
      } finally {
        decoder.delete();
      }
    } catch (error) {
      // After a fault the decoder's memory may hold anything.
      this.#loaded = undefined;
      throw error;
    }
  }
}

/** Makes the object that Emscripten builds a module into. Each load needs its own. */
const silent = () => ({ print: () => undefined, printErr: () => undefined });

export const jpegLs = new WasmCodec(async () => {
  const { default: load } = await import('@cornerstonejs/codec-charls/decodewasmjs');
  return (await load(silent())).JpegLSDecoder;
});

export const jpeg2000 = new WasmCodec(async () => {
  const { default: load } = await import('@cornerstonejs/codec-openjpeg/decodewasmjs');
  return (await load(silent())).J2KDecoder;
});

export const jpeg8 = new WasmCodec(async () => {
  const { default: load } = await import('@cornerstonejs/codec-libjpeg-turbo-8bit/decodewasmjs');
  return (await load(silent())).JPEGDecoder;
});
