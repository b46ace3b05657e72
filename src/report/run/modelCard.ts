/** A model card in Markdown: what an encoder is, what it was trained on, how it was judged and how it is fed. */
import { stringify } from 'yaml';
import { UsageError } from '../../errors.js';
import { readEvaluations, readPairs } from '../../evaluation/readResults.js';
import { formatClaims } from '../../evaluation/results/claimsTable.js';
import { formatEvaluation } from '../../evaluation/results/evaluationTable.js';
import { verdicts } from '../../evaluation/results/verdict.js';
import { methodNamed } from '../../methods/index.js';
import { counted, numbered } from '../../text/numbers.js';
import { markdownGrid } from '../../text/table/markdown.js';
import { describeEncoder } from '../../training/encoderFile.js';
import { networkWords, type RunRecord, readRunFolder } from '../source/runRecord.js';

/**
 * Writes the card of a run from its settings, its provenance and its evaluations. It names no patient, no path and no
 * sample.
 *
 * @param root the `--out` folder of `anatomy pretrain`
 * @throws UsageError where there is no run, or one for each fold, DataError where it is not finished or damaged
 */
export function modelCard(root: string): string {
  const { name, runs } = readRunFolder(root);
  const [run] = runs;
  if (run.root !== root) {
    throw new UsageError(
      `${root}: holds an encoder for each fold; name the run of one, such as --run ${run.root}`,
    );
  }
  const evaluations = readEvaluations(root).map(({ record }) => record);
  const pairs = readPairs(root);
  const { config } = run;
  const header = stringify({
    library_name: 'anatomy-ssl',
    tags: ['self-supervised-learning', 'medical-imaging', 'multi-modal', config.method.name],
  });
  const verdictLines = evaluations.flatMap((record) =>
    verdicts(record).map(
      ({ before, strong, after }) => `- ${record.data.name}: ${before}**${strong}**${after}`,
    ),
  );
  return [
    `---\n${header}---`,
    `# ${name}`,
    `An image encoder, pretrained with anatomy-ssl: ${methodNamed(config.method.name)!.summary}. **For research only:** it is no medical device and must not decide about patients.`,
    '## What it is',
    factTable(modelFacts(run)),
    '## What it was trained on',
    factTable(dataFacts(run)),
    '## How to feed it',
    feeding(run),
    '## How it was judged',
    evaluations.length + pairs.length === 0
      ? 'Not yet. `anatomy evaluate logreg --run RUN` judges it by labels, `anatomy evaluate pairs --run RUN` without.'
      : verdictLines.join('\n'),
    ...evaluations.map((record) => demoted(formatEvaluation(record))),
    ...(pairs.length === 0 ? [] : [demoted(formatClaims(pairs.map((record) => ({ name, record }))))]),
    '## What is not known',
    '- How it does on images of other scanners, hospitals, populations or protocols than those named above.\n- Whether what it sees is the disease or something that goes with it; the thumbnail and the untrained encoder in the tables say how far simple cues go.',
    '## How it was made',
    factTable(machineFacts(run)),
  ]
    .filter((section) => section !== '')
    .join('\n\n')
    .concat('\n');
}

/** A table of names and values. These come from files, and Markdown would take HTML in them for HTML. */
function factTable(facts: readonly (readonly [name: string, value: string])[]): string {
  return markdownGrid(
    ['', ''],
    facts.map(([name, value]) => [name, value.replaceAll('&', '&amp;').replaceAll('<', '&lt;')]),
  );
}

/** Moves headings one level down, as the card has its own. */
function demoted(markdown: string): string {
  return markdown.trim().replace(/^#/gm, '##');
}

function modelFacts({ config }: RunRecord): [string, string][] {
  const { model, method, seed, recipe, data } = config;
  return [
    ['backbone', networkWords(config)],
    ['embedding', `${model.embeddingSize} components, head on ${model.headInput}`],
    ['input', `${data.size} × ${data.size} pixels`],
    ['method', method.name],
    ['recipe', recipe],
    ['seed', String(seed)],
  ];
}

function dataFacts({ provenance, config, fold, finished, steps }: RunRecord): [string, string][] {
  const { data, modalities, pairs, simulated, dataHash } = provenance;
  return [
    ['data', data],
    ...(modalities === undefined ? [] : [['modalities', modalities.join(', ')] as [string, string]]),
    ['samples', counted(pairs)],
    ...(simulated === undefined ? [] : [['simulated', simulated.join(', ')] as [string, string]]),
    [
      'kept out',
      fold === undefined && config.data.fold === 'none' ? 'nothing' : `fold ${fold ?? config.data.fold}`,
    ],
    [
      'steps',
      `${counted(steps.done)} of ${counted(steps.planned)}${finished ? '' : ', not finished'}, batches of ${numbered(config.training.batchSize, 'sample')}`,
    ],
    ['digest of the images', `\`${dataHash}\``],
  ];
}

function feeding({ config }: RunRecord): string {
  const { input } = describeEncoder(config, {});
  const lines = [
    `1. Read the image as gray or RGB with 8 bits${Object.keys(input.preprocess).length > 0 ? ', cropped and mapped as below' : ''}.`,
    `2. Resize: ${input.resize}; size ${input.size}, cacheSize ${input.cacheSize ?? 'null'}.`,
    `3. Divide by 255.${input.normalize === 'none' ? ' **No further normalisation**: ImageNet’s mean and deviation would ruin the features.' : ' Then take ImageNet’s mean (0.485, 0.456, 0.406) and divide by its deviation (0.229, 0.224, 0.225).'}`,
  ];
  const preprocess = Object.entries(input.preprocess).map(
    ([modality, how]) => `- ${modality}: \`${JSON.stringify(how)}\``,
  );
  return [lines.join('\n'), preprocess.join('\n')].filter((part) => part !== '').join('\n\n');
}

function machineFacts({ provenance }: RunRecord): [string, string][] {
  const { tool, torch, node, platform, cpu, device, precision, threads } = provenance;
  return [
    ['program', tool],
    ['LibTorch', torch],
    ['Node', node],
    ['machine', [platform, cpu].filter((part) => part !== undefined).join(', ')],
    ['device', `${device}, ${precision}, ${numbered(threads, 'thread')}`],
  ];
}
