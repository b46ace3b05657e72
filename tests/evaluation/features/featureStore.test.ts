import { mkdtempSync, readdirSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FeatureStore } from '../../../src/evaluation/features/featureStore.js';
import type { EncoderFeatures } from '../../../src/evaluation/results/featureKinds.js';
import { featureRows } from '../../../src/metrics/features/features.js';

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'features-'));
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

const kept = () => readdirSync(join(root, 'features'));

/** Asks for features that differ at every computation. */
function asking(store: FeatureStore) {
  let computed = 0;
  const ask = async (name: unknown, kinds: readonly EncoderFeatures[] = ['pooled']) => {
    const found = await store.features(name, kinds, undefined, async (all) => {
      computed += 1;
      return new Map(
        all.map((kind, k) => [kind, { features: featureRows(new Float32Array([computed, k]), 2, 1) }]),
      );
    });
    return found.get(kinds[0]!)!.features;
  };
  return { ask, computed: () => computed };
}

describe('a store of features', () => {
  it('computes them once for an encoder, its images and the settings, both usual kinds together', async () => {
    const first = asking(new FeatureStore('settings', root));
    const pooled = await first.ask('encoder');
    const later = asking(new FeatureStore('settings', root));
    expect(await later.ask('encoder')).toEqual(pooled);
    expect((await later.ask('encoder', ['head'])).data[0]).toBe(1);
    expect(later.computed()).toBe(0);
    await later.ask('another');
    await later.ask('encoder', ['maps']);
    await asking(new FeatureStore('other settings', root)).ask('encoder');
    expect(later.computed()).toBe(2);
    expect(kept()).toHaveLength(4);
  });

  it('computes them anew where the file is damaged', async () => {
    const { ask, computed } = asking(new FeatureStore('settings', root));
    await ask('encoder');
    const file = join(root, 'features', kept()[0]!);
    const bytes = readFileSync(file);
    bytes[bytes.length - 1]! ^= 1;
    for (const damaged of [bytes, bytes.subarray(0, 20), Buffer.alloc(0)]) {
      const before = computed();
      writeFileSync(file, damaged);
      await ask('encoder');
      await ask('encoder');
      expect(computed()).toBe(before + 1);
    }
  });

  it('computes them each time where nothing can be written', async () => {
    writeFileSync(join(root, 'features'), 'in the way');
    const { ask, computed } = asking(new FeatureStore('settings', root));
    await ask('encoder');
    await ask('encoder');
    expect(computed()).toBe(2);
  });

  it('lets those go that were used longest ago', async () => {
    const { ask } = asking(new FeatureStore('settings', root));
    await ask('old');
    const [old] = kept();
    await ask('used');
    const used = kept().find((name) => name !== old)!;
    const bytes = readFileSync(join(root, 'features', used)).byteLength;
    for (const [i, name] of [used, old].entries()) utimesSync(join(root, 'features', name!), i + 1, i + 1);
    const small = asking(new FeatureStore('settings', root, bytes + 100));
    await small.ask('used'); // which makes it the newer one
    await small.ask('new');
    expect(kept()).toContain(used);
    expect(kept()).not.toContain(old);
    expect(kept()).toHaveLength(2);
    await asking(new FeatureStore('settings', root, 3)).ask('too large');
    expect(kept()).toHaveLength(2);
  });
});
