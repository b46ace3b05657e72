export { writeReport } from './report.js';
export type { ReportFiles } from './reportFolder.js';
export type { ReportOptions } from './run/writeRunReport.js';
export { contactSheet, type Preview, type PreviewPair, preview } from './source/preview.js';
export { writeStudy } from './study/writeStudy.js';
