/** Which numbers of a cell are kept as they are, which are rounded, and which are left out. */

/**
 * An evaluation's numbers that tables read stay exact: every metric over all folds, and of the first metric the interval and the
 * mean over folds. The other spreads become null; the values by fold and the comparisons with baselines become empty lists.
 *
 * Of pairs, every measure stays exact. What is only drawn (projections, maps of similarity) keeps two significant digits in a cell,
 * since an experiment's report draws it, and is left out of a result that belongs to no experiment.
 *
 * @param document a cell, an experiment.json, or what `anatomy evaluate --json` printed
 */
export function keptNumbers(document) {
  if (document.kind === 'pairs') {
    const { projections, examples } = document.result;
    const drawn = { projections: twoDigits(projections), examples: twoDigits(examples) };
    return { ...document, result: { ...document.result, ...drawn } };
  }
  if (document.kind === 'evaluate') return { ...document, result: keptEvaluation(document.result) };
  if (document.protocol === 'pairs') return { ...document, projections: [], examples: [] };
  if (document.protocol !== undefined) return keptEvaluation(document);
  return document;
}

function keptEvaluation(result) {
  const [first] = result.metrics;
  const rows = result.rows.map((row) => {
    const metrics = Object.entries(row.metrics).map(([name, summary]) => [
      name,
      keptSummary(summary, name === first),
    ]);
    return { ...row, metrics: Object.fromEntries(metrics) };
  });
  return { ...result, rows, differences: [] };
}

function keptSummary(summary, first) {
  const kept = ['pooled', 'skipped', ...(first ? ['low', 'high', 'mean'] : [])];
  return Object.fromEntries(
    Object.entries(summary).map(([name, value]) => [
      name,
      kept.includes(name) ? value : Array.isArray(value) ? [] : null,
    ]),
  );
}

function twoDigits(value) {
  if (typeof value === 'number') return Number.isInteger(value) ? value : Number(value.toPrecision(2));
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return value.map(twoDigits);
  return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, twoDigits(item)]));
}
