/** Pure functions of scores, labels and embeddings, and their statistics. */

export * from './aggregate.js';
export * from './areaTests.js';
export * from './averagePrecision.js';
export * from './bootstrap.js';
export * from './brier.js';
export * from './calibration.js';
export * from './classification.js';
export * from './curves.js';
export * from './deLong.js';
export * from './features.js';
export * from './holm.js';
export * from './matchedAuc.js';
export * from './metricSet.js';
export * from './neighbours.js';
export * from './rankCorrelation.js';
export * from './ranking.js';
export * from './recalibration.js';
export * from './rocAuc.js';
