export { contactSheet, type Preview, type PreviewPair, preview } from './preview.js';
export { writeReport } from './report.js';
export type { ReportFiles } from './reportFolder.js';
export type { ReportOptions } from './runReport.js';
export { writeStudy } from './studyReport.js';
