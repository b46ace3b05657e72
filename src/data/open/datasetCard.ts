/** Reads `dataset.json`, which says of a data set what no column of its manifest can. */
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { z } from 'zod';
import { DataError } from '../../errors.js';
import { findRepeatedKey } from '../../text/repeatedKey.js';
import { findUnsafeKey } from '../../text/unsafeKey.js';
import type { Dataset } from '../sample.js';

/** The name of the card, which stands beside the manifest. */
export const CARD_FILE = 'dataset.json';

const cardSchema = z.object({
  name: z.string().min(1),
  /** Modalities that no scanner made. */
  simulated: z.array(z.string()).optional(),
  /** Modalities whose colours are measurements. */
  colourCoded: z.array(z.string()).optional(),
  positive: z.string().optional(),
  /** The command that made the data, without paths; then the generator's version and the side of the images. */
  command: z.string().optional(),
  version: z.number().optional(),
  size: z.number().optional(),
});

export type DatasetCard = z.infer<typeof cardSchema>;

/**
 * Reads what the card in this folder says of these modalities. Gives nothing where there is no card.
 *
 * @throws DataError if the file is not the JSON of a card, or has a key twice
 */
export async function readDatasetCard(
  folder: string,
  modalities: readonly string[],
): Promise<Partial<Pick<Dataset, 'name' | 'simulated' | 'generatorVersion' | 'colourCoded' | 'positive'>>> {
  const file = path.join(folder, CARD_FILE);
  const text = await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    throw new DataError(`${file}: cannot be read: ${error.message}. Check its permissions.`);
  });
  if (text === undefined) return {};
  const { name, positive, simulated, colourCoded, version } = parse(text, file);
  const present = (names: readonly string[] | undefined) => names?.filter((one) => modalities.includes(one));
  return {
    name,
    ...(positive === undefined ? {} : { positive }),
    ...(simulated === undefined ? {} : { simulated: present(simulated) }),
    ...(version === undefined ? {} : { generatorVersion: version }),
    ...(colourCoded === undefined ? {} : { colourCoded: present(colourCoded) }),
  };
}

function parse(text: string, file: string): DatasetCard {
  const advice = 'Correct it, or remove it if another program made it.';
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (error) {
    throw new DataError(`${file}: is not JSON (${(error as Error).message}). ${advice}`);
  }
  const repeated = findRepeatedKey(text);
  if (repeated !== undefined) {
    throw new DataError(`${file}: names the key "${repeated}" twice, so it says two things. ${advice}`);
  }
  const unsafe = findUnsafeKey(json);
  if (unsafe !== undefined) {
    throw new DataError(`${file}: the key "${unsafe}" says nothing of a data set. ${advice}`);
  }
  const result = cardSchema.safeParse(json);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  throw new DataError(
    `${file}: ${issue!.path.join('.') || 'the whole'}: ${issue!.message}; expected {"name": …, "simulated": […], …}. ${advice}`,
  );
}
