/** This room serves the live page: what runs say of themselves, to this machine's user alone. It changes no run, and writes lists of samples to leave out alone. */
import { existsSync, mkdirSync, readFileSync, realpathSync } from 'node:fs';
import { extname, join, sep } from 'node:path';
import { type Context, Hono } from 'hono';
import { bodyLimit } from 'hono/body-limit';
import { stream, streamSSE } from 'hono/streaming';
import { z } from 'zod';
import { writeDropList } from '../data/open/dropList.js';
import { AnatomyError, UsageError } from '../errors.js';
import { runPaths } from '../training/runFolder.js';
import type { DataOwner } from './explorer/explorer.js';
import type { ExplorerThread } from './explorer/explorerThread.js';
import type { NamedRun } from './explorer/openRun.js';
import { openVolume } from './explorer/volumeFile.js';
import { type GuardOptions, guard, WRITING } from './guard.js';
import type {
  AuditLine,
  DropListRequest,
  ExperimentSummary,
  RunSummary,
  RunsChange,
  RunsList,
} from './messages.js';
import { PROJECTIONS } from './messages.js';
import { readMetricLines } from './readRun.js';
import { RunsWatch } from './watchRuns.js';

export interface AppOptions extends GuardOptions {
  /** The folder that is served; it may not be there yet. */
  readonly root: string;
  /** The folder of the built page. */
  readonly page: string;
  /** How long it waits between two looks at the runs, in milliseconds. */
  readonly pauseMs?: number | undefined;
  readonly explorer: ExplorerThread;
  /** The name of data that the threads look at without a run. */
  readonly data?: string | undefined;
  /** Looks through data, which takes minutes, while the explorer answers clicks. */
  readonly auditor: ExplorerThread;
  /** Whether others may look: no path, no report and no message of a run is told, and nothing is written. */
  readonly isPublic?: boolean | undefined;
}

const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
};

/** A report holds its style, and no script. */
const REPORT_POLICY =
  "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'; " +
  "frame-ancestors 'none'; sandbox";

export function serveApp(options: AppOptions): Hono {
  const { root, page, pauseMs, explorer, auditor, data, isPublic = false } = options;
  const watch = new RunsWatch(root, pauseMs);
  const told = (run: RunSummary) => (isPublic ? publicSummary(run) : run);
  const toldExperiment = (experiment: ExperimentSummary) =>
    isPublic ? publicExperiment(experiment) : experiment;
  const listed = (): RunsList => ({
    root: isPublic ? '' : root,
    isPublic,
    runs: watch.runs().map(told),
    experiments: watch.experiments().map(toldExperiment),
    data: data === undefined ? null : isPublic ? '' : data,
  });
  /** A page that was opened at a run asks before the list was read. */
  const folderOf = (id = '') => {
    if (watch.folderOf(id) === undefined) watch.look();
    return watch.folderOf(id);
  };
  const experimentFolderOf = (id: string) => {
    if (watch.experimentFolderOf(id) === undefined) watch.look();
    return watch.experimentFolderOf(id);
  };
  /** A question that names no run is of the data that the server was started with. */
  const ownerOf = (context: Context): DataOwner | undefined =>
    context.req.query('run') === undefined && data !== undefined ? 'given' : namedRuns(context, folderOf)[0];
  const app = new Hono();
  app.use(guard(options));
  app.get('/api/runs', (context) => {
    watch.look();
    return context.json(listed());
  });
  app.get('/api/events', (context) =>
    streamSSE(context, async (stream) => {
      watch.look();
      let waiting: RunsChange | undefined;
      let wake = () => {};
      const stop = watch.listen((change) => {
        const { changed, removed, experiments } = change;
        waiting = joined(waiting, {
          changed: changed.map(told),
          removed,
          experiments: experiments?.map(toldExperiment),
        });
        wake();
      });
      stream.onAbort(() => {
        stop();
        wake();
      });
      await stream.writeSSE({ event: 'runs', data: JSON.stringify(listed()) });
      while (!stream.aborted) {
        const change = waiting;
        waiting = undefined;
        if (change !== undefined) await stream.writeSSE({ event: 'change', data: JSON.stringify(change) });
        else
          await new Promise<void>((resolve) => {
            wake = resolve;
          });
      }
    }),
  );
  app.get('/api/metrics', (context) => {
    const folder = folderOf(context.req.query('run'));
    const from = Number(context.req.query('from') ?? 0);
    if (folder === undefined) return noSuchRun(context);
    if (!Number.isSafeInteger(from) || from < 0) return context.text('from is no place in a file\n', 400);
    return context.json(readMetricLines(runPaths(folder).metrics, from, context.req.query('file')));
  });
  app.get('/api/samples', async (context) => {
    const [run, ...others] = namedRuns(context, folderOf);
    if (run === undefined || others.length > 0) return noSuchRun(context);
    return context.json(await explorer.ask('samples', [run], context.req.raw.signal));
  });
  app.get('/api/image', async (context) => {
    const [run] = namedRuns(context, folderOf);
    if (run === undefined) return noSuchRun(context);
    const { sample, modality } = questionOf(imageQuestion, context);
    const png = await explorer.ask('picture', [run, sample, modality], context.req.raw.signal);
    // The same picture is asked for again and again while one points at points.
    return context.body(new Uint8Array(png), 200, {
      'Content-Type': 'image/png',
      'Cache-Control': 'private, max-age=60',
    });
  });
  app.get('/api/outline', async (context) => {
    const [run] = namedRuns(context, folderOf);
    if (run === undefined) return noSuchRun(context);
    const { sample } = questionOf(z.object({ sample: place }), context);
    return context.json(await explorer.ask('outline', [run, sample], context.req.raw.signal));
  });
  app.get('/api/volumes', async (context) => {
    const [run] = namedRuns(context, folderOf);
    if (run === undefined) return noSuchRun(context);
    if (isPublic) return notPublic(context);
    const { sample } = questionOf(z.object({ sample: place }), context);
    return context.json(await explorer.ask('volumes', [run, sample], context.req.raw.signal));
  });
  app.get('/api/volume', async (context) => {
    const [run] = namedRuns(context, folderOf);
    if (run === undefined) return noSuchRun(context);
    if (isPublic) return notPublic(context);
    const { sample, modality } = questionOf(imageQuestion, context);
    const found = await explorer.ask('volumePlace', [run, sample, modality], context.req.raw.signal);
    const { bytes, content } = await openVolume(found);
    // The file as it is; the page unzips it.
    return context.body(content, 200, {
      'Content-Type': 'application/octet-stream',
      'Content-Length': String(bytes),
    });
  });
  app.get('/api/nearest', async (context) => {
    const [run] = namedRuns(context, folderOf);
    if (run === undefined) return noSuchRun(context);
    const asked = questionOf(nearestQuestion, context);
    return context.json(await explorer.ask('nearest', [run, asked], context.req.raw.signal));
  });
  app.get('/api/differences', async (context) => {
    const runs = namedRuns(context, folderOf);
    if (runs.length === 0) return noSuchRun(context);
    return context.json(await auditor.ask('differences', [runs], context.req.raw.signal));
  });
  app.get('/api/cases', async (context) => {
    const [run] = namedRuns(context, folderOf);
    if (run === undefined) return noSuchRun(context);
    return context.json(
      await explorer.ask('cases', [run, questionOf(caseQuestion, context)], context.req.raw.signal),
    );
  });
  app.get('/api/similarity', async (context) => {
    const runs = namedRuns(context, folderOf);
    if (runs.length === 0) return noSuchRun(context);
    const { sample, map, grid, step, ...region } = questionOf(similarityQuestion, context);
    const at = runs.map((run) => ({ ...run, ...(step !== undefined && { step }) }));
    return context.json(
      await explorer.ask('similarity', [at, { sample, map, grid, region }], context.req.raw.signal),
    );
  });
  app.get('/api/audit', (context) => {
    const owner = ownerOf(context);
    if (owner === undefined) return noSuchRun(context);
    context.header('Content-Type', 'application/x-ndjson');
    return stream(context, async (lines) => {
      const gone = new AbortController();
      lines.onAbort(() => gone.abort());
      const tell = (line: AuditLine) => lines.write(`${JSON.stringify(line)}\n`);
      const onProgress = (looked: number, of: number) => void tell({ looked, of });
      await auditor.ask('audit', [owner], gone.signal, onProgress).then(
        (audit) => tell({ audit }),
        (error: Error) => tell({ refused: wordsOf(error) }),
      );
    });
  });
  app.get('/api/thumbnail', async (context) => {
    const owner = ownerOf(context);
    if (owner === undefined) return noSuchRun(context);
    const { sample, modality } = questionOf(imageQuestion, context);
    const jpeg = await auditor.ask('thumbnail', [owner, sample, modality], context.req.raw.signal);
    return context.body(new Uint8Array(jpeg), 200, { 'Content-Type': 'image/jpeg' });
  });
  app.post(WRITING, bodyLimit({ maxSize: LARGEST_LIST }), async (context) => {
    if (isPublic) return context.text('Nothing is written while the page is public.\n', 403);
    const asked = dropListRequest.safeParse(await context.req.json().catch(() => undefined));
    if (!asked.success) {
      const [{ path, message }] = asked.error.issues as [z.core.$ZodIssue];
      throw new UsageError(`the list is not as expected at ${path.join('.') || 'its start'}: ${message}`);
    }
    const { file, samples, overwrite } = asked.data;
    const target = join(root, file);
    if (existsSync(target) && !overwrite) return context.text(`${target} exists.\n`, 409);
    mkdirSync(root, { recursive: true });
    writeDropList(target, samples);
    return context.json({ file: target });
  });
  app.onError((error, context) => {
    return context.text(`${wordsOf(error)}\n`, error instanceof AnatomyError ? 422 : 500);
  });
  app.get('/report', (context) => {
    const { run, experiment } = context.req.query();
    const folder = experiment === undefined ? folderOf(run) : experimentFolderOf(experiment);
    const html = !isPublic && folder && readInside(folder, join('report', 'index.html'));
    if (!html) return noSuchRun(context);
    context.header('Content-Security-Policy', REPORT_POLICY);
    return context.body(html, 200, { 'Content-Type': TYPES['.html']! });
  });
  app.get('/*', (context) => {
    const name = context.req.path === '/' ? 'index.html' : context.req.path.slice(1);
    const type = TYPES[extname(name)];
    const content = type && readInside(page, name);
    if (content === undefined) return context.text('There is no such page.\n', 404);
    return context.body(content, 200, { 'Content-Type': type! });
  });
  return app;
}

function wordsOf(error: Error): string {
  return error instanceof AnatomyError ? error.message : `The server failed: ${error.message}`;
}

/** In place of words that a run left, which may name places and patients. */
const NOT_TOLD = 'what is wrong is not told to the public';

/** What may be told to others: no place of this machine, and no words that a run or its data left. */
function publicSummary({ problem, settings, ...run }: RunSummary): RunSummary {
  const places = /^(data\.(path|folders|imageRoot|cacheFolder|drop|splits|columns|subject)|model\.initFrom)/;
  return {
    ...run,
    ...(problem !== undefined && { problem: NOT_TOLD }),
    settings: Object.fromEntries(Object.entries(settings).filter(([name]) => !places.test(name))),
    report: false,
  };
}

function publicExperiment({ problems, ...experiment }: ExperimentSummary): ExperimentSummary {
  return { ...experiment, problems: problems.length === 0 ? [] : [NOT_TOLD], report: false };
}

/** One change for two, for a reader that is slower than the runs. */
function joined(before: RunsChange | undefined, { changed, removed, experiments }: RunsChange): RunsChange {
  const now = new Set([...removed, ...changed.map(({ id }) => id)]);
  return {
    changed: [...(before?.changed ?? []).filter(({ id }) => !now.has(id)), ...changed],
    removed: [...(before?.removed ?? []).filter((id) => !now.has(id)), ...removed],
    experiments: experiments ?? before?.experiments,
  };
}

const share = z.coerce.number().min(0).max(1);
const place = z.coerce.number().int().min(0);
const imageQuestion = z.object({ sample: place, modality: z.string() });
const features = z.enum(['pooled', 'head']);
const caseQuestion = z.object({ kind: z.enum(PROJECTIONS), features });
const nearestQuestion = z.object({ sample: place, features });
const similarityQuestion = z.object({
  sample: place,
  map: place,
  grid: z.coerce.number().int().min(2),
  step: place.optional(),
  ...{ left: share, top: share, right: share, bottom: share },
});

/** Room for 100,000 samples and more. */
const LARGEST_LIST = 16 * 2 ** 20;

const dropListRequest = z.strictObject({
  file: z.string().regex(/^[^./\\][^/\\]*\.csv$/, 'expected a plain file name that ends in .csv'),
  samples: z.array(z.strictObject({ id: z.string().min(1), reason: z.string() })).min(1),
  overwrite: z.boolean(),
}) satisfies z.ZodType<DropListRequest>;

/** @throws UsageError that names the part of the question that is not as expected */
function questionOf<T>(schema: z.ZodType<T>, context: Context): T {
  const found = schema.safeParse(context.req.query());
  if (found.success) return found.data;
  const [{ path, message }] = found.error.issues as [z.core.$ZodIssue];
  throw new UsageError(
    `${path.join('.')} is ${JSON.stringify(context.req.query(String(path[0])))}: ${message}`,
  );
}

/** The runs that a question names; none where one of them is no run here. */
function namedRuns(context: Context, folderOf: (id: string) => string | undefined): NamedRun[] {
  const ids = context.req.queries('run') ?? [];
  const runs = ids.flatMap((id) => {
    const root = folderOf(id);
    return root === undefined ? [] : [{ id, root }];
  });
  return runs.length === ids.length ? runs : [];
}

function notPublic(context: Context) {
  return context.text('Volumes are not shown while the page is public.\n', 403);
}

function noSuchRun(context: Context) {
  return context.text('There is no such run, or it has no such file.\n', 404);
}

/** Reads a file that lies in a folder, also once links are followed; undefined for any other. */
function readInside(folder: string, name: string): Uint8Array<ArrayBuffer> | undefined {
  try {
    const [inside, file] = [realpathSync(folder), realpathSync(join(folder, name))];
    return file.startsWith(`${inside}${sep}`) ? new Uint8Array(readFileSync(file)) : undefined;
  } catch {
    return undefined; // there is none, or it is a folder
  }
}
