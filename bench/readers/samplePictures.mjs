import { crc32, deflateSync } from 'node:zlib';

/** A gray PNG of 2 × 2 pixels of one level, which tells it from others. */
export function encodePng(gray) {
  const chunk = (name, content) => {
    const body = Buffer.concat([Buffer.from(name), content]);
    const framed = Buffer.alloc(body.length + 8);
    framed.writeUInt32BE(content.length, 0);
    body.copy(framed, 4);
    framed.writeUInt32BE(crc32(body) >>> 0, body.length + 4);
    return framed;
  };
  return Buffer.concat([
    Buffer.from([137, 80, 78, 71, 13, 10, 26, 10]),
    chunk('IHDR', Buffer.from([0, 0, 0, 2, 0, 0, 0, 2, 8, 0, 0, 0, 0])),
    chunk('IDAT', deflateSync(Buffer.from([0, gray, gray, 0, gray, gray]))),
    chunk('IEND', Buffer.alloc(0)),
  ]);
}
