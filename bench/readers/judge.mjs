/**
 * Says what became of a file, from our reader's answer, what the file was made from (`truth`, where that is known) and
 * the reference reader's answer.
 */

/** Every outcome; those in capitals are failures. */
export const OUTCOMES = [
  'same',
  'refused by both',
  'refused by us',
  'read by us alone',
  'reference errs',
  'DIFFERENT',
  'CRASH',
  'HANG',
  'RAW ERROR',
  'PRINTED',
];

export const isFailure = (outcome) => outcome === outcome.toUpperCase();

/** Gives the outcome, and for failures and refusals the reason. */
export function judge(ours, { truth, reference }) {
  if (ours.crash !== undefined) return { outcome: 'CRASH', reason: ours.crash };
  if (ours.hang !== undefined) return { outcome: 'HANG', reason: ours.hang };
  if (ours.written !== undefined) return { outcome: 'PRINTED', reason: ours.written };
  if (ours.raw !== undefined) return { outcome: 'RAW ERROR', reason: ours.raw };
  const theirs = isRead(reference) ? reference : undefined;
  if (ours.error !== undefined) {
    const read = truth !== undefined || theirs !== undefined;
    return { outcome: read ? 'refused by us' : 'refused by both', reason: ours.error };
  }
  const wrong = truth && difference(ours, truth, truth.tolerance ?? 0);
  if (wrong) return { outcome: 'DIFFERENT', reason: `from what was written: ${wrong}` };
  const other = theirs && difference(ours, theirs, theirs.tolerance ?? 0);
  if (other && truth) return { outcome: 'reference errs', reason: other };
  if (other) return { outcome: 'DIFFERENT', reason: `from the reference: ${other}` };
  return { outcome: truth || theirs ? 'same' : 'read by us alone' };
}

function isRead(answer) {
  return answer?.images !== undefined || answer?.samples !== undefined;
}

/** The first difference in words; undefined where there is none. */
function difference(ours, theirs, tolerance) {
  if (theirs.samples !== undefined) return sampleDifference(ours.samples, theirs.samples);
  if (theirs.count !== undefined && ours.count !== theirs.count)
    return `${ours.count} images, not ${theirs.count}`;
  if (ours.images.length < theirs.images.length)
    return `${ours.images.length} images, not ${theirs.images.length}`;
  for (const [i, image] of theirs.images.entries()) {
    const found = imageDifference(ours.images[i], image, tolerance);
    if (found !== undefined) return `image ${i}: ${found}`;
  }
  return undefined;
}

function sampleDifference(ours, theirs) {
  if (ours.length !== theirs.length) return `${ours.length} samples, not ${theirs.length}`;
  for (const [i, { images, ...facts }] of theirs.entries()) {
    for (const [name, value] of Object.entries(facts)) {
      if (ours[i][name] !== value)
        return `sample ${i}: ${name} ${JSON.stringify(ours[i][name])}, not ${JSON.stringify(value)}`;
    }
    for (const [name, image] of Object.entries(images)) {
      const found = ours[i].images[name] ? imageDifference(ours[i].images[name], image, 0) : 'is missing';
      if (found !== undefined) return `sample ${i}: ${name} ${found}`;
    }
  }
  return undefined;
}

function imageDifference(ours, theirs, tolerance) {
  const shapes = [ours, theirs].map(({ width, height }) => `${width}×${height}`);
  if (shapes[0] !== shapes[1]) return `${shapes[0]} pixels, not ${shapes[1]}`;
  const [a, b] =
    ours.channels === theirs.channels ? [ours.values, theirs.values] : [ours, theirs].map(inColour);
  if (a.length !== b.length) return `${a.length} values, not ${b.length}`;
  for (let i = 0; i < a.length; i += 1) {
    const allowed = tolerance + 1e-6 * Math.abs(b[i]);
    if (
      !(Math.abs(a[i] - b[i]) <= (Number.isInteger(b[i]) && Math.abs(b[i]) < 2 ** 24 ? tolerance : allowed))
    ) {
      return `value ${i} is ${a[i]}, not ${b[i]}`;
    }
  }
  return undefined;
}

/** A gray image and one of three equal channels are alike. */
function inColour({ channels, values }) {
  return channels === 3 ? values : values.flatMap((value) => [value, value, value]);
}
