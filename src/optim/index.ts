/** The room `optim` has optimisers and learning-rate schedules. */
export { AdamW, type AdamWOptions, type ParameterGroup } from './adamW.js';
export { learningRateAt, type Schedule, type ScheduleContext } from './schedules.js';
export { Sgd, type SgdOptions } from './sgd.js';
