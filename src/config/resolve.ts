/** Puts a config together from its sources, checks it, and reads and writes it as YAML. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { parseDocument, stringify } from 'yaml';
import { z } from 'zod';
import { checkAugmentation } from '../augment/recipes.js';
import { UsageError } from '../errors.js';
import { type MethodDefinition, methodNamed, methodNames } from '../methods/index.js';
import { nearest } from '../text/nearest.js';
import { findUnsafeKey, isUnsafeKey } from '../text/unsafeKey.js';
import { augmentationRecipes, type DeepPartial, defaults, recipes } from './recipes.js';
import { type Config, configSchema } from './schema.js';

/** Settings in groups, as YAML holds them. */
export type Tree = { [key: string]: unknown };

export interface ConfigSources {
  /** A name from `recipes`. */
  recipe?: string;
  /** Settings for where the file, the layers, the settings and the flags say nothing. */
  beneath?: Tree;
  /** A YAML file with any part of a config. */
  file?: string;
  /** Parts of a config as a file would hold them, later ones winning. */
  layers?: readonly Tree[];
  /** Settings as `a.b=c`, later ones winning; values are YAML. */
  set?: readonly string[];
  /** Settings that have a flag of their own, stronger than all others. */
  flags?: Readonly<Record<string, unknown>>;
  /** The name of the config in messages; default: the file. */
  name?: string;
}

/**
 * Puts a config together from the defaults, the method's own deviations from them, the recipe, the file, the layers,
 * the settings and the flags, each overriding those before it. Where no method is asked for, the recipe's is taken.
 * Where another method is asked for, the recipe's settings of its own method are left out.
 * @throws UsageError that names the key, its value, what was expected and, for an unknown key, the nearest known one
 */
export function resolveConfig(sources: ConfigSources): Config {
  const { recipe, beneath = {}, file, layers = [], set = [], flags = {}, name = file } = sources;
  const where = sources.name === undefined ? '' : `${sources.name}: `;
  const trees = [beneath, ...(file === undefined ? [] : [readYaml(file)]), ...layers].map((tree) =>
    expandNames(tree, where),
  );
  const settings = [
    ...set.map(parseSetting),
    ...Object.entries(flags).filter(([, value]) => value !== undefined),
  ];
  const asked =
    recipe ??
    settings.findLast(([key]) => key === 'recipe')?.[1] ??
    trees.findLast((tree) => tree.recipe !== undefined)?.recipe ??
    defaults.recipe;
  const { method: ofRecipe, ...rest } = recipeNamed(asked, where);
  const own = ofRecipe?.name ?? defaults.method.name;
  const method = definitionNamed(askedMethod(settings, trees) ?? own, where);
  const config = structuredClone(defaults) as unknown as Tree;
  config.method = structuredClone(method.defaults);
  merge(config, expandNames({ ...method.elsewhere }));
  merge(config, rest);
  if (method.name === own) merge(config, { method: ofRecipe ?? {} });
  for (const tree of trees) merge(config, tree);
  for (const [key, value] of settings) assign(config, key as string, value);
  config.recipe = asked;
  return validate(config, name);
}

/** Writes a config as YAML. A complete one can be read by `readConfig`. */
export function formatConfig(config: Readonly<Tree>): string {
  return stringify(config, { lineWidth: 0 });
}

/** Reads a stored, complete config. */
export function readConfig(file: string): Config {
  return validate(readYaml(file), file);
}

/** Lists the settings in which two configs, or trees of any settings, differ, as `key: before → after`. */
export function configDifferences(before: Readonly<Tree>, after: Readonly<Tree>): string[] {
  const left = flatten(before);
  const right = flatten(after);
  const keys = new Set([...left.keys(), ...right.keys()]);
  return [...keys]
    .filter((key) => left.get(key) !== right.get(key))
    .map((key) => `${key}: ${left.get(key) ?? 'absent'} → ${right.get(key) ?? 'absent'}`);
}

function flatten(value: unknown, prefix = '', found = new Map<string, string>()): Map<string, string> {
  if (isTree(value) && Object.keys(value).length > 0) {
    for (const [key, item] of Object.entries(value)) flatten(item, prefix ? `${prefix}.${key}` : key, found);
  } else found.set(prefix, JSON.stringify(value));
  return found;
}

function recipeNamed(name: unknown, where: string): DeepPartial<Config> {
  const recipe = typeof name === 'string' && Object.hasOwn(recipes, name) ? recipes[name] : undefined;
  if (recipe === undefined) {
    const known = Object.keys(recipes);
    throw new UsageError(
      `${where}recipe is ${JSON.stringify(name)}, expected one of ${known.join(', ')}${suggestion(String(name), known)}`,
    );
  }
  return recipe;
}

/** Finds the method that is asked for, where the last source to name one decides; undefined where none does. */
function askedMethod(settings: readonly (readonly unknown[])[], trees: readonly Tree[]): unknown {
  const nameIn = (method: unknown) => (isTree(method) ? method.name : method);
  const said = settings.findLast(
    ([key, value]) => key === 'method.name' || (key === 'method' && nameIn(value) !== undefined),
  );
  const inTrees = trees.map(({ method }) => nameIn(method)).findLast((name) => name !== undefined);
  return nameIn(said?.[1]) ?? inTrees;
}

function definitionNamed(name: unknown, where: string): MethodDefinition {
  const definition = typeof name === 'string' ? methodNamed(name) : undefined;
  if (definition === undefined) {
    throw new UsageError(
      `${where}method is ${JSON.stringify(name)}, expected one of ${methodNames.join(', ')}${suggestion(String(name), methodNames)}`,
    );
  }
  return definition;
}

/** Reads settings from a file. @throws UsageError when it cannot be read or holds something else */
export function readYaml(file: string): Tree {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== 'ENOENT') throw new UsageError(`${file}: cannot be read (${code}); expected a YAML file`);
    const folder = dirname(file);
    const meant = nearest(basename(file), existsSync(folder) ? readdirSync(folder) : []);
    throw new UsageError(
      `${file}: cannot be read: no such file; expected a YAML file${meant === undefined ? '' : `. Did you mean ${join(folder, meant)}?`}`,
    );
  }
  const value = parseYaml(text, file) ?? {};
  if (!isTree(value))
    throw new UsageError(`${file}: holds ${typeof value}, expected settings such as "seed: 1"`);
  return value;
}

function parseSetting(text: string): [string, unknown] {
  const at = text.indexOf('=');
  if (at < 1) throw new UsageError(`--set ${text}: expected key=value, such as --set training.steps=600`);
  const key = text.slice(0, at);
  for (const part of key.split('.')) refuseUnsafeKey(part, `--set ${text}`);
  return [key, parseYaml(text.slice(at + 1), `--set ${text}`)];
}

/** @throws UsageError that names the place, also for what only shows when aliases are followed */
function parseYaml(text: string, where: string): unknown {
  if (text.includes('\0')) throw new UsageError(`${where}: holds a NUL, which no text has; expected YAML`);
  const document = parseDocument(text);
  const [problem] = document.errors;
  if (problem) throw new UsageError(`${where}: ${problem.message}`);
  let value: unknown;
  try {
    value = document.toJS({ maxAliasCount: 100 });
  } catch (error) {
    throw new UsageError(`${where}: ${(error as Error).message}`);
  }
  const unsafe = findUnsafeKey(value);
  if (unsafe !== undefined) refuseUnsafeKey(unsafe, where);
  return value;
}

function refuseUnsafeKey(key: string, where: string): void {
  if (!isUnsafeKey(key)) return;
  throw new UsageError(`${where}: the key ${key} is no setting and is never read; remove it`);
}

function isTree(value: unknown): value is Tree {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** `method: simclr` and `augment: simclr` stand for the method and the augmentation of that name. */
function expandNames(tree: Tree, where = ''): Tree {
  if (typeof tree.method === 'string') return expandNames({ ...tree, method: { name: tree.method } }, where);
  if (typeof tree.augment !== 'string') return tree;
  const known = Object.keys(augmentationRecipes);
  if (!Object.hasOwn(augmentationRecipes, tree.augment)) {
    throw new UsageError(
      `${where}augment is ${tree.augment}, expected settings or one of ${known.join(', ')}${suggestion(tree.augment, known)}`,
    );
  }
  return { ...tree, augment: structuredClone(augmentationRecipes[tree.augment]) };
}

// The roles of one manifest mean nothing in another, so these groups are replaced as a whole.
const REPLACED_WHOLE = new Set(['columns', 'folders']);

function merge(into: Tree, from: Tree): void {
  dropOtherPlaces(into, from);
  for (const [key, value] of Object.entries(from)) {
    refuseUnsafeKey(key, 'config');
    const old = Object.hasOwn(into, key) ? into[key] : undefined;
    const merged = isTree(value) && isTree(old) && !REPLACED_WHOLE.has(key) && !isOtherKind(old, value.kind);
    if (merged) merge(old, value);
    else into[key] = structuredClone(value);
  }
}

/** Data is named by `data.path` or by `data.folders`. The later of two sources decides, and the other name goes. */
function dropOtherPlaces(into: Tree, { path, folders }: Tree): void {
  const named = (place: unknown) => place !== undefined && place !== null;
  if (named(path) && !named(folders)) delete into.folders;
  if (named(folders) && !named(path) && 'pathB' in into) Object.assign(into, { path: null, pathB: null });
}

/**
 * Tells whether a group of settings is of another kind than asked. The kinds of a schedule, crop or intensity share no
 * settings.
 */
function isOtherKind({ kind }: Tree, asked: unknown): boolean {
  return kind !== undefined && asked !== undefined && kind !== asked;
}

function assign(config: Tree, path: string, value: unknown): void {
  const keys = path.split('.');
  for (const key of keys) refuseUnsafeKey(key, path);
  const last = keys.pop()!;
  let tree = config;
  for (const key of keys) {
    if (!isTree(tree[key])) {
      if (tree[key] !== null && tree[key] !== undefined) {
        throw new UsageError(`--set ${path}: ${key} is a value, not a group of settings`);
      }
      tree[key] = {};
    }
    tree = tree[key] as Tree;
  }
  if (last === 'kind' && isOtherKind(tree, value)) for (const key of Object.keys(tree)) delete tree[key];
  merge(tree, keys.length === 0 ? expandNames({ [last]: value }) : { [last]: value });
}

function validate(value: unknown, where = 'config'): Config {
  const config = parseStrictly(configSchema, value, where);
  try {
    checkAugmentation(config.augment);
  } catch (error) {
    throw new UsageError(`${where}: ${(error as Error).message.replace('augmentation: ', 'augment.')}`);
  }
  return config;
}

/**
 * Checks a value against a schema and fills in defaults.
 * @param where the name of the value in messages
 * @throws UsageError that names the keys, their values, what was expected and, for an unknown key, the nearest known
 * one
 */
export function parseStrictly<T>(schema: z.ZodType<T>, value: unknown, where: string): T {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const problems = result.error.issues
    .slice(0, 5)
    .map((issue) => `${where}: ${describe(issue, value, schema)}`);
  throw new UsageError(problems.join('\n'));
}

function describe(issue: z.core.$ZodIssue, value: unknown, schema: z.ZodType): string {
  const path = issue.path.map(String);
  if (issue.code === 'unrecognized_keys') {
    const full = issue.keys.map((key) => [...path, key].join('.'));
    return full.map((key) => `unknown key ${key}${keySuggestion(key, schema)}`).join(', ');
  }
  const found = issue.path.reduce<unknown>((tree, key) => (tree as Tree | undefined)?.[key as string], value);
  const expected = issue.message
    .replace(/^Invalid (input|option): /, '')
    .replace(/^Invalid discriminator value. E/, 'e');
  const known = issue.code === 'invalid_value' ? issue.values.map(String) : [];
  const meant = typeof found === 'string' ? suggestion(found, known) : '';
  return `${path.join('.')} is ${JSON.stringify(found) ?? 'missing'}: ${expected}${meant}`;
}

/**
 * Lists every key that the schema knows, groups and the alternatives of a union included. The items of a list are
 * called 0.
 */
function schemaKeys(schema: unknown, prefix = '', found = new Set<string>()): Set<string> {
  if (schema instanceof z.ZodNullable || schema instanceof z.ZodOptional || schema instanceof z.ZodDefault)
    return schemaKeys(schema.unwrap(), prefix, found);
  if (prefix) found.add(prefix);
  if (schema instanceof z.ZodArray && schema.element instanceof z.ZodObject)
    schemaKeys(schema.element, `${prefix}.0`, found);
  if (schema instanceof z.ZodUnion) for (const option of schema.options) schemaKeys(option, prefix, found);
  if (schema instanceof z.ZodObject) {
    for (const [key, item] of Object.entries(schema.shape))
      schemaKeys(item, prefix ? `${prefix}.${key}` : key, found);
  }
  return found;
}

/** What other programs call settings, without the signs between words. */
const HABITS: Readonly<Record<string, string>> = {
  bs: 'training.batchSize',
  batch: 'training.batchSize',
  lr: 'training.learningRate',
  wd: 'training.weightDecay',
  numepochs: 'training.epochs',
  nepochs: 'training.epochs',
  maxepochs: 'training.epochs',
  maxsteps: 'training.steps',
  gpu: 'training.device',
  amp: 'training.precision',
  imagesize: 'data.size',
  imgsize: 'data.size',
  inputsize: 'data.size',
  resolution: 'data.size',
  arch: 'model.backbone',
  pretrained: 'model.initFrom',
  weights: 'model.initFrom',
};

/** `batch_size`, `batch-size` and `batchSize` are one word in several habits. */
function habitForm(word: string): string {
  return word.toLowerCase().replace(/[-_]/g, '');
}

function lastPart(key: string): string {
  return key.slice(key.lastIndexOf('.') + 1);
}

/** Finds the key that a word names in another writing, or by what other programs call it. */
function keyInOtherWords(word: string, known: readonly string[]): string | undefined {
  const form = habitForm(word);
  // The group of `training.lr` is right, and only its last word is another's.
  const habit = HABITS[lastPart(form)];
  return known.find((key) => habitForm(key) === form) ?? known.find((key) => key === habit);
}

/** Finds the key that ends as the word does, where its group was left out or mistaken. */
function keyOfSameEnd(word: string, known: readonly string[]): string | undefined {
  return known.find((key) => habitForm(lastPart(key)) === habitForm(lastPart(word)));
}

/**
 * Finds the setting of a config that is meant by a word with its group or without it, in anybody's writing, such as
 * `batch-size`, `learning_rate` or `lr`. Gives undefined where none is.
 */
export function settingNamed(word: string): string | undefined {
  const inGroups = [...schemaKeys(configSchema)].filter((key) => key.includes('.'));
  // What any method has is training's before it is the one method's.
  const known = inGroups.sort((a, b) => Number(a.startsWith('method.')) - Number(b.startsWith('method.')));
  const near = nearest(word, known.map(lastPart));
  return (
    keyInOtherWords(word, known) ?? keyOfSameEnd(word, known) ?? known.find((key) => lastPart(key) === near)
  );
}

/** Suggests the nearest key, or the key with the same end where the group was left out or mistaken. */
function keySuggestion(key: string, schema: z.ZodType): string {
  const item = /\.\d+\./.exec(key)?.[0] ?? '.0.';
  const known = [...schemaKeys(schema)].map((other) => other.replace('.0.', item));
  if (known.includes(key)) return '; it is a setting of another method';
  const meant = keyInOtherWords(key, known) ?? nearest(key, known) ?? keyOfSameEnd(key, known);
  return meant === undefined ? '' : `; did you mean ${meant}?`;
}

function suggestion(name: string, known: readonly string[]): string {
  const closest = nearest(name, known);
  return closest === undefined ? '' : `; did you mean ${closest}?`;
}
