/**
 * Scores of test predictions, few significant digits each, as bytes that compress well: four planes, one byte a score in each.
 *
 * A stored number is d.dddddd × 10^−e. The first plane holds 10·e + the first digit, and 128 more if the score is negative (255:
 * not a number). Each other plane holds the next two digits; most scores have three, so most of the later bytes are 0. The second
 * plane holds 100 more if the number is the rest to one instead of the score.
 */

/** Numbers nearer to 0, which saturated networks give, are stored as this one. */
const SMALLEST = 1e-11;
const [FEWEST_DIGITS, MOST_DIGITS] = [3, 7];
/** Share of a fold's different scores that must remain different. */
const DISTINCT = 0.4;

const PLANES = 4;
const NEGATIVE = 128;
const NOT_A_NUMBER = 255;
const REST = 100;

/**
 * Rounds the scores of one column to three significant digits. A column gets more where a strongly regularised probe gave nearly
 * the same score to all: then three digits would make ties of most scores, and the areas under the curve would be others.
 *
 * @param folds the fold of each score
 */
export function roundedColumn(scores, folds) {
  for (let digits = FEWEST_DIGITS; ; digits += 1) {
    const column = scores.map((score) => rounded(score, digits));
    if (digits === MOST_DIGITS || staysDistinct(scores, column, folds)) return column;
  }
}

function staysDistinct(scores, column, folds) {
  return [...new Set(folds)].every((fold) => {
    const different = (values) => new Set(values.filter((_, i) => folds[i] === fold)).size;
    return different(column) >= DISTINCT * different(scores);
  });
}

/**
 * Near 1 the digits are those of the rest to one, so that scores of both ends keep their order. A probability stays on its side
 * of one half, so that the predicted class, and with it accuracy and F1, is what it was.
 */
function rounded(score, digits) {
  if (isNearOne(score)) return restToOne(fewDigits(1 - score, digits));
  const value = fewDigits(score, digits);
  if (value !== 0.5 || score === 0.5) return value;
  return Number((0.5 + Math.sign(score - 0.5) * 10 ** -digits).toFixed(digits));
}

function fewDigits(value, digits) {
  if (value !== 0 && Math.abs(value) < SMALLEST) return Math.sign(value) * SMALLEST;
  return Number(value.toPrecision(digits));
}

/** @param scores rounded ones, each below 10 */
export function encodeScores(scores) {
  const n = scores.length;
  const bytes = Buffer.alloc(PLANES * n);
  scores.forEach((score, i) => {
    if (Number.isNaN(score)) {
      bytes[i] = NOT_A_NUMBER;
      return;
    }
    const rest = isNearOne(score);
    const [mantissa, exponent] = Math.abs(rest ? 1 - score : score)
      .toExponential(MOST_DIGITS - 1)
      .split('e');
    if (Number(exponent) > 0) throw new RangeError(`a score of ${score} is not below 10`);
    bytes[i] = -10 * Number(exponent) + Number(mantissa[0]) + (score < 0 ? NEGATIVE : 0);
    for (let plane = 1; plane < PLANES; plane += 1) {
      bytes[plane * n + i] = Number(mantissa.slice(2 * plane, 2 * plane + 2));
    }
    if (rest) bytes[n + i] += REST;
  });
  return bytes;
}

/** @param bytes what `encodeScores` gave */
export function decodeScores(bytes) {
  const n = bytes.length / PLANES;
  return Array.from({ length: n }, (_, i) => {
    const [first, ...others] = Array.from({ length: PLANES }, (_, plane) => bytes[plane * n + i]);
    if (first === NOT_A_NUMBER) return Number.NaN;
    const lead = first % NEGATIVE;
    const digits = others.reduce((number, pair) => 100 * number + (pair % REST), lead % 10);
    const value = Number(`${digits}e-${Math.floor(lead / 10) + MOST_DIGITS - 1}`);
    if (others[0] >= REST) return restToOne(value);
    return first < NEGATIVE ? value : -value;
  });
}

function isNearOne(score) {
  return score > 0.9 && score < 1;
}

/** Rounded beyond what the predictions hold, so that 1 − 0.00027 is written 0.99973. */
function restToOne(value) {
  return Number((1 - value).toPrecision(15));
}
