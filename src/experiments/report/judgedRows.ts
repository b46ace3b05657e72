/**
 * The test predictions of an experiment's rows: their figures and their errors. Those of tuned rows are composed from
 * the candidates that were chosen.
 */

import { BASELINES, featuresName, heading, imagesName, shortSource } from '../../evaluation/results/names.js';
import { failuresAmong, type JudgedScores, scoreFigures } from '../../report/judged/judgement.js';
import { type PictureSource, SHOWN_FAILURES, withPictures } from '../../report/judged/shownFailures.js';
import type { JudgedRow, RowFailures } from '../../report/judged/study.js';
import { partTitle } from '../print/tables.js';
import type { DescribedRow, ExperimentDescription } from '../stored/description.js';
import type { Measurement } from '../table/entries.js';
import type { ExperimentTable, TablePart } from '../table/model.js';
import { Results } from '../table/results.js';

/** The largest number of rows whose predictions are drawn, and the number of those whose errors are listed as well. */
const CLOSER = 6;
const LISTED = 2;

/**
 * Collects the rows that the experiment is about, judged by its primary protocol on all modalities. Of several seeds
 * the first is taken.
 */
export async function judgedRows(
  root: string,
  told: ExperimentDescription,
  table: ExperimentTable,
  source: Omit<PictureSource, 'dataHash'>,
): Promise<{ judged: JudgedRow[]; failures: RowFailures[] }> {
  const part = primaryPart(table);
  const protocol = told.protocols.find(({ name }) => name === part?.name);
  const images = part?.images.at(-1);
  if (part === undefined || protocol === undefined || images === undefined)
    return { judged: [], failures: [] };
  const results = new Results({ root, description: told, protocol, setAside: false });
  const judged: JudgedRow[] = [];
  const failures: RowFailures[] = [];
  for (const row of chosenRows(told, table).slice(0, CLOSER)) {
    const result = results.found(row)[0]?.result;
    const measured = results.measure(row, 'run', part.features, images)[0];
    const predicted = measured?.predicted;
    if (result === undefined || measured === undefined || predicted === undefined) continue;
    const { judged: own, ids } = predicted;
    const samples = { ...own, classes: result.data.classes, ids };
    const metric = result.metrics[0]!;
    const scores = scoresOf(measured, metric, row.name, 'run', valueIn(part, row.name, images));
    const baselines = BASELINES.flatMap((other) => {
      const kind = other === 'thumbnail' ? 'pixels' : part.features;
      const found = results.measure(row, other, kind, images)[0];
      return found === undefined ? [] : scoresOf(found, metric, heading(shortSource(other)), other);
    });
    if (scores[0] === undefined) continue;
    const seeds = table.seeds.length > 1 ? `, seed ${measured.seed}` : '';
    const draws = measured.draw === undefined ? '' : `, draw ${measured.draw}`;
    const name = `${row.name}${seeds}${draws}`;
    const about = { id: row.folder, name: `${name}: ${partTitle(table, part)}` };
    judged.push({ name, figures: scoreFigures(samples, scores[0], baselines, result.bootstrap, about) });
    if (failures.length < LISTED) {
      const features = `${featuresName(part.features)}, ${imagesName(images)}`;
      const found = { features, ...failuresAmong(samples, own.probabilities, SHOWN_FAILURES) };
      failures.push({
        name,
        failures: await withPictures(found, { ...source, dataHash: result.data.dataHash }),
      });
    }
  }
  return { judged, failures };
}

function primaryPart({ parts, family }: ExperimentTable): TablePart | undefined {
  const own = parts.filter(({ set, images }) => set === undefined && images.length > 0);
  const named = own.find((part) => part.name === family?.protocol && part.features === family.features);
  return named ?? own[0];
}

/** Orders the rows: those of the comparisons first, in their order, then the others as in the file. */
function chosenRows({ rows }: ExperimentDescription, { family }: ExperimentTable): DescribedRow[] {
  const first =
    family === undefined ? [] : [family.reference, ...family.comparisons.map(({ against }) => against)];
  const named = first.flatMap((name) => rows.find((row) => row.name === name) ?? []);
  return [...named, ...rows.filter((row) => !named.includes(row))];
}

type Auc = JudgedScores['auc'];

/**
 * The AUC of a row in the table, where it comes from one seed and one draw of the labels. A mean over several is no
 * area under one curve.
 */
function valueIn({ rows }: TablePart, name: string, images: string): Auc | undefined {
  const found = rows.find((row) => row.name === name)?.values[images];
  return found !== undefined && found.seeds > 1 ? undefined : found;
}

function scoresOf(
  { predicted, metrics, interval }: Measurement,
  metric: string,
  name: string,
  source: JudgedScores['source'],
  auc?: Auc,
): JudgedScores[] {
  if (predicted === undefined) return [];
  const own = { value: metrics[metric] ?? null, low: interval?.low ?? null, high: interval?.high ?? null };
  return [{ name, source, probabilities: predicted.judged.probabilities, auc: auc ?? own }];
}
