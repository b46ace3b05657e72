import type { ExperimentTable } from '../table/model.js';

/** One line a value, numbers unrounded; what is undefined or missing is empty. */
export function csvLines({ parts, metric = '' }: ExperimentTable): string[][] {
  const number = (value: number | null | undefined) =>
    value === null || value === undefined ? '' : String(value);
  const against = ['untrained', 'thumbnail'] as const;
  const others = ['accuracy', 'f1', 'precision'] as const;
  const header = [
    ...['row', 'source', 'exposure', 'data', 'protocol', 'features', 'images', 'metric'],
    ...['value', 'low', 'high', 'deviation', 'seeds', 'fold_mean', 'mark'],
    ...others,
    ...against.flatMap((other) =>
      ['difference', 'low', 'high', 'deviation', 'detectable'].map((name) => `${other}_${name}`),
    ),
    ...['paper_table', 'paper_row', 'paper_data', 'paper_protocol'],
    ...['auc', 'accuracy', 'f1', 'precision'].map((name) => `paper_${name}_percent`),
    'best_test_epoch_auc',
  ];
  const lines = parts.flatMap(({ set = '', name: protocol, features, images, rows }) =>
    rows.flatMap(({ name, source, exposure = '', values, metrics, paper, marks, paperStyle, ...row }) =>
      images.map((image) => {
        const value = values[image];
        const style = paperStyle?.[image];
        return [
          ...[name, source, exposure, set, protocol, features, image, metric],
          ...[value?.value, value?.low, value?.high, value?.deviation, value?.seeds, value?.foldMean].map(
            number,
          ),
          marks[image] ?? '',
          ...others.map((other) => number(metrics[image]?.[other])),
          ...against.flatMap((other) => {
            const found = row.against[other][image];
            const { deviation, minimumDetectable } = found ?? {};
            return [found?.value, found?.low, found?.high, deviation, minimumDetectable].map(number);
          }),
          ...[number(paper?.table), paper?.row ?? '', paper?.data ?? '', paper?.protocol ?? ''],
          ...['AUC', 'accuracy', 'F1', 'precision'].map((key) => number(paper?.metrics[key])),
          number(style?.auc ?? style?.macroAuc),
        ];
      }),
    ),
  );
  return [header, ...lines];
}
