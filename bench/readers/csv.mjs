import { encodePng } from './samplePictures.mjs';

/** The pictures that every manifest may name, by file name. */
export const PICTURES = { 'one.png': 10, 'two.PNG': 20, 'with space.png': 30, 'ünï.png': 40 };
export const pictureFiles = () => Object.entries(PICTURES).map(([name, gray]) => [name, encodePng(gray)]);

const MISSING = ['', 'NA', 'nan', 'n/a', 'N/A', 'null', 'None'];

/** The labels that count: words for a missing value are none, but for "None" beside exactly one class. */
export function settledLabels(labels) {
  const classes = new Set(labels.filter((label) => label !== null && !MISSING.includes(label)));
  const isClass = (label) => classes.has(label) || (label === 'None' && classes.size === 1);
  return labels.map((label) => (isClass(label) ? label : null));
}

/** CSV manifests: separators, quotes, line ends, encodings, empty rows and columns, as spreadsheets write them. */
export function drawCsv(draw) {
  const count = draw.int(1, 6);
  const columns = [
    'id',
    'a',
    'b',
    ...['subject', 'label', 'fold', 'age', 'note'].filter(() => draw.chance(0.6)),
  ];
  const shuffled = columns
    .map((name) => [draw.int(0, 999), name])
    .sort(([a], [b]) => a - b)
    .map(([, name]) => name);
  const rows = Array.from({ length: count }, (_, i) => drawRow(draw, i));
  const separator = draw.usually(',', ';', '\t');
  const newline = draw.usually(draw.pick('\n', '\r\n'), '\r');
  const quoteAll = draw.chance(0.2);
  const padding = draw.usually('', ' ');
  const trailing = draw.usually(0, draw.int(1, 3));
  const write = (cell) => {
    const quoted = quoteAll || /["\r\n]/.test(cell) || cell.includes(separator);
    return padding + (quoted ? `"${cell.replaceAll('"', '""')}"` : cell) + padding;
  };
  const lines = [shuffled, ...rows.map((row) => shuffled.map((name) => row[name]))].map((cells) =>
    [...cells.map(write), ...new Array(trailing).fill('')].join(separator),
  );
  const empty = separator.repeat(shuffled.length + trailing - 1);
  for (let extra = draw.usually(0, 1, 2); extra > 0; extra -= 1) {
    lines.splice(draw.int(1, lines.length), 0, draw.pick('', empty, '  '));
  }
  if (draw.chance(0.04)) lines[draw.int(1, lines.length - 1)] += separator + draw.pick('', 'more');
  const told = draw.chance(separator === ',' ? 0.03 : 0.4) ? [`sep=${separator}`] : [];
  const text = [...told, ...lines].join(newline) + draw.usually(newline, '', newline + newline);
  return {
    extension: '.csv',
    reader: 'dataset',
    bytes: encode(draw, text),
    truth: { samples: truth() },
  };

  function truth() {
    const has = (name) => columns.includes(name);
    const labels = settledLabels(rows.map(({ label }) => (has('label') ? label : null)));
    return rows.map(({ id, a, b, subject, fold }, i) => ({
      id,
      subject: has('subject') ? subject : id,
      label: labels[i],
      fold: has('fold') ? Number(fold) : null,
      images: { a: pictureOf(a), b: pictureOf(b) },
    }));
  }
}

function drawRow(draw, i) {
  return {
    id: draw.pick(`${i}`, `s ${i}`, `s,${i}`, `s"${i}"`, `s;${i}`, `Ω${i}`, `s'${i}`),
    a: draw.pick(...Object.keys(PICTURES)),
    b: draw.pick(...Object.keys(PICTURES)),
    subject: draw.pick('p1', 'p2', 'p 3', 'Ω', 'q,1'),
    label: draw.usually(draw.pick('benign', 'malignant'), ...MISSING),
    fold: String(draw.int(0, 3)),
    age: draw.pick('40', '', '40.5', 'forty\nfive'),
    note: draw.pick('', 'a "quoted" word', 'x;y', '=1+1', '  '),
  };
}

export function pictureOf(name) {
  const values = new Array(4).fill(PICTURES[name]);
  return { width: 2, height: 2, channels: 1, values };
}

function encode(draw, text) {
  const kind = draw.usually(draw.pick('utf8', 'bom'), 'utf16le', 'utf16be', 'latin1');
  if (kind === 'latin1' && !/[^\0-ÿ]/.test(text)) return Buffer.from(text, 'latin1');
  if (kind === 'utf8' || kind === 'latin1') return Buffer.from(text);
  const marked = Buffer.from(`\ufeff${text}`, kind === 'bom' ? 'utf8' : 'utf16le');
  return kind === 'utf16be' ? marked.swap16() : marked;
}
