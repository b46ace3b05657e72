/** Reads `dataset.json`, which says of a data set what no column of its manifest can. */
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { z } from 'zod';
import { DataError } from '../../errors.js';
import { findRepeatedKey } from '../../text/repeatedKey.js';
import { findUnsafeKey } from '../../text/unsafeKey.js';
import type { Dataset } from '../sample.js';
import { ALIGNMENT_FILE } from './alignment.js';
import { checkModalityNames } from './modalityNames.js';

/** The name of the card, which stands beside the manifest. */
export const CARD_FILE = 'dataset.json';

const cardSchema = z.object({
  name: z.string().min(1),
  /** The modalities in their order, where they are not the columns `a` and `b`. */
  modalities: z.array(z.string().min(1)).min(1).optional(),
  /** Modalities that no scanner made. */
  simulated: z.array(z.string()).optional(),
  /** Modalities whose colours are measurements. */
  colourCoded: z.array(z.string()).optional(),
  positive: z.string().optional(),
  /** The command that made the data, without paths; then the generator's version and the side of the images. */
  command: z.string().optional(),
  version: z.number().optional(),
  size: z.number().optional(),
  /** The file beside the card that says where images lie in the frames of others. */
  alignment: z.literal(ALIGNMENT_FILE).optional(),
});

export type DatasetCard = z.infer<typeof cardSchema>;

/** What a card says of its data set. */
export type CardFacts = Partial<
  Pick<Dataset, 'name' | 'modalities' | 'simulated' | 'generatorVersion' | 'colourCoded' | 'positive'>
> & { readonly alignment?: typeof ALIGNMENT_FILE };

/**
 * Reads the card in this folder. Gives nothing where there is no card.
 *
 * @throws DataError if the file is not the JSON of a card, or has a key twice
 */
export async function readDatasetCard(folder: string): Promise<CardFacts> {
  const file = path.join(folder, CARD_FILE);
  const text = await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    throw new DataError(`${file}: cannot be read: ${error.message}. Check its permissions.`);
  });
  if (text === undefined) return {};
  const { command: _, size: __, version, ...facts } = parse(text, file);
  if (facts.modalities !== undefined) checkModalityNames(facts.modalities, `${file}: modalities`);
  return { ...facts, ...(version === undefined ? {} : { generatorVersion: version }) };
}

/** Takes what a card says of modalities that are not read out of it. */
export function factsOf(
  card: CardFacts,
  modalities: readonly string[],
): Omit<CardFacts, 'modalities' | 'alignment'> {
  const { modalities: _, alignment: __, simulated, colourCoded, ...facts } = card;
  const among = (names: readonly string[]) => names.filter((one) => modalities.includes(one));
  return {
    ...facts,
    ...(simulated && { simulated: among(simulated) }),
    ...(colourCoded && { colourCoded: among(colourCoded) }),
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
