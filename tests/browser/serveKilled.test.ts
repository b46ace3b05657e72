import type { ChildProcess } from 'node:child_process';
import {
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type BrowserContext, chromium } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { tinyPairs } from '../evaluation/tinyPairs.js';
import { storeRun } from '../report/storedRun.js';
import { CHROMIUM, chromiumIsThere, OPTIONS } from './chromium.js';
import { addressOf, anatomy, ended } from './livePage.js';

/** So many samples that writing their list takes a while. */
const LONG = 150_000;

describe.skipIf(!chromiumIsThere('no server is killed under a page'))(
  'a server that is killed under its page',
  () => {
    let folder: string;
    let runs: string;
    let browser: BrowserContext;
    let server: ReturnType<typeof anatomy>;

    beforeAll(async () => {
      folder = mkdtempSync(join(tmpdir(), 'killed-'));
      runs = join(folder, 'my runs'); // a path that a shell would split
      mkdirSync(runs);
      const { manifest } = await tinyPairs(join(folder, 'images'), 4);
      copyFileSync(join(folder, 'images/x0-a.png'), join(folder, 'images/x7-a.png'));
      const config = join(storeRun(join(runs, 'audited')), 'config.yaml');
      writeFileSync(config, readFileSync(config, 'utf8').replace(/^( *path:).*$/m, `$1 ${manifest}`));
      browser = await chromium.launchPersistentContext(join(folder, 'profile'), {
        executablePath: CHROMIUM,
        headless: true,
        args: OPTIONS,
      });
    });
    afterAll(async () => {
      await browser?.close();
      server?.child.kill('SIGKILL');
      rmSync(folder, { recursive: true, force: true });
    });

    const names = () => readdirSync(runs).sort();
    const halves = () => names().filter((name) => name.endsWith('.tmp'));

    test('leaves the decisions in the page and no half a file in the folder', async () => {
      server = anatomy('serve', runs, '--port', '0');
      const address = await addressOf(server);
      const { port } = new URL(address);
      const page = await browser.newPage();
      await page.goto(`${address}#/data?run=audited`);
      const item = page.locator('.item', { hasText: /^x7/ }).first();
      await item.getByLabel('wrong label').check();
      writeFileSync(join(runs, 'long.csv'), 'id,reason\nthe list before,blank\n');
      // A long list is on its way to the disk as the server dies.
      const send = () =>
        page.evaluate(async (count) => {
          const samples = Array.from({ length: count }, (_, i) => ({
            id: `sample ${i}`,
            reason: 'dropped by hand',
          }));
          const body = JSON.stringify({ file: 'long.csv', samples, overwrite: true });
          const headers = { 'Content-Type': 'application/json' };
          return fetch('/api/drop-list', { method: 'POST', headers, body }).then(
            ({ status }) => status,
            () => 'no answer',
          );
        }, LONG);
      const answer = await heldBetween(server.child, send, () => halves().length > 0);
      server.child.kill('SIGKILL');
      await ended(server.child);
      expect(await answer.ended).toBe('no answer');
      // The name holds the old list or the whole new one.
      const lines = readFileSync(join(runs, 'long.csv'), 'utf8').trimEnd().split('\n');
      expect([2, LONG + 1]).toContain(lines.length);

      const alert = page.locator('header + [role=alert]');
      const command = `anatomy serve '${runs}' --port ${port}`;
      await alert.getByText(command).waitFor();
      await page.locator('.item', { hasText: /^x0/ }).first().getByLabel('keep').check();
      await page.getByRole('button', { name: 'Write the list …' }).click();
      await page.getByRole('button', { name: 'Write', exact: true }).click();
      await page.getByText('your decisions stay here until it does').waitFor();

      // The command that the page names, as a shell would read it.
      server = anatomy('serve', runs, '--port', port);
      const again = await addressOf(server);
      expect([new URL(again).port, again === address]).toEqual([port, false]);
      expect(names()).toEqual(['audited', 'long.csv']);
      await alert.getByText('started again, with another token').waitFor();
      const other = await browser.newPage();
      await other.goto(again);
      await other.getByText('1 runs').waitFor();
      // The first page goes on by itself.
      await alert.waitFor({ state: 'detached' });
      expect(await item.getByLabel('wrong label').isChecked()).toBe(true);
      await page.getByRole('button', { name: 'Write the list …' }).click();
      await page.getByRole('button', { name: 'Write', exact: true }).click();
      await page.getByText(`Written to ${join(runs, 'drop.csv')}`).waitFor();
      const list = readFileSync(join(runs, 'drop.csv'), 'utf8');
      expect(list).toContain('x7,wrong label');
      expect(list).not.toContain('x0,');
      // A page that is loaded anew in the same tab has them too.
      await page.goto(`${again}#/data?run=audited`);
      await item.waitFor();
      expect(await item.getByLabel('wrong label').isChecked()).toBe(true);
      expect(names()).toEqual(['audited', 'drop.csv', 'long.csv']);
      for (const one of [page, other]) await one.close();
    });
  },
);

/**
 * Asks until the process is halted in the midst of its work, which lasts for a few milliseconds only.
 * @param midst tells whether the work has begun and not ended
 */
async function heldBetween<T>(child: ChildProcess, ask: () => Promise<T>, midst: () => boolean) {
  for (;;) {
    const question = { ended: ask(), isOver: false };
    void question.ended.finally(() => {
      question.isOver = true;
    });
    while (!midst() && !question.isOver) await new Promise((resolve) => setImmediate(resolve));
    child.kill('SIGSTOP');
    const stat = `/proc/${child.pid}/stat`;
    await vi.waitUntil(() => / T /.test(readFileSync(stat, 'utf8')), { timeout: 60_000, interval: 1 });
    if (midst()) return question;
    child.kill('SIGCONT');
    await question.ended;
  }
}
