/** This room serves the live page: what runs say of themselves, to this machine's user alone. It writes nothing. */
import { readFileSync, realpathSync } from 'node:fs';
import { extname, join, sep } from 'node:path';
import { type Context, Hono } from 'hono';
import { streamSSE } from 'hono/streaming';
import { runPaths } from '../training/runFolder.js';
import { type GuardOptions, guard } from './guard.js';
import { readMetricLines } from './readRun.js';
import type { RunsChange } from './runSummary.js';
import { RunsWatch } from './watchRuns.js';

export interface AppOptions extends GuardOptions {
  /** The folder that is served. */
  readonly root: string;
  /** The folder of the built page. */
  readonly page: string;
  /** How long it waits between two looks at the runs, in milliseconds. */
  readonly pauseMs?: number;
}

const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
};

/** A report holds its style, and no script. */
const REPORT_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-ancestors 'none'";

export function serveApp(options: AppOptions): Hono {
  const { root, page, pauseMs } = options;
  const watch = new RunsWatch(root, pauseMs);
  /** A page that was opened at a run asks before the list was read. */
  const folderOf = (id = '') => {
    if (watch.folderOf(id) === undefined) watch.look();
    return watch.folderOf(id);
  };
  const app = new Hono();
  app.use(guard(options));
  app.get('/api/runs', (context) => {
    watch.look();
    return context.json({ root, runs: watch.runs() });
  });
  app.get('/api/events', (context) =>
    streamSSE(context, async (stream) => {
      const waiting: RunsChange[] = [];
      let wake = () => {};
      const stop = watch.listen((change) => {
        waiting.push(change);
        wake();
      });
      stream.onAbort(() => {
        stop();
        wake();
      });
      await stream.writeSSE({ event: 'open', data: '' });
      while (!stream.aborted) {
        const change = waiting.shift();
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
    return context.json(readMetricLines(runPaths(folder).metrics, from));
  });
  app.get('/report', (context) => {
    const folder = folderOf(context.req.query('run'));
    const html = folder && readInside(folder, join('report', 'index.html'));
    if (html === undefined) return noSuchRun(context);
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
