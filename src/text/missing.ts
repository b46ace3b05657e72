/** What R, pandas, SQL, BIDS, SAS and Excel write where a value is missing, lower case and without spaces. */
const MISSING: ReadonlySet<string> = new Set([
  ...[
    '',
    'na',
    'n/a',
    '#n/a',
    '#na',
    '<na>',
    'nan',
    '-nan',
    'nat',
    'null',
    '#null!',
    'none',
    '.',
    '-',
    '--',
    '?',
  ],
]);

/** Those of the words that are classes in some data: no finding, or the negative of a `+`. */
const CLASS_LIKE: ReadonlySet<string> = new Set(['none', '-']);

/** Tells whether a cell says in the words of common programs that its value is missing. */
export function isMissing(text: string): boolean {
  return MISSING.has(key(text));
}

/** Tells whether a word for a missing value may be a class as well. */
export function mayBeClass(text: string): boolean {
  return CLASS_LIKE.has(key(text));
}

function key(text: string): string {
  return text.normalize('NFKC').replace(/\s+/g, '').toLowerCase();
}
