/** `anatomy report`: the page of a run. */
import type { ReportFiles } from './reportFolder.js';
import { type ReportOptions, writeRunReport } from './runReport.js';

export function writeReport(path: string, options: ReportOptions): Promise<ReportFiles> {
  return writeRunReport(path, options);
}
