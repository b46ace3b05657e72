import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Hono } from 'hono';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { readEvaluations } from '../../src/evaluation/readResults.js';
import { classColumn, rocAuc } from '../../src/metrics/areas/rocAuc.js';
import { serveApp } from '../../src/server/app.js';
import { runDifferences } from '../../src/server/explorer/differences.js';
import { ExplorerThread } from '../../src/server/explorer/explorerThread.js';
import type { AuditLine } from '../../src/server/messages.js';
import { serve } from '../../src/server/serve.js';
import { tinyPairs } from '../evaluation/tinyPairs.js';
import { storeEvaluation, storePredictions, storeRun } from '../report/storedRun.js';

const TOKEN = 'the-token';
const HOST = '127.0.0.1:8765';

let folder: string;
let app: Hono;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'serve-'));
  mkdirSync(join(folder, 'page/assets'), { recursive: true });
  writeFileSync(join(folder, 'page/index.html'), 'the page');
  writeFileSync(join(folder, 'page/assets/code.js'), 'the code');
  writeFileSync(join(folder, 'secret.html'), 'a secret');
  storeRun(join(folder, 'runs/run'));
  const place = { root: join(folder, 'runs'), page: join(folder, 'page') };
  app = serveApp({ ...place, token: TOKEN, port: 8765, hosts: [], ...threads() });
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** Threads that are started by the first question. */
const threads = () => ({ explorer: new ExplorerThread(), auditor: new ExplorerThread() });

const ask = (path: string, headers: Readonly<Record<string, string>> = {}) =>
  app.request(path, { headers: { host: HOST, cookie: `anatomy-8765=${TOKEN}`, ...headers } });

describe('the server', () => {
  it('gives the page, its code and the runs to who has the token', async () => {
    expect(await (await ask('/')).text()).toBe('the page');
    const code = await ask('/assets/code.js');
    expect([await code.text(), code.headers.get('content-type')]).toEqual([
      'the code',
      'text/javascript; charset=utf-8',
    ]);
    const { runs } = (await (await ask('/api/runs')).json()) as { runs: { id: string }[] };
    expect(runs.map(({ id }) => id)).toEqual(['run']);
    const metrics = (await (await ask('/api/metrics?run=run&from=0')).json()) as { lines: unknown[] };
    expect(metrics.lines).toHaveLength(40);
  });

  it('takes the token from the address once, and keeps it in a cookie of its own', async () => {
    const response = await ask(`/?token=${TOKEN}&a=b`, { cookie: '' });
    expect([response.status, response.headers.get('location')]).toEqual([302, '/?a=b']);
    const cookie = response.headers.get('set-cookie')!;
    expect(cookie).toContain(`anatomy-8765=${TOKEN}`);
    expect(cookie).toContain('HttpOnly');
    expect(cookie).toContain('SameSite=Strict');
  });

  it('refuses who has no token, or another', async () => {
    for (const [path, cookie] of [
      ['/', ''],
      ['/api/runs', ''],
      ['/api/events', ''],
      ['/assets/code.js', `anatomy-8765=${TOKEN}x`],
      ['/?token=wrong', ''],
      ['/', `anatomy-9999=${TOKEN}`],
    ] as const) {
      const response = await ask(path, { cookie });
      expect(response.status, path).toBe(401);
      expect(await response.text()).toContain('open the address that anatomy serve printed');
    }
  });

  it('refuses other names of this machine, and other sites, even with the token', async () => {
    for (const host of [
      'evil.example:8765',
      '127.0.0.1',
      '127.0.0.1:80',
      'localhost.evil.example:8765',
      '',
    ]) {
      expect((await ask('/api/runs', { host })).status, host).toBe(403);
    }
    for (const host of ['localhost:8765', '[::1]:8765']) {
      expect((await ask('/api/runs', { host })).status, host).toBe(200);
    }
    for (const origin of [
      'http://evil.example',
      'http://127.0.0.1:9999',
      'null',
      `https://${HOST}.evil.example`,
    ]) {
      expect((await ask('/api/runs', { origin })).status, origin).toBe(403);
    }
    expect((await ask('/api/runs', { origin: `http://${HOST}` })).status).toBe(200);
  });

  it('forbids every script that is not a file of its own', async () => {
    for (const path of ['/', '/api/runs', '/missing.html']) {
      const { headers } = await ask(path);
      expect(headers.get('content-security-policy'), path).toContain("default-src 'none'; script-src 'self'");
      expect(headers.get('content-security-policy'), path).not.toContain('unsafe');
      expect(headers.get('x-content-type-options'), path).toBe('nosniff');
      expect(headers.get('cache-control'), path).toBe('no-store');
    }
  });

  it('gives no file outside the page and the reports', async () => {
    symlinkSync(join(folder, 'secret.html'), join(folder, 'page/link.html'));
    for (const path of [
      '/..%2fsecret.html',
      '/assets/..%2f..%2fsecret.html',
      `/${encodeURIComponent(join(folder, 'secret.html'))}`,
      '/link.html',
      '/assets',
      '/missing.html',
      '/index.html%00.html',
    ]) {
      const response = await ask(path);
      expect(response.status, path).toBe(404);
      expect(await response.text(), path).not.toContain('secret');
    }
    for (const run of ['..', '.', 'nothing', '../page', '']) {
      const query = new URLSearchParams({ run });
      for (const path of ['/report', '/api/metrics']) {
        expect((await ask(`${path}?${query}`)).status, `${path} ${run}`).toBe(404);
      }
    }
    for (const from of ['-1', 'x', '1.5', '1e99']) {
      expect((await ask(`/api/metrics?run=run&from=${from}`)).status, from).toBe(400);
    }
  });

  it('gives the report of a run without letting it run scripts, unless it is a link elsewhere', async () => {
    expect((await ask('/report?run=run')).status).toBe(404);
    mkdirSync(join(folder, 'runs/run/report'));
    writeFileSync(join(folder, 'runs/run/report/index.html'), 'the report');
    const response = await ask('/report?run=run');
    expect(await response.text()).toBe('the report');
    expect(response.headers.get('content-security-policy')).toContain("default-src 'none'; style-src");
    rmSync(join(folder, 'runs/run/report/index.html'));
    symlinkSync(join(folder, 'secret.html'), join(folder, 'runs/run/report/index.html'));
    expect((await ask('/report?run=run')).status).toBe(404);
  });

  it('changes nothing: it only answers questions', async () => {
    for (const method of ['POST', 'PUT', 'DELETE', 'PATCH', 'HEAD', 'OPTIONS']) {
      const headers = { host: HOST, cookie: `anatomy-8765=${TOKEN}` };
      for (const path of ['/', '/api/runs', '/api/events', '/report?run=run']) {
        expect((await app.request(path, { method, headers })).status, `${method} ${path}`).toBe(405);
      }
    }
  });
});

describe('the explorer’s answers', () => {
  it('name what is wrong with a question, and the run that is none', async () => {
    const place = 'left=0&top=0&right=0&bottom=0';
    for (const [path, status, words] of [
      ['/api/samples?run=none', 404, 'no such run'],
      ['/api/samples?run=run&run=run', 404, 'no such run'],
      ['/api/image?run=run&sample=-1&modality=a', 422, 'sample is "-1"'],
      ['/api/image?run=run&sample=1', 422, 'modality is'],
      [`/api/similarity?sample=0&map=1&grid=4&${place}`, 404, 'no such run'],
      [`/api/similarity?run=run&run=none&sample=0&map=1&grid=4&${place}`, 404, 'no such run'],
      [`/api/similarity?run=run&sample=0&map=1&grid=1&${place}`, 422, 'grid is "1"'],
      [`/api/similarity?run=run&sample=0&map=x&grid=4&${place}`, 422, 'map is "x"'],
      ['/api/similarity?run=run&sample=0&map=1&grid=4&left=2', 422, 'left is "2"'],
      ['/api/cases?run=run&kind=som&features=pooled', 422, 'kind is "som"'],
    ] as const) {
      const response = await ask(path);
      expect(response.status, path).toBe(status);
      expect(await response.text(), path).toContain(words);
      expect((await ask(path, { cookie: '' })).status, path).toBe(401);
    }
  });
});

describe('serve', () => {
  it('knows the machine by the names that --host gives it, in any case, also of IPv6', async () => {
    const place = { root: join(folder, 'runs'), page: join(folder, 'page'), ...threads() };
    const hosts = ['MyBox', '192.168.1.7', '2001:db8::1'];
    const other = serveApp({ ...place, token: TOKEN, port: 8765, hosts });
    const cookie = `anatomy-8765=${TOKEN}`;
    for (const host of ['mybox:8765', 'MYBOX:8765', '192.168.1.7:8765', '[2001:db8::1]:8765', HOST]) {
      expect((await other.request('/', { headers: { host, cookie } })).status, host).toBe(200);
    }
    for (const host of ['mybox.evil.example:8765', '192.168.1.8:8765']) {
      expect((await other.request('/', { headers: { host, cookie } })).status, host).toBe(403);
    }
  });

  it('prints an address that others can open where it listens on all', async () => {
    const serving = await serve({
      root: join(folder, 'runs'),
      port: 0,
      host: '0.0.0.0',
      page: join(folder, 'page'),
    });
    const { hostname: name, port, searchParams } = new URL(serving.url);
    expect(name).not.toBe('0.0.0.0');
    const headers = { cookie: `anatomy-${port}=${searchParams.get('token')}` };
    expect((await fetch(`http://127.0.0.1:${port}/`, { headers })).status).toBe(200);
    await serving.close();
  });

  it('names a folder that is not there, a port that is taken, and a page that was not built', async () => {
    const page = join(folder, 'page');
    const root = join(folder, 'runs');
    await expect(serve({ root: join(folder, 'none'), port: 0, page })).rejects.toThrow(
      /none: no such folder; expected one with runs in it/,
    );
    await expect(serve({ root: join(page, 'index.html'), port: 0, page })).rejects.toThrow('no such folder');
    await expect(serve({ root, port: 0, host: '192.0.2.1', page })).rejects.toThrow(
      /--host 192\.0\.2\.1: .*; expected a name or an address of this machine/,
    );
    await expect(serve({ root, port: 0, page: root })).rejects.toThrow('the page has not been built');
    // With data there may be no run yet, but no file in its place.
    const data = { name: 'phantom:breast', spec: { path: 'phantom:breast' } };
    await expect(serve({ root: join(page, 'index.html'), data, port: 0, page })).rejects.toThrow(
      'no such folder',
    );
    await (await serve({ root: join(folder, 'none'), data, port: 0, page })).close();
    const first = await serve({ root, port: 0, page });
    const { port } = new URL(first.url);
    await expect(serve({ root, port: Number(port), page })).rejects.toThrow(
      `--port ${port} of 127.0.0.1: another program uses it; choose another --port`,
    );
    await first.close();
  });

  it('ends at once while somebody listens', async () => {
    const serving = await serve({ root: join(folder, 'runs'), port: 0, page: join(folder, 'page') });
    const { origin, port, searchParams } = new URL(serving.url);
    const cookie = `anatomy-${port}=${searchParams.get('token')}`;
    const response = await fetch(`${origin}/api/events`, { headers: { cookie } });
    const reader = response.body!.getReader();
    expect(new TextDecoder().decode((await reader.read()).value)).toContain('event: runs');
    await serving.close();
    await expect(
      (async () => {
        while (!(await reader.read()).done);
      })(),
    ).rejects.toThrow();
  });
});

describe('a list of samples to leave out', () => {
  const list = { file: 'drop.csv', samples: [{ id: 'a,b', reason: 'wrong label' }], overwrite: false };
  const write = (body: unknown, headers: Readonly<Record<string, string>> = {}, to = app) =>
    to.request('/api/drop-list', {
      method: 'POST',
      headers: {
        ...{ host: HOST, cookie: `anatomy-8765=${TOKEN}`, origin: `http://${HOST}` },
        ...{ 'content-type': 'application/json', ...headers },
      },
      body: typeof body === 'string' ? body : JSON.stringify(body),
    });
  const written = () => readFileSync(join(folder, 'runs/drop.csv'), 'utf8');

  it('is written into the folder that is served, and replaces another only when that is said', async () => {
    expect(await (await write(list)).json()).toEqual({ file: join(folder, 'runs/drop.csv') });
    expect(written()).toBe('id,reason\n"a,b",wrong label\n');
    const other = { ...list, samples: [{ id: 'c', reason: 'blank' }] };
    expect((await write(other)).status).toBe(409);
    expect(written()).toContain('a,b');
    expect((await write({ ...other, overwrite: true })).status).toBe(200);
    expect(written()).toBe('id,reason\nc,blank\n');
  });

  it('does not follow a link of that name out of the folder', async () => {
    symlinkSync(join(folder, 'secret.html'), join(folder, 'runs/drop.csv'));
    await write({ ...list, overwrite: true });
    expect(readFileSync(join(folder, 'secret.html'), 'utf8')).toBe('a secret');
    expect(written()).toContain('a,b');
  });

  it('is refused under other names, and when it is no list', async () => {
    for (const file of [
      '../drop.csv',
      '/tmp/drop.csv',
      'a/drop.csv',
      '.csv',
      '..\\drop.csv',
      'config.yaml',
      '',
    ]) {
      const response = await write({ ...list, file });
      expect([response.status, await response.text()], file).toEqual([
        422,
        expect.stringContaining('at file: expected a plain file name that ends in .csv'),
      ]);
    }
    for (const body of ['', 'no JSON', {}, { ...list, samples: [] }, { ...list, samples: [{ id: '' }] }]) {
      expect((await write(body)).status, JSON.stringify(body)).toBe(422);
    }
    expect(readdirSync(join(folder, 'runs'))).toEqual(['run']);
  });

  it('is refused to other sites, to forms and without the token', async () => {
    expect((await write(list, { origin: 'http://evil.example' })).status).toBe(403);
    expect((await write(list, { 'content-type': 'text/plain' })).status).toBe(403);
    expect((await write(list, { cookie: '' })).status).toBe(401);
    const headers = { host: HOST, cookie: `anatomy-8765=${TOKEN}`, 'content-type': 'application/json' };
    const unnamed = await app.request('/api/drop-list', {
      method: 'POST',
      headers,
      body: JSON.stringify(list),
    });
    expect(unnamed.status).toBe(403);
    expect(readdirSync(join(folder, 'runs'))).toEqual(['run']);
  });

  it('is not written while the page is public, which tells no place of this machine either', async () => {
    const place = { root: join(folder, 'runs'), page: join(folder, 'page'), ...threads() };
    const open = serveApp({ ...place, token: TOKEN, port: 8765, hosts: [], isPublic: true });
    expect((await write(list, {}, open)).status).toBe(403);
    mkdirSync(join(folder, 'runs/run/report'));
    writeFileSync(join(folder, 'runs/run/report/index.html'), 'a report');
    const config = join(folder, 'runs/run/config.yaml');
    const pictures = `$1imageRoot: ${join(folder, 'pictures')}\n$&`;
    writeFileSync(config, readFileSync(config, 'utf8').replace(/^( *)path: .*$/m, pictures));
    mkdirSync(join(folder, 'runs/broken'));
    writeFileSync(join(folder, 'runs/broken/config.yaml'), 'no config');
    const headers = { host: HOST, cookie: `anatomy-8765=${TOKEN}` };
    const said = await (await open.request('/api/runs', { headers })).text();
    expect(said).toContain('"isPublic":true');
    expect(said).not.toContain(folder);
    expect(said).not.toContain('data.path');
    expect((await open.request('/report?run=run', { headers })).status).toBe(404);
    const own = await (await ask('/api/runs')).text();
    expect(own).toContain('data.path');
    expect(own).toContain(join(folder, 'pictures'));
    expect((await ask('/report?run=run')).status).toBe(200);
  });
});

describe('data without a run', () => {
  const headers = { host: HOST, cookie: `anatomy-8765=${TOKEN}` };
  const WORKER = new URL('../../dist/server/explorer/explorerWorker.js', import.meta.url);

  /** The server with data beside runs; its folder is not there yet. */
  async function withData(isPublic: boolean) {
    const { manifest } = await tinyPairs(join(folder, 'images'), 3);
    const auditor = new ExplorerThread({ isPublic, data: { path: manifest } }, WORKER);
    const place = { root: join(folder, 'later/runs'), page: join(folder, 'page'), data: manifest };
    const common = { token: TOKEN, port: 8765, hosts: [], explorer: new ExplorerThread(), auditor, isPublic };
    const server = serveApp({ ...place, ...common });
    const get = (path: string) => server.request(path, { headers });
    const lines = async () =>
      (await (await get('/api/audit')).text())
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line) as AuditLine);
    return { server, get, lines, manifest, close: () => auditor.close() };
  }

  it('are audited, and what goes is written into a folder that is made for it', async () => {
    const { server, get, lines, manifest, close } = await withData(false);
    expect(await (await get('/api/runs')).json()).toMatchObject({ data: manifest, runs: [] });
    const told = await lines();
    const last = told.at(-1)!;
    if (!('audit' in last)) throw new Error(JSON.stringify(last));
    expect(last.audit).toMatchObject({ data: 'pairs', samples: 6 });
    for (const line of told.slice(0, -1)) expect(line).toMatchObject({ of: 6 });
    const jpeg = await get('/api/thumbnail?sample=1&modality=b');
    expect([jpeg.status, jpeg.headers.get('content-type')]).toEqual([200, 'image/jpeg']);
    expect((await get('/api/thumbnail?sample=6&modality=b')).status).toBe(422);
    for (const path of ['/api/audit?run=none', '/api/thumbnail?run=none&sample=1&modality=b']) {
      expect((await get(path)).status, path).toBe(404);
    }
    // A question on an encoder needs a run all the same.
    expect((await get('/api/samples')).status).toBe(404);
    const written = await server.request('/api/drop-list', {
      method: 'POST',
      headers: { ...headers, origin: `http://${HOST}`, 'content-type': 'application/json' },
      body: JSON.stringify({ file: 'drop.csv', samples: [{ id: 'x1', reason: 'blank' }], overwrite: false }),
    });
    expect(await written.json()).toEqual({ file: join(folder, 'later/runs/drop.csv') });
    expect(readFileSync(join(folder, 'later/runs/drop.csv'), 'utf8')).toBe('id,reason\nx1,blank\n');
    writeFileSync(manifest, 'id,nothing\n');
    expect(await lines()).toEqual([{ refused: expect.stringContaining('pairs.csv') }]);
    await close();
  });

  it('are told to others without their name, ids and images', async () => {
    const { get, lines, manifest, close } = await withData(true);
    expect(await (await get('/api/runs')).json()).toMatchObject({ data: '', isPublic: true });
    const said = JSON.stringify(await lines());
    expect(said).toContain('"data":"The data"');
    expect(said).toMatch(/"P-[0-9a-f]{12}"/);
    expect(said).not.toMatch(/"x\d+"|patient|pairs\.csv/);
    expect((await get('/api/thumbnail?sample=1&modality=b')).status).toBe(422);
    writeFileSync(manifest, 'id,nothing\n');
    expect(JSON.stringify(await lines())).not.toContain(folder);
    await close();
  });

  it('are not there where the server was started without', async () => {
    expect((await ask('/api/audit')).status).toBe(404);
    expect((await ask('/api/thumbnail?sample=0&modality=a')).status).toBe(404);
    expect(await (await ask('/api/runs')).json()).toMatchObject({ data: null });
  });
});

it('runs differ by what they predict on the samples that both were tested on', () => {
  const place = (name: string) => join(folder, 'runs', name);
  for (const name of ['one', 'two']) {
    storeEvaluation(storeRun(place(name)));
    storePredictions(place(name));
  }
  const file = join(place('two'), 'evaluation/logreg-predictions.csv');
  // The second run takes each case for its contrary, so its AUC is 1 − that of the first.
  const [head, ...lines] = readFileSync(file, 'utf8').trim().split('\n');
  const turned = lines.map((line) =>
    line
      .split(',')
      .map((cell, i) => (i < 4 ? cell : (1 - Number(cell)).toFixed(4)))
      .join(','),
  );
  // Another order is the same to a pair of predictions.
  writeFileSync(file, `${[head, ...turned.reverse()].join('\n')}\n`);
  const named = (...names: string[]) => names.map((id) => ({ id, root: place(id) }));
  const found = runDifferences(named('one', 'two'));
  const { predictions } = readEvaluations(place('one'))[0]!;
  expect(found.map(({ name }) => name)).toEqual(['logreg · pooled · a', 'logreg · pooled · a+b']);
  for (const { run, against, name, value, low, high, subjects, pValue } of found) {
    expect([run, against, subjects]).toEqual(['two', 'one', 12]);
    expect(pValue).toBeGreaterThan(0);
    const key = `run/pooled/${name.split(' · ')[2]}`;
    const auc = rocAuc(classColumn(predictions!.probabilities.get(key)!, 2, 1), predictions!.labels);
    expect(value).toBeCloseTo(1 - 2 * auc, 12);
    expect(low).toBeLessThanOrEqual(value);
    expect(high).toBeGreaterThanOrEqual(value);
  }
  for (const { value, low, high } of runDifferences(named('one', 'one'))) {
    expect([value, low, high]).toEqual([0, 0, 0]); // a run does not differ from itself
  }
  // Of eight subjects that both share nothing is tested.
  const shared = readFileSync(file, 'utf8').replaceAll(/^P-\w+?(?=,S-0+[89ab],)/gm, 'other$&');
  writeFileSync(file, shared);
  const few = runDifferences(named('one', 'two'));
  expect(few.map(({ subjects, pValue }) => [subjects, pValue])).toEqual([
    [8, null],
    [8, null],
  ]);
  // The order of either file says nothing, to the last bit of the interval.
  for (const name of ['one', 'two']) {
    const own = join(place(name), 'evaluation/logreg-predictions.csv');
    const [first, ...rest] = readFileSync(own, 'utf8').trim().split('\n');
    const turned = rest.map((_, i) => rest[(7 * i + 3) % rest.length]!);
    expect(new Set(turned).size).toBe(rest.length);
    writeFileSync(own, `${[first, ...turned].join('\n')}\n`);
    expect(runDifferences(named('one', 'two'))).toEqual(few);
  }
  expect(() => runDifferences(named('one'))).toThrow('1 runs are named; a difference needs two');
});
