export type Compression = 'rle' | 'jpeg' | 'jpeg-lossless' | 'jpeg-ls' | 'jpeg-2000';

/** The way in which a transfer syntax stores pixels, with the name that the standard gives it. */
export interface TransferSyntax {
  readonly name: string;
  /** The storage of the pixels; absent: there is no decoder for it here. */
  readonly pixels?: 'raw' | Compression;
  /** Whether the whole data set is deflated. */
  readonly deflated?: boolean;
}

const TRANSFER_SYNTAXES: Readonly<Record<string, TransferSyntax>> = {
  '1.2.840.10008.1.2': { name: 'Implicit VR Little Endian', pixels: 'raw' },
  '1.2.840.10008.1.2.1': { name: 'Explicit VR Little Endian', pixels: 'raw' },
  '1.2.840.10008.1.2.1.99': {
    name: 'Deflated Explicit VR Little Endian',
    pixels: 'raw',
    deflated: true,
  },
  '1.2.840.10008.1.2.2': { name: 'Explicit VR Big Endian', pixels: 'raw' },
  '1.2.840.10008.1.2.5': { name: 'RLE Lossless', pixels: 'rle' },
  '1.2.840.10008.1.2.4.50': { name: 'JPEG Baseline', pixels: 'jpeg' },
  '1.2.840.10008.1.2.4.51': { name: 'JPEG Extended', pixels: 'jpeg' },
  '1.2.840.10008.1.2.4.57': { name: 'JPEG Lossless', pixels: 'jpeg-lossless' },
  '1.2.840.10008.1.2.4.70': { name: 'JPEG Lossless SV1', pixels: 'jpeg-lossless' },
  '1.2.840.10008.1.2.4.80': { name: 'JPEG-LS Lossless', pixels: 'jpeg-ls' },
  '1.2.840.10008.1.2.4.81': { name: 'JPEG-LS Near-Lossless', pixels: 'jpeg-ls' },
  '1.2.840.10008.1.2.4.90': { name: 'JPEG 2000 Lossless', pixels: 'jpeg-2000' },
  '1.2.840.10008.1.2.4.91': { name: 'JPEG 2000', pixels: 'jpeg-2000' },
  '1.2.840.10008.1.2.4.92': { name: 'JPEG 2000 Part 2 Lossless' },
  '1.2.840.10008.1.2.4.93': { name: 'JPEG 2000 Part 2' },
  '1.2.840.10008.1.2.4.94': { name: 'JPIP Referenced' },
  '1.2.840.10008.1.2.4.95': { name: 'JPIP Referenced Deflate' },
  '1.2.840.10008.1.2.4.100': { name: 'MPEG2 Main Profile' },
  '1.2.840.10008.1.2.4.101': { name: 'MPEG2 High Level' },
  '1.2.840.10008.1.2.4.102': { name: 'MPEG-4 AVC/H.264' },
  '1.2.840.10008.1.2.4.103': { name: 'MPEG-4 AVC/H.264 BD-compatible' },
  '1.2.840.10008.1.2.4.107': { name: 'HEVC/H.265 Main' },
  '1.2.840.10008.1.2.4.110': { name: 'JPEG XL Lossless' },
  '1.2.840.10008.1.2.4.112': { name: 'JPEG XL' },
  '1.2.840.10008.1.2.4.201': { name: 'High-Throughput JPEG 2000 Lossless' },
  '1.2.840.10008.1.2.4.202': { name: 'High-Throughput JPEG 2000 RPCL Lossless' },
  '1.2.840.10008.1.2.4.203': { name: 'High-Throughput JPEG 2000' },
};

export function transferSyntax(uid: string): TransferSyntax {
  return TRANSFER_SYNTAXES[uid] ?? { name: 'unknown' };
}

/** Names a transfer syntax for messages, as in `1.2.840.10008.1.2.5 (RLE Lossless)`. */
export function transferSyntaxName(uid: string): string {
  return `${uid} (${transferSyntax(uid).name})`;
}
