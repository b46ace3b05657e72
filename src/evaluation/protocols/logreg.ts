/**
 * The protocol `logreg`, the primary probe, fits logistic regression on standardised features, with C chosen inside
 * each training fold.
 */
import { defineLabelProtocol } from './definition.js';
import { labelSettings } from './settings.js';

export const logreg = defineLabelProtocol({
  name: 'logreg',
  summary: 'Logistic regression on standardised features: the primary probe.',
  settings: labelSettings({ features: 'both', images: 'each alone and all together' }),
  features: () => 'both',
  images: 'each',
  validates: true,
  paper: 'linear classification',
  probe: async () => ({
    judge: async (rows, sources) => {
      const [{ crossValidateEncoders }, { DEFAULT_C_GRID }] = await Promise.all([
        import('../crossValidate.js'),
        import('../probes/logisticProbe.js'),
      ]);
      return {
        outcomes: await crossValidateEncoders(rows, () => ({ kind: 'logreg' }), sources),
        settings: {
          standardize: 'training fold',
          grid: DEFAULT_C_GRID,
          chosenBy: 'log-loss of the inner folds',
        },
      };
    },
  }),
});
