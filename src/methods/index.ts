export { Anatomy, type AnatomyOptions } from './anatomy.js';
export type { Batch, Forward, Method, Term, Views } from './method.js';
export { joinViews, type Normalization, normalize } from './normalization.js';
