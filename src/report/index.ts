export { contactSheet, type Preview, type PreviewPair, preview } from './preview.js';
export { type ReportFiles, type ReportOptions, writeReport } from './report.js';
