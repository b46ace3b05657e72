/**
 * Finds the first key that an object somewhere in valid JSON text names twice. `JSON.parse` would silently keep the
 * later value, and readers in other languages the earlier one, so two programs would see two files.
 */
export function findRepeatedKey(json: string): string | undefined {
  /** An entry for each open bracket: the set of keys so far for an object, and nothing for an array. */
  const open: (Set<string> | undefined)[] = [];
  let keyExpected = false;
  for (let at = 0; at < json.length; at += 1) {
    const character = json[at]!;
    if (character === '{') open.push(new Set());
    else if (character === '[') open.push(undefined);
    else if (character === '}' || character === ']') open.pop();
    else if (character === '"') {
      const end = closingQuote(json, at);
      const keys = open.at(-1);
      if (keyExpected && keys !== undefined) {
        const key: string = JSON.parse(json.slice(at, end + 1));
        if (keys.has(key)) return key;
        keys.add(key);
      }
      at = end;
    }
    if (character === '{' || character === ',') keyExpected = true;
    else if (character === '"' || character === '[') keyExpected = false;
  }
  return undefined;
}

function closingQuote(json: string, openingQuote: number): number {
  let at = openingQuote;
  for (;;) {
    at = json.indexOf('"', at + 1);
    let backslashes = 0;
    while (json[at - 1 - backslashes] === '\\') backslashes += 1;
    if (backslashes % 2 === 0) return at; // an odd number would escape this quote
  }
}
