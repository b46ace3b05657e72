/** Searches the files of a folder for words that must not be there. */
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { homedir, hostname, userInfo } from 'node:os';
import { join } from 'node:path';
import { gunzipSync, inflateSync } from 'node:zlib';

/** A word that no file holds by chance. */
export const MARK = 'zqmark';

/** The bytes of a file and of all that is compressed inside: gzip members and the text chunks of PNG. */
function contents(file: string): Buffer[] {
  const bytes = readFileSync(file);
  const found: Buffer[] = [bytes];
  if (bytes[0] === 0x1f && bytes[1] === 0x8b) found.push(gunzipSync(bytes));
  const text = bytes.toString('latin1');
  for (const [, encoded] of text.matchAll(/base64,([A-Za-z0-9+/=]+)/g))
    found.push(Buffer.from(encoded!, 'base64'));
  for (const image of [...found]) {
    for (let at = 8; image.subarray(1, 4).toString() === 'PNG' && at < image.length; ) {
      const length = image.readUInt32BE(at);
      const kind = image.subarray(at + 4, at + 8).toString();
      const data = image.subarray(at + 8, at + 8 + length);
      const compressed = data.indexOf(0) + 2;
      if (kind === 'zTXt' || kind === 'iCCP') found.push(inflateSync(data.subarray(compressed)));
      at += 12 + length;
    }
  }
  return found;
}

/** The files under a folder, or the file itself, that hold one of the words, with the word. */
export function telling(folder: string, words: readonly string[]): string[] {
  const names = statSync(folder).isFile() ? [''] : readdirSync(folder, { recursive: true, encoding: 'utf8' });
  return names.flatMap((name) => {
    const path = join(folder, name);
    const inName = words.filter((word) => name.toLowerCase().includes(word));
    if (!statSync(path).isFile()) return inName.map((word) => `${name}: ${word}`);
    const texts = contents(path).flatMap((bytes) =>
      ['latin1', 'utf16le'].map((encoding) => bytes.toString(encoding as 'latin1').toLowerCase()),
    );
    const told = words.filter((word) => texts.some((text) => text.includes(word)));
    return [...new Set([...inName, ...told])].map((word) => `${name}: ${word}`);
  });
}

/** The names of this machine and its user, but for short ones, which stand in many a text by chance. */
export const ours = [hostname(), userInfo().username, homedir()]
  .map((name) => name.toLowerCase())
  .filter((name) => name.length > 6);
