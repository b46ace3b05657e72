// The options of a bench. --help prints the comment at the top of its file; a mistake is one line and exit code 2.
import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';

/** @param file the bench's import.meta.url */
export function parseOptions(file, options) {
  try {
    const { values } = parseArgs({ options: { ...options, help: { type: 'boolean', default: false } } });
    if (!values.help) return values;
  } catch (error) {
    console.error(`error: ${error.message.split('. ')[0]}; --help lists the options`);
    process.exit(2);
  }
  const comment = /^(?:\/\/.*\n)+/.exec(readFileSync(new URL(file), 'utf8'))[0];
  console.log(comment.replace(/^\/\/ ?/gm, '').trim());
  process.exit(0);
}
