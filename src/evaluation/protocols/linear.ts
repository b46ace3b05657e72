/** The protocol `linear` trains a linear layer by gradient descent on frozen features, after published recipes. */
import { LINEAR_PRESETS } from '../trained/presets.js';
import { defineLabelProtocol } from './definition.js';
import { labelSettings, trainingSettings } from './settings.js';

export const linear = defineLabelProtocol({
  name: 'linear',
  summary:
    'A linear layer trained by gradient descent on frozen features; by default the authors’ probe, hu-linear.',
  settings: {
    ...labelSettings({ features: 'both', images: 'each alone and all together' }),
    ...trainingSettings(LINEAR_PRESETS),
  },
  presets: LINEAR_PRESETS,
  features: () => 'both',
  images: 'each',
  paper: 'linear classification',
  shortens: ({ preset }) => preset !== undefined,
  probe: async (settings) => {
    const { trainedProbe } = await import('../trained/trainedProbe.js');
    const probe = trainedProbe('linear', LINEAR_PRESETS, settings);
    return {
      preset: probe.preset.name,
      judge: async (rows, sources) => {
        const { judgeTrained } = await import('../trained/judgeTrained.js');
        return judgeTrained('linear', probe, rows, sources);
      },
    };
  },
});
