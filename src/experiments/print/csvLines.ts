import { BASELINES } from '../../evaluation/results/names.js';
import { type ColumnOf, number, type Table, tableOf, text } from '../../text/table/model.js';
import { SHOWN_METRICS } from '../table/entries.js';
import type { ExperimentTable, TablePart, TableRow } from '../table/model.js';

/** One value of the table: a row on a set of images, by one protocol and one kind of features. */
interface Value {
  readonly part: TablePart;
  readonly row: TableRow;
  readonly images: string;
}

/** A line for each value and a column for everything that is known of it, for other programs to read. */
export function csvLines({ parts, metric = '' }: ExperimentTable): Table {
  const values = parts.flatMap((part) =>
    part.rows.flatMap((row) => part.images.map((images): Value => ({ part, row, images }))),
  );
  const words = (header: string, of: (value: Value) => string | undefined): ColumnOf<Value> => ({
    header,
    words: true,
    cell: (value) => text(of(value) ?? ''),
  });
  const measured = (header: string, of: (value: Value) => number | null | undefined): ColumnOf<Value> => ({
    header,
    cell: (value) => number(of(value)),
  });
  const found = ({ row, images }: Value) => row.values[images];
  return tableOf(values, [
    words('row', ({ row }) => row.name),
    words('source', ({ row }) => row.source),
    words('exposure', ({ row }) => row.exposure),
    words('data', ({ part }) => part.set),
    words('protocol', ({ part }) => part.name),
    words('features', ({ part }) => part.features),
    words('images', ({ images }) => images),
    words('metric', () => metric),
    measured('value', (one) => found(one)?.value),
    measured('low', (one) => found(one)?.low),
    measured('high', (one) => found(one)?.high),
    measured('deviation', (one) => found(one)?.deviation),
    measured('seeds', (one) => found(one)?.seeds),
    measured('fold_mean', (one) => found(one)?.foldMean),
    // A file without a caption warns in its lines.
    ...(parts.some(({ judged }) => judged?.few !== undefined)
      ? [
          words(
            'warning',
            ({ part: { judged } }) => judged?.few && `only ${judged.few}: too few for an interval or a test`,
          ),
        ]
      : []),
    words('mark', ({ row, images }) => row.marks[images]),
    ...SHOWN_METRICS.map((name) => measured(name, ({ row, images }) => row.metrics[images]?.[name])),
    ...BASELINES.flatMap((other) => {
      const against = ({ row, images }: Value) => row.against[other][images];
      return [
        measured(`${other}_difference`, (one) => against(one)?.value),
        measured(`${other}_low`, (one) => against(one)?.low),
        measured(`${other}_high`, (one) => against(one)?.high),
        measured(`${other}_deviation`, (one) => against(one)?.deviation),
        measured(`${other}_detectable`, (one) => against(one)?.minimumDetectable),
      ];
    }),
    measured('paper_table', ({ row }) => row.paper?.table),
    words('paper_row', ({ row }) => row.paper?.row),
    words('paper_data', ({ row }) => row.paper?.data),
    words('paper_protocol', ({ row }) => row.paper?.protocol),
    ...['AUC', 'accuracy', 'F1', 'precision'].map((name) =>
      measured(`paper_${name.toLowerCase()}_percent`, ({ row }) => row.paper?.metrics[name]),
    ),
    measured('best_test_epoch_auc', ({ row, images }) => {
      const style = row.paperStyle?.[images];
      return style?.auc ?? style?.macroAuc;
    }),
  ]);
}
