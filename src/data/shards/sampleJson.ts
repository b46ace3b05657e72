import { findRepeatedKey } from '../../text/repeatedKey.js';
import type { TarMember } from './tar.js';

/**
 * Reads the JSON of a sample in other programs' shards. NaN, which Python writes where a value is missing, is null.
 *
 * @param complain is told, by the member's name, why it cannot be read; it then counts as empty
 */
export function readSampleJson(
  { name, content = Buffer.alloc(0) }: Pick<TarMember, 'name' | 'content'>,
  complain: (problem: string) => void,
): Readonly<Record<string, unknown>> {
  try {
    const text = withoutNaN(new TextDecoder('utf-8', { fatal: true }).decode(content));
    const value: unknown = JSON.parse(text);
    if (typeof value !== 'object' || value === null || Array.isArray(value)) {
      complain(`${name}: holds ${text.slice(0, 40)}, expected an object such as {"subject": "p1"}`);
      return {};
    }
    const repeated = findRepeatedKey(text);
    if (repeated !== undefined) complain(`${name}: names the key "${repeated}" twice`);
    return value as Record<string, unknown>;
  } catch (error) {
    const reason = error instanceof SyntaxError ? error.message : 'the text is not UTF-8';
    complain(`${name}: cannot be read as JSON: ${reason}`);
    return {};
  }
}

/** Puts null in the place of each NaN that stands outside of strings. */
function withoutNaN(text: string): string {
  return text.replace(/"(?:[^"\\]|\\.)*"|(?<![\w.-])NaN(?!\w)/gs, (found) =>
    found === 'NaN' ? 'null' : found,
  );
}
