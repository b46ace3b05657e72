/** Pure functions of scores, labels and embeddings, and their statistics. */

export * from './aggregate.js';
export * from './bootstrap.js';
export * from './classification.js';
export * from './features.js';
export * from './neighbours.js';
export * from './rankCorrelation.js';
export * from './rocAuc.js';
