/** DICOM's data elements as bytes (PS3.5 section 7), and frames in fragments (annex A.4). */
const LONG = new Set(['OB', 'OW', 'OV', 'SQ', 'UN', 'UT']);
const NUMBERS = { US: [2, 'UInt16'], SS: [2, 'Int16'], UL: [4, 'UInt32'] };

/**
 * @param elements [tag, VR, value]: numbers, a text, bytes, items of a sequence, or `{ table, fragments, ends }`
 * @param options.openEnded sequences and items have no length but an end mark
 */
export function encodeElements(elements, options) {
  const sorted = [...elements].sort(([a], [b]) => a - b);
  return Buffer.concat(sorted.map((element) => encodeElement(element, options)));
}

function encodeElement([tag, vr, value], options) {
  if (vr === 'SQ') return withHead(tag, vr, encodeItems(value, options), options, options.openEnded);
  if (value.fragments !== undefined) return withHead(tag, vr, encodeFragments(value), options, true);
  return withHead(tag, vr, bytesOf(vr, value, options.bigEndian), options, false);
}

function bytesOf(vr, value, bigEndian) {
  if (Buffer.isBuffer(value)) return value;
  const [size, kind] = NUMBERS[vr] ?? NUMBERS.US;
  if (!Array.isArray(value)) {
    const text = String(value);
    return Buffer.from(text.length % 2 ? text + (vr === 'UI' ? '\0' : ' ') : text, 'latin1');
  }
  const bytes = Buffer.alloc(size * value.length);
  for (const [i, number] of value.entries())
    bytes[`write${kind}${bigEndian ? 'BE' : 'LE'}`](number, size * i);
  return bytes;
}

function withHead(tag, vr, content, { explicit, bigEndian }, openEnded) {
  const long = LONG.has(vr);
  const head = Buffer.alloc(explicit && long ? 12 : 8);
  const uint16 = (value, at) => (bigEndian ? head.writeUInt16BE(value, at) : head.writeUInt16LE(value, at));
  const uint32 = (value, at) => (bigEndian ? head.writeUInt32BE(value, at) : head.writeUInt32LE(value, at));
  uint16(tag >>> 16, 0);
  uint16(tag & 0xffff, 2);
  const length = openEnded ? 0xffffffff : content.length;
  if (explicit) head.write(vr, 4, 'latin1');
  if (explicit && !long) uint16(content.length & 0xffff, 6);
  else uint32(length, head.length - 4);
  return Buffer.concat([head, content]);
}

const ITEM = 0xe000;
const ITEM_END = 0xe00d;
const SEQUENCE_END = 0xe0dd;

function itemHead(element, length, bigEndian) {
  const head = Buffer.alloc(8);
  for (const [at, value] of [
    [0, 0xfffe],
    [2, element],
  ])
    bigEndian ? head.writeUInt16BE(value, at) : head.writeUInt16LE(value, at);
  bigEndian ? head.writeUInt32BE(length, 4) : head.writeUInt32LE(length, 4);
  return head;
}

function encodeItems(items, options) {
  const { bigEndian, openEnded } = options;
  const parts = items.flatMap((elements) => {
    const content = encodeElements(elements, options);
    return openEnded
      ? [itemHead(ITEM, 0xffffffff, bigEndian), content, itemHead(ITEM_END, 0, bigEndian)]
      : [itemHead(ITEM, content.length, bigEndian), content];
  });
  return Buffer.concat(openEnded ? [...parts, itemHead(SEQUENCE_END, 0, bigEndian)] : parts);
}

function encodeFragments({ table, fragments, ends }) {
  const offsets = bytesOf('UL', table, false);
  const parts = [offsets, ...fragments].flatMap((content) => [
    itemHead(ITEM, content.length, false),
    content,
  ]);
  return Buffer.concat(ends ? [...parts, itemHead(SEQUENCE_END, 0, false)] : parts);
}
