/** The command `anatomy similar`: the cases that are nearest to a query. */
import type { Command } from 'commander';
import type { Similar } from '../use/similar/similar.js';
import { consoleOf } from './console.js';
import { wholeNumber } from './options/configOptions.js';
import { addDataOptions } from './options/dataOptions.js';
import { askedData, checkEvaluationFlags, type EvaluationFlags } from './options/evaluationOptions.js';
import { print, printJson } from './output.js';
import { refusePage, writePage } from './pageFile.js';

interface Flags extends Pick<EvaluationFlags, 'run' | 'dataConfig' | 'device' | 'precision' | 'json'> {
  query: string[];
  images?: string;
  queryImages?: string;
  features?: string;
  count: number;
  sameSubject?: boolean;
  out?: string;
  page?: string;
  withImages?: boolean;
  overwrite?: boolean;
}

export function registerSimilar(program: Command): void {
  const command = program
    .command('similar')
    .description('Find the cases whose images are nearest to a query, within a modality or across two.')
    .requiredOption('--run <folder>', 'the --out folder of anatomy pretrain')
    .requiredOption(
      '--query <id...>',
      'ids of samples in the data, or an image file, or NAME=FILE for each image of a pair',
    );
  addDataOptions(command, 'the images to search (default: those of the run)')
    .option('--data-config <file>', 'config whose data section names the data')
    .option('--images <set>', 'the modalities that are searched, such as b (default: all together)')
    .option('--query-images <set>', 'the modalities of the query, such as a (default: those searched)')
    .option('--features <kind>', 'pooled, head or maps (default: pooled, and head across modalities)')
    .option('--count <n>', 'cases for each query', wholeNumber(1), 10)
    .option('--same-subject', 'also cases of the query’s own subject')
    .option('--out <file>', 'also write the table as CSV')
    .option('--page <folder>', 'also write a page with the query and its nearest cases')
    .option(
      '--with-images',
      'show images on the page although they are no phantoms; mind whom you share it with',
    )
    .option('--device <name>', 'auto, cpu, cuda or cuda:1 (default: auto)')
    .option('--precision <name>', 'auto, fp32, bf16 or fp16 (default: that of the training)')
    .option('--overwrite', 'replace a file that is there')
    .option('--json', 'print the table as JSON on stdout')
    .addHelpText(
      'after',
      `
The similarity is the cosine of the features. Across modalities the head is compared, which the method may have drawn
together; a method without a cross-modal loss cannot be searched across.

Examples:
  $ anatomy similar --run runs/first --query patient-0001
  $ anatomy similar --run runs/first --data manifest.csv --query a=us.png b=swe.png --page similar --with-images
  $ anatomy similar --run runs/first --query patient-0001 --query-images a --images b
See also: anatomy embed, docs/use.md`,
    )
    .action(async (flags: Flags) => {
      const [{ similar }, { makeFolderOf, refuseToReplace, writeFileAtomic }] = await Promise.all([
        import('../use/similar/similar.js'),
        import('../files.js'),
      ]);
      await checkEvaluationFlags(flags);
      const { run, query, images, queryImages, features, count, sameSubject, device, precision } = flags;
      const { out, page, withImages = false, overwrite = false, json } = flags;
      if (out !== undefined) refuseToReplace([out], out, overwrite);
      if (page !== undefined) await refusePage(page);
      const console = consoleOf(program);
      const found = await similar({
        ...{ run, query, images, queryImages, features, count, sameSubject, device, precision, console },
        data: await askedData(flags),
      });
      const lines = linesOf(found);
      if (out !== undefined) {
        const { csv } = await import('../text/csv.js');
        makeFolderOf(out);
        writeFileAtomic(out, csv([HEADER, ...lines]));
        console.success(out);
      }
      if (page !== undefined) {
        const { similarPage } = await import('../report/cases/similarPage.js');
        console.success(writePage(page, await similarPage({ ...found, withImages })));
      }
      if (json) printJson(summary(found));
      else {
        const { markdownGrid } = await import('../text/table/markdown.js');
        print(`${markdownGrid(HEADER, lines)}\n`);
      }
    });
}

const HEADER = ['query', 'rank', 'id', 'subject', 'label', 'cosine'];

function linesOf({ found }: Similar): string[][] {
  return found.flatMap(({ query, cases }) =>
    cases.map(({ sample, similarity }, rank) => [
      ...[query.id, String(rank + 1), sample.id, sample.subject, sample.label ?? ''],
      similarity.toFixed(4),
    ]),
  );
}

function summary({ dataset, features, images, queryImages, found }: Similar) {
  return {
    ...{ data: dataset.name, features, images, queryImages },
    queries: found.map(({ query, cases }) => ({
      id: query.id,
      cases: cases.map(({ sample: { id, subject, label }, similarity }) => ({
        id,
        subject,
        label,
        similarity,
      })),
    })),
  };
}
