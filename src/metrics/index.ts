/** The room `metrics` has pure functions of scores, labels and embeddings, and the statistics of their results. */

export * from './aggregate.js';
export * from './areas/areaTests.js';
export * from './areas/averagePrecision.js';
export * from './areas/curves.js';
export * from './areas/deLong.js';
export * from './areas/matchedAuc.js';
export * from './areas/ranking.js';
export * from './areas/rocAuc.js';
export * from './bootstrap.js';
export * from './calibration/brier.js';
export * from './calibration/calibration.js';
export * from './calibration/recalibration.js';
export * from './classification.js';
export * from './features/features.js';
export * from './features/neighbours.js';
export * from './holm.js';
export * from './metricSet.js';
export * from './rankCorrelation.js';
