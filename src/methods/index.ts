/** The room `methods` has the pretraining methods behind one interface: the paper’s in a folder, the others in a file each. */
export { Anatomy, anatomy } from './anatomy/anatomy.js';
export { reconstructionDefaults } from './anatomy/reconstruction.js';
export { type AnatomyOptions, consistencyOptions } from './anatomy/settings.js';
export type { MethodContext, MethodDefinition } from './definition.js';
export type { Batch, Forward, Method, Pairs, RecordOptions, Term, ViewSpec, Views } from './method.js';
export { joinViews, type Normalization, normalize } from './normalization.js';
export { imagesOf } from './presence.js';
export { type MethodConfig, methodNamed, methodNames, methodSchema } from './registry.js';
export { makeViews, type ViewOptions, viewPart } from './views.js';
