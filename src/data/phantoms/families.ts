import type { PhantomOptions } from '../phantomName.js';
import type { Dataset } from '../sample.js';

/** Phantom families by name; a new one is a file beside this one and a line here. */
export const PHANTOM_FAMILIES: Readonly<Record<string, (options: PhantomOptions) => Promise<() => Dataset>>> =
  {
    breast: async (options) => {
      const { breastPhantom } = await import('./breast.js');
      const settings = {
        pairs: options.integer('pairs') ?? 400,
        seed: options.integer('seed') ?? 0,
        overlay: options.boolean('overlay'),
        gray: options.boolean('gray'),
        difficulty: options.number('difficulty'),
        misalignment: options.number('misalignment'),
      };
      return () => breastPhantom(settings);
    },
  };
