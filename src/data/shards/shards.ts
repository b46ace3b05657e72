/**
 * The room `data/shards` stores a data set in tar archives that are read from front to back. This file opens them:
 * those of `data pack --shards`, and other programs' after WebDataset's convention.
 */
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import path from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { z } from 'zod';
import { DataError, UsageError } from '../../errors.js';
import { isMissing } from '../../text/missing.js';
import { problemsError } from '../faults.js';
import { IMAGE_EXTENSIONS } from '../formats/index.js';
import {
  looksLikeSubject,
  type ManifestColumns,
  ROLES,
  refuseContradiction,
} from '../open/manifestColumns.js';
import { fromPortable, portableSample } from '../pack/portable.js';
import type { Dataset, MemberSource, Sample } from '../sample.js';
import { readSampleJson } from './sampleJson.js';
import { SHARDS_FILE, type ShardsDescription, shardsDescription } from './shardFormat.js';
import { listTar, type TarMember } from './tar.js';

export interface ShardsReadOptions {
  /** The key of each role in a sample's json; for a modality, the end of its files' names after the first dot. */
  columns?: ManifestColumns;
  /** The modalities of other programs' shards, in their order; absent: `a`, `b` and those that `columns` names. */
  modalities?: readonly string[];
  /** Is told what was assumed where the shards leave something out. */
  onWarning?: (message: string) => void;
}

/**
 * Tells whether a place names shards: an archive, several by `name-{000000..000009}.tar`, or a folder that holds
 * some.
 */
export function isShards(place: string): boolean {
  if (/\.(tar|tgz)(\.\w+)?$/i.test(place)) return true;
  if (existsSync(path.join(place, SHARDS_FILE))) return true;
  return statSync(place, { throwIfNoEntry: false })?.isDirectory() === true && archives(place).length > 0;
}

function archives(folder: string): string[] {
  return readdirSync(folder)
    .filter((name) => /\.(tar|tgz)(\.\w+)?$/i.test(name))
    .sort();
}

/**
 * Opens the samples of shards, in the order in which they are stored. Nothing is decoded.
 *
 * @throws DataError naming the shard and the byte if one is missing, truncated, compressed or damaged
 */
export async function openShards(place: string, options: ShardsReadOptions = {}): Promise<Dataset> {
  const isFolder = statSync(place, { throwIfNoEntry: false })?.isDirectory() === true;
  const folder = isFolder ? place : path.dirname(place);
  const description = readDescription(folder);
  const all = description?.shards.map(({ file }) => file);
  const names = isFolder ? (all ?? archives(folder)) : expandBraces(path.basename(place));
  const files = names.map((name) => path.join(folder, name));
  const missing = files.filter((file) => !existsSync(file));
  if (missing.length > 0) {
    throw problemsError(
      `${missing.length} of the ${files.length} shards of ${place} are missing`,
      missing,
      'Copy them again, or name those that are there: name-{000000..000009}.tar.',
    );
  }
  if (description !== undefined && names.every((name) => all!.includes(name))) {
    if (Object.keys(options.columns ?? {}).length > 0) {
      throw new UsageError(
        `--column goes with other programs’ shards, but ${SHARDS_FILE} says what these hold. Leave it out.`,
      );
    }
    return ownShards(description, files);
  }
  return otherShards(place, files, options);
}

function readDescription(folder: string): ShardsDescription | undefined {
  const file = path.join(folder, SHARDS_FILE);
  if (!existsSync(file)) return undefined;
  let content: unknown;
  try {
    content = JSON.parse(readFileSync(file, 'utf8'));
  } catch (error) {
    throw new DataError(`${file}: is damaged: ${(error as Error).message}. Copy or make the shards again.`);
  }
  const parsed = shardsDescription.safeParse(content);
  if (parsed.success) return parsed.data;
  throw new DataError(
    `${file}: does not describe shards of version 1 (${z.prettifyError(parsed.error)}). ` +
      'Use the anatomy-ssl that made them, or make them again.',
  );
}

/** Expands `name-{000000..000009}.tar` to its ten names. A name without braces stands for itself. */
function expandBraces(name: string): string[] {
  const [, before, from, to, after] = /^(.*)\{(\d+)\.\.(\d+)\}(.*)$/.exec(name) ?? [];
  if (from === undefined || to === undefined) return [name];
  if (from.length !== to.length || Number(to) < Number(from)) {
    throw new UsageError(
      `${name}: the range is {${from}..${to}}, expected two numbers of one width, such as {000000..000009}`,
    );
  }
  return Array.from(
    { length: Number(to) - Number(from) + 1 },
    (_, i) => `${before}${String(Number(from) + i).padStart(from.length, '0')}${after}`,
  );
}

/**
 * The files of one sample, which stand together. `key` is their name up to the first dot; the rest of a name maps to
 * the file.
 */
interface Group {
  readonly key: string;
  readonly members: ReadonlyMap<string, TarMember>;
}

/**
 * Yields the files of one sample after the other.
 *
 * @param toRead ends of names, after the first dot, of the files whose contents are wanted
 */
function* groups(file: string, toRead: ReadonlySet<string>): Generator<Group> {
  let current: { key: string; members: Map<string, TarMember> } | undefined;
  for (const member of listTar(file, (name) => toRead.has(keyAndExtension(name, toRead).extension))) {
    const { key, extension } = keyAndExtension(member.name, toRead);
    if (extension === '') continue;
    if (current !== undefined && current.key !== key) {
      yield current;
      current = undefined;
    }
    current ??= { key, members: new Map() };
    if (current.members.has(extension)) {
      throw new DataError(`${file}: ${member.name}: stands twice in its sample. Leave one of them out.`);
    }
    current.members.set(extension, member);
  }
  if (current !== undefined) yield current;
}

/**
 * Splits `x/000017.a.png` into `x/000017` and `a.png`. The extension of hidden files is empty. Extensions that are to
 * be read, such as `json`, are found in any case.
 */
function keyAndExtension(name: string, toRead: ReadonlySet<string>): { key: string; extension: string } {
  const { dir, base } = path.posix.parse(name);
  const dot = base.indexOf('.');
  if (dot < 1) return { key: name, extension: '' };
  const written = base.slice(dot + 1);
  const extension = toRead.has(written.toLowerCase()) ? written.toLowerCase() : written;
  return { key: path.posix.join(dir, base.slice(0, dot)), extension };
}

/** @param archive its path, in full: the same string for all members, as there may be millions */
function sourceOf(archive: string, { name, offset, length }: TarMember): MemberSource {
  return { kind: 'member', path: archive, offset, length, name };
}

async function ownShards(description: ShardsDescription, files: readonly string[]): Promise<Dataset> {
  const samples: Sample[] = [];
  for (const file of files) {
    const expected = description.shards.find((shard) => shard.file === path.basename(file))!;
    const damaged = (problem: string) =>
      new DataError(`${file}: the shard is damaged: ${problem}. Copy or make it again.`);
    const archive = path.resolve(file);
    const { size } = statSync(file);
    if (size !== expected.bytes) throw damaged(`it has ${size} bytes, expected ${expected.bytes}`);
    const hash = createHash('sha256');
    const found: { json: Buffer; key: string; images: Sample['images'] }[] = [];
    for (const { key, members } of groups(file, new Set(['json']))) {
      const json = members.get('json')?.content;
      if (json === undefined) throw damaged(`${key}.json is missing`);
      hash.update(json);
      const images = Object.entries(description.extensions).flatMap(([modality, extension]) => {
        const member = members.get(extension);
        if (member === undefined || member.isLink) return [];
        return [[modality, sourceOf(archive, member)] as const];
      });
      found.push({ json, key, images: Object.fromEntries(images) });
    }
    // The digest is checked before the text is trusted.
    if (hash.digest('hex') !== expected.samplesSha256 || found.length !== expected.samples) {
      throw damaged(`its samples do not match the digest in ${SHARDS_FILE}`);
    }
    for (const { json, key, images } of found) {
      const sample = portableSample.parse(parseJson(json));
      // A sample has a digest of each of its images, and of none that it lacks.
      for (const [modality, extension] of Object.entries(description.extensions)) {
        const expects = sample.sourceDigests[modality] !== undefined;
        if (expects && images[modality] === undefined) throw damaged(`${key}.${extension} is missing`);
        if (!expects && images[modality] !== undefined)
          throw damaged(`${key}.${extension} is not of its sample`);
      }
      samples.push({ ...sample, images, origin: `${file}: ${key}` });
    }
    await nextTurn();
  }
  return fromPortable(description, samples);
}

function parseJson(bytes: Buffer): unknown {
  try {
    return JSON.parse(bytes.toString('utf8'));
  } catch {
    return undefined;
  }
}

async function otherShards(
  place: string,
  files: readonly string[],
  { columns = {}, modalities: asked, onWarning }: ShardsReadOptions,
): Promise<Dataset> {
  const named = [...new Set(['a', 'b', ...Object.keys(columns)])].filter(
    (name) => !(ROLES as readonly string[]).includes(name) && columns[name] !== null,
  );
  refuseContradiction(columns, asked);
  const modalities = asked ?? named;
  const roles = ROLES.flatMap((role) => columns[role] ?? []);
  const toRead = new Set(['json', 'cls', ...roles]);
  const samples: Sample[] = [];
  const problems: string[] = [];
  const origins = new Map<string, string>();
  let namesSubjects = false;
  let seen: readonly string[] | undefined;
  for (const file of files) {
    const archive = path.resolve(file);
    for (const { key, members } of groups(file, toRead)) {
      const chosen = modalities.map((modality) => imageOf(members, columns[modality] ?? modality));
      // Links that no image of a sample stands beside are not of the data.
      if (chosen.every((member) => member === undefined) && [...members.values()].every(isLink)) continue;
      const origin = `${file}: ${key}`;
      seen ??= [...members.keys()];
      const read = fieldReader(members, columns, (problem) => problems.push(`${file}: ${problem}`));
      const id = read('id') ?? key;
      const earlier = origins.get(id);
      if (earlier !== undefined) problems.push(`${origin}: the id "${id}" is already that of ${earlier}`);
      origins.set(id, origin);
      const images: Record<string, MemberSource> = {};
      for (const [i, modality] of modalities.entries()) {
        const member = chosen[i];
        if (member !== undefined) images[modality] = sourceOf(archive, member);
      }
      if (Object.keys(images).length === 0) {
        const wanted = modalities.map((modality) => `"${modality}"`).join(' or ');
        problems.push(`${origin}: has no image for ${wanted} among ${[...members.keys()].join(', ')}`);
      }
      for (const [extension, member] of members) {
        if (!isLink(member) || !(toRead.has(extension) || chosen.includes(member))) continue;
        problems.push(
          `${file}: ${member.name}: is a link, expected the file itself (tar --dereference --hard-dereference)`,
        );
      }
      const fold = read('fold');
      if (fold !== undefined && !/^\d{1,6}$/.test(fold))
        problems.push(`${origin}: the fold is "${fold}", expected a whole number from 0`);
      const subject = read('subject') ?? '';
      if (!isMissing(subject)) namesSubjects = true;
      samples.push({
        id,
        subject,
        label: labelOf(read('label'), columns.label === null ? undefined : textOf(members.get('cls'))),
        fold: fold === undefined ? undefined : Number(fold),
        extra: read.rest(),
        images,
        origin,
      });
    }
    await nextTurn();
  }
  if (samples.length === 0) throw new DataError(`${place}: the shards hold no samples.`);
  for (const modality of problems.length > 0 ? [] : modalities) {
    if (samples.some(({ images }) => Object.hasOwn(images, modality))) continue;
    problems.push(`${place}: no sample has an image for "${modality}"`);
  }
  if (problems.length > 0) {
    throw problemsError(
      `${place}: the shards have ${problems.length} ${problems.length === 1 ? 'fault' : 'faults'}`,
      problems,
      `Files of the first sample end in ${seen!.join(', ')}; say which are the modalities with --column, such as a=${seen![0]}, and b=null where there is one alone.`,
    );
  }
  const name = path.basename(path.resolve(place)).replace(/[-_]?(\{.*\}|\d+)?\.tar$/, '');
  // Where some name a subject, those that do not are told of when names are settled.
  if (namesSubjects) return { name, modalities, samples };
  const key = samples.flatMap(({ extra = {} }) => Object.keys(extra)).find(looksLikeSubject);
  const likely = key === undefined ? '…' : `${key}, which looks like it`;
  onWarning?.(
    `${place}: the shards name no subjects, so every sample counts as a patient of its own. ` +
      `If patients have several samples, name the key of their json with --column subject=${likely}.`,
  );
  return { name, modalities, samples: samples.map((sample) => ({ ...sample, subject: sample.id })) };
}

function isLink(member: TarMember): boolean {
  return member.isLink === true;
}

/** Chooses the label of the json, or that of the file `cls` where the json gives none, or a word for a missing value. */
function labelOf(told: string | undefined, cls: string | undefined): string | undefined {
  return told === undefined || isMissing(told) ? (cls ?? told) : told;
}

/** Makes the function that reads a role from a sample's json, or from a file of its own such as `cls`. */
function fieldReader(
  members: Group['members'],
  columns: ManifestColumns,
  complain: (problem: string) => void,
) {
  const written = members.get('json');
  const json = written === undefined || isLink(written) ? {} : readSampleJson(written, complain);
  const used = new Set<string>();
  const read = (role: string): string | undefined => {
    if (columns[role] === null) return undefined;
    const name = columns[role] ?? role;
    used.add(name);
    const value = Object.hasOwn(json, name) ? json[name] : undefined;
    const text = scalar(value);
    if (text === undefined && value !== undefined && value !== null) {
      complain(`${written!.name}: the ${role} is ${JSON.stringify(value)}, expected text or an exact number`);
    }
    return text ?? (columns[role] === undefined ? undefined : textOf(members.get(name)));
  };
  read.rest = (): Record<string, string> | undefined => {
    const rest = Object.entries(json)
      .filter(([name]) => !used.has(name))
      .flatMap(([name, value]) => {
        const text = scalar(value);
        return text === undefined ? [] : [[name, text] as const];
      });
    return rest.length === 0 ? undefined : Object.fromEntries(rest);
  };
  return read;
}

/** Numbers beyond 2^53 give no text: two ids that differ in their last digits would read alike. */
function scalar(value: unknown): string | undefined {
  if (typeof value === 'number' && Number.isInteger(value) && !Number.isSafeInteger(value)) return undefined;
  return ['string', 'number', 'boolean'].includes(typeof value) ? String(value) : undefined;
}

function textOf(member: TarMember | undefined): string | undefined {
  return member?.content?.toString('utf8').trim() || undefined;
}

/** Finds the file that ends in `name`, or in `name` and an image's ending; in any case, where that is one file. */
function imageOf(members: Group['members'], name: string): TarMember | undefined {
  const ends = [name, ...IMAGE_EXTENSIONS.map((ending) => name + ending)];
  const exact = ends.find((end) => members.has(end));
  if (exact !== undefined) return members.get(exact);
  const anyCase = ends.map((end) => end.toLowerCase());
  const alike = [...members.keys()].filter((extension) => anyCase.includes(extension.toLowerCase()));
  return alike.length === 1 ? members.get(alike[0]!) : undefined;
}
