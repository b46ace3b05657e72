/**
 * The room `report` makes HTML pages, with figures as files beside them: of a run, of several runs, of an experiment
 * and of the audit of a data set. This file is what other rooms import.
 */

export { writeReport } from './report.js';
export type { ReportFiles } from './reportFolder.js';
export type { ReportOptions } from './run/writeRunReport.js';
export { contactSheet, type Preview, type PreviewPair, preview } from './source/preview.js';
export { writeStudy } from './study/writeStudy.js';
