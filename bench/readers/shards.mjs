import { settledLabels } from './csv.mjs';
import { encodePng } from './samplePictures.mjs';

/** Tar shards: kinds of headers, orders of members, endings, and what the json of a sample holds. */
export function drawShard(draw) {
  const count = draw.int(1, 4);
  const samples = Array.from({ length: count }, (_, i) => drawSample(draw, i));
  const [a, b] = draw.usually(['a.png', 'b.png'], ['a.PNG', 'b.PNG'], ['A.png', 'b.png']);
  const members = samples.flatMap(({ key, json, cls, grays }) => {
    const own = [
      [`${key}.${a}`, encodePng(grays[0])],
      [`${key}.${b}`, encodePng(grays[1])],
      ...(json === undefined ? [] : [[`${key}.json`, Buffer.from(json)]]),
      ...(cls === undefined ? [] : [[`${key}.cls`, Buffer.from(cls)]]),
    ];
    return draw.chance(0.5) ? own : own.reverse();
  });
  if (draw.chance(0.1)) members.splice(draw.int(0, 1) * members.length, 0, ['.hidden', Buffer.from('x')]);
  const parts = members.flatMap(([name, content]) => memberOf(draw, name, content));
  const folder = draw.chance(0.2) ? [header('folder/', 0, '5')] : [];
  const end = draw.usually(Buffer.alloc(1024), Buffer.alloc(512), Buffer.alloc(0), Buffer.alloc(10240));
  return {
    extension: '.tar',
    reader: 'dataset',
    bytes: Buffer.concat([...folder, ...parts, end]),
    truth: { samples: truth() },
  };

  function truth() {
    const labels = settledLabels(samples.map((sample) => sample.truth.label));
    return samples.map((sample, i) => ({ ...sample.truth, label: labels[i] }));
  }
}

/** What json writes where a value is missing. */
const MISSING = ['null', 'NaN', '""', '"NA"'];

function drawSample(draw, i) {
  const key = draw.usually(`${i}`.padStart(6, '0'), `folder/${i}`, `${i} ü`, `${'long'.repeat(30)}${i}`);
  const grays = draw.ints(2, 0, 255);
  const fields = {};
  const missing = () => draw.pick(...MISSING);
  if (draw.chance(0.8))
    fields.subject = draw.usually(`"p${draw.int(0, 2)}"`, String(draw.int(0, 9)), missing());
  if (draw.chance(0.6))
    fields.label = draw.usually(draw.pick('"benign"', '"malignant"'), '0', '1', '"None"', missing());
  if (draw.chance(0.2)) fields.fold = String(draw.int(0, 4));
  if (draw.chance(0.3))
    fields.age = draw.usually('40', 'NaN', 'Infinity', '-Infinity', 'true', '[1, 2]', '{"x": 1}');
  if (draw.chance(0.2)) fields.note = draw.pick('"NaN"', '"a\\"NaN, b"', '"\\u00fc"', '"{\\n}"');
  const space = draw.usually(' ', '', '\n\t');
  const entries = Object.entries(fields).map(([name, value]) => `"${name}":${space}${value}`);
  const json = draw.chance(0.92) ? `{${entries.join(`,${space}`)}}` : undefined;
  const unlabelled = fields.label === undefined || MISSING.includes(fields.label);
  const cls = unlabelled && draw.chance(0.3) ? draw.pick('2', 'benign\n') : undefined;
  const read = (name) => {
    const value =
      json === undefined || fields[name] === undefined || MISSING.includes(fields[name])
        ? undefined
        : fields[name];
    return value === undefined ? undefined : String(JSON.parse(value));
  };
  const image = (gray) => ({ width: 2, height: 2, channels: 1, values: new Array(4).fill(gray) });
  const fold = read('fold');
  return {
    ...{ key, json, cls, grays },
    truth: {
      id: key,
      subject: read('subject') ?? key,
      label: read('label') ?? cls?.trim() ?? null,
      fold: fold === undefined ? null : Number(fold),
      images: { a: image(grays[0]), b: image(grays[1]) },
    },
  };
}

/** A member with its header, and before it what tells a long or a strange name. */
function memberOf(draw, name, content) {
  const padded = (bytes) => Buffer.concat([bytes, Buffer.alloc((512 - (bytes.length % 512)) % 512)]);
  const bytes = Buffer.from(name);
  const long = bytes.length > 100;
  const kind = long ? draw.pick('pax', 'gnu') : draw.usually('plain', 'pax', 'gnu');
  const short = kind === 'plain' ? name : 'x';
  const before =
    kind === 'plain'
      ? []
      : kind === 'pax'
        ? [header('pax', paxRecord(name).length, 'x'), padded(paxRecord(name))]
        : [header('././@LongLink', bytes.length + 1, 'L'), padded(Buffer.concat([bytes, Buffer.alloc(1)]))];
  return [...before, header(short, content.length, draw.usually('0', '\0')), padded(content)];
}

/** A pax record counts its own length. */
function paxRecord(name) {
  const rest = Buffer.byteLength(` path=${name}\n`);
  let length = rest + 1;
  while (length !== rest + String(length).length) length = rest + String(length).length;
  return Buffer.from(`${length} path=${name}\n`);
}

function header(name, size, type) {
  const block = Buffer.alloc(512);
  block.write(name, 0);
  block.write('0000644\0', 100);
  block.write(`${size.toString(8).padStart(11, '0')}\0`, 124);
  block.write('00000000000\0', 136);
  block.fill(' ', 148, 156);
  block.write(type, 156, 'latin1');
  block.write('ustar\x0000', 257, 'latin1');
  const sum = block.reduce((total, byte) => total + byte, 0);
  block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
  return block;
}
