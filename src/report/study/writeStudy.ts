/** The room `report/study` makes one page of several runs or of an experiment. This file writes it. */
import type { MessageConsole } from '../../log/console.js';
import type { Study } from '../judged/study.js';
import { checkTarget, type ReportFiles, writeReportFolder } from '../reportFolder.js';
import { studyPage } from './studyPage.js';

/**
 * Writes the page of a study and its figures.
 * @param read makes the study, once there is a place for it
 * @throws UsageError when the folder holds something else
 */
export async function writeStudy(
  out: string,
  read: () => Promise<Study>,
  console: MessageConsole,
): Promise<ReportFiles> {
  checkTarget(out);
  const study = await read();
  const { curves, overview, mechanism, judged } = study;
  const figures = [
    ...overview,
    ...curves,
    ...mechanism.groups.flatMap((group) => group.figures),
    ...judged.flatMap((one) => one.figures),
  ];
  const files = await writeReportFolder(out, { html: studyPage(study), figures }, console);
  return { ...files, summary: study.inShort.map(({ before, strong, after }) => before + strong + after) };
}
