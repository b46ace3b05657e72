/** The list of all pretraining methods. A new method takes a file of its own and a line here. */
import { z } from 'zod';
import { anatomy } from './anatomy/anatomy.js';
import { cmc } from './cmc.js';
import { decur } from './decur.js';
import type { MethodDefinition } from './definition.js';
import { densecl } from './densecl.js';
import { instdis } from './instdis.js';
import { simclr } from './simclr.js';
import { supervised } from './supervised.js';
import { imagenet, random } from './untrained.js';

const definitions = [anatomy, instdis, simclr, cmc, densecl, decur, supervised, random, imagenet] as const;

type Schema = (typeof definitions)[number]['schema'];

/** The schema of the settings under `method`, which are told apart by name. */
export const methodSchema = z.discriminatedUnion(
  'name',
  definitions.map(({ schema }) => schema) as unknown as readonly [Schema, ...Schema[]],
);

export type MethodConfig = z.infer<typeof methodSchema>;

export const methodNames: readonly string[] = definitions.map(({ name }) => name);

/** Finds a method by its name; undefined for a name that no method has. */
export function methodNamed(name: string): MethodDefinition | undefined {
  return definitions.find((definition) => definition.name === name) as MethodDefinition | undefined;
}
