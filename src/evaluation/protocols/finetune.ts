/** The protocol `finetune` trains the whole encoder together with a linear layer, after published recipes. */
import { DEFAULT_PRESET, FINETUNE_PRESETS } from '../trained/presets.js';
import { defineLabelProtocol } from './definition.js';
import { labelSettings, trainingSettings } from './settings.js';

export const finetune = defineLabelProtocol({
  name: 'finetune',
  summary:
    'All weights of the encoder trained together with a linear layer, beside the same from random weights.',
  settings: {
    ...labelSettings({
      features: 'what the preset reads, hu the head, others pooled',
      images: 'all together',
    }),
    ...trainingSettings(FINETUNE_PRESETS),
    batchNorm: {
      schema: (z) => z.enum(['train', 'frozen']),
      flag: '--batch-norm <mode>',
      help: 'frozen (running statistics, not updated) or train (default: frozen with hu, else train)',
    },
  },
  presets: FINETUNE_PRESETS,
  features: ({ preset = DEFAULT_PRESET }) =>
    FINETUNE_PRESETS.find(({ name }) => name === preset)?.features ?? 'pooled',
  // Finetuning is expensive, so it judges only all modalities together by default.
  images: 'together',
  mayDiverge: true,
  namesPreset: true,
  paper: 'finetuning',
  shortens: () => true,
  probe: async (settings) => {
    const { finetunedProbe } = await import('../trained/trainedProbe.js');
    const probe = finetunedProbe('finetune', FINETUNE_PRESETS, settings);
    return {
      preset: probe.preset.name,
      refuses: {
        fp16: 'precision is fp16, in which small gradients vanish; finetune with --precision bf16 or fp32',
      },
      judge: async (rows, sources) => {
        const { judgeTrained } = await import('../trained/judgeTrained.js');
        return judgeTrained('finetune', probe, rows, sources);
      },
    };
  },
});
