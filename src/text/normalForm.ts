/**
 * Compares names as people mean them. Spreadsheets, pandas, Windows and macOS change how a name is written (`001` and
 * `1`, `7` and `7.0`, `P01` and `p01`, one letter or two for `ä`), and the person behind it stays the same.
 */

/**
 * Gives what all spellings of a name have in common. They may differ in case, in spaces, in zeros before a number or
 * after its decimal point, in the kind of dash, in the width of letters and digits, and in characters that are not
 * seen. Two names with equal forms look like one; they need not be.
 */
export function normalForm(name: string): string {
  const plain = name
    .normalize('NFKC')
    .replace(/\p{Default_Ignorable_Code_Point}|\p{Cc}/gu, (unseen) => (/\s/.test(unseen) ? ' ' : ''))
    .replace(/[\p{Dash_Punctuation}\u2212]/gu, '-')
    // Upper case first: ß and ss, or the two small sigmas, are one in upper case.
    .toUpperCase()
    .toLowerCase()
    .normalize('NFKC')
    .trim()
    // A space between two digits keeps two numbers apart. Elsewhere it says nothing.
    .replace(/\s+/gu, ' ')
    .replace(/(?<!\p{Nd}) | (?!\p{Nd})/gu, '')
    .replace(/\p{Nd}/gu, asciiDigit);
  return numberForm(plain) ?? plain.replace(/(?<![\d.])0+(?=\d)/g, '');
}

/** Unicode has its decimal digits in blocks of ten that begin at 0. */
function asciiDigit(digit: string): string {
  if (digit <= '9') return digit;
  let zero = digit.codePointAt(0)!;
  for (let steps = 0; steps < 9 && /\p{Nd}/u.test(String.fromCodePoint(zero - 1)); steps += 1) zero -= 1;
  return String(digit.codePointAt(0)! - zero);
}

/** Writes a decimal number as its significant digits and exponent, exactly, as ids may be longer than a double holds. */
function numberForm(text: string): string | undefined {
  const parts = /^([+-]?)(\d+)(?:\.(\d*))?(?:e([+-]?\d{1,3}))?$/.exec(text);
  if (parts === null) return undefined;
  const [, sign, whole, fraction = '', exponent = '0'] = parts;
  const digits = `${whole}${fraction}`.replace(/^0+/, '');
  const significant = digits.replace(/0+$/, '');
  if (significant === '') return '0';
  const power = Number(exponent) - fraction.length + digits.length - significant.length;
  return `${sign === '-' ? '-' : ''}${significant}${power === 0 ? '' : `e${power}`}`;
}

/** Lists the names of each normal form that several of them share, in the order given. */
export function spelledAlike(names: Iterable<string>): string[][] {
  const groups = new Map<string, Set<string>>();
  for (const name of names) {
    const form = normalForm(name);
    const group = groups.get(form);
    if (group === undefined) groups.set(form, new Set([name]));
    else group.add(name);
  }
  return [...groups.values()].filter(({ size }) => size > 1).map((group) => [...group]);
}

/** Writes a name so that two spellings never print alike: characters beyond ASCII as escapes where they hide. */
export function visibleName(name: string): string {
  const hidden = /[^\P{C}\n]|\p{M}|[^\S ]/gu;
  return JSON.stringify(name).replace(hidden, (one) => `\\u{${one.codePointAt(0)!.toString(16)}}`);
}
