/** What the command line says to words that it does not know. */
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { settingFor } from '../../src/cli/options/settingFor.js';
import { anatomyProgram } from '../../src/cli/program.js';
import { settingNamed } from '../../src/config/index.js';

const main = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url));
const anatomy = (...words: string[]) => spawnSync(process.execPath, [main, ...words], { encoding: 'utf8' });

/** Parses without running anything. @returns what was printed, and the code of the end */
function parse(...words: string[]): { out: string; error: string; code: string } {
  const program = anatomyProgram();
  const written = { out: '', error: '' };
  const quiet = (command: typeof program): void => {
    command.configureOutput({
      writeOut: (text) => {
        written.out += text;
      },
      writeErr: (text) => {
        written.error += text;
      },
    });
    command.commands.forEach(quiet);
  };
  quiet(program);
  let code = 'ran';
  try {
    program.parse(words, { from: 'user' });
  } catch (error) {
    code = (error as { code: string }).code;
  }
  return { ...written, code };
}

describe('an unknown command', () => {
  test.each([
    ['pretrian --help', 'pretrian', 'pretrain', 'anatomy'],
    ['-q pretrian -h', 'pretrian', 'pretrain', 'anatomy'],
    ['help pretrian', 'pretrian', 'pretrain', 'anatomy'],
    ['data chek --help', 'chek', 'check', 'anatomy data'],
    ['data chek --out x --help', 'chek', 'check', 'anatomy data'],
    ['help data chek', 'chek', 'check', 'anatomy data'],
    ['data help chek', 'chek', 'check', 'anatomy data'],
    ['evaluate lgreg --help', 'lgreg', 'logreg', 'anatomy evaluate'],
    ['data chek', 'chek', 'check', 'anatomy data'],
  ])('%s names it and the nearest one', (line, word, meant, group) => {
    const { out, error, code } = parse(...line.split(' '));
    expect({ out, code }).toEqual({ out: '', code: 'commander.unknownCommand' });
    expect(error).toBe(`error: unknown command '${word}'\n(Did you mean ${meant}?)\n(see ${group} --help)\n`);
  });

  test('without a near one is refused without a guess', () => {
    const { error, code } = parse('qqqqqqq', '--help');
    expect(code).toBe('commander.unknownCommand');
    expect(error).toBe("error: unknown command 'qqqqqqq'\n(see anatomy --help)\n");
  });

  test('ends with 2', () => {
    expect(anatomy('pretrian', '--help')).toMatchObject({ status: 2, stdout: '' });
  });
});

test.each([
  ['--help', 'Usage: anatomy '],
  ['help', 'Usage: anatomy '],
  ['data --help', 'Usage: anatomy data '],
  ['help data', 'Usage: anatomy data '],
  ['data check --help', 'Usage: anatomy data check '],
  ['data check pairs.csv --help', 'Usage: anatomy data check '],
  ['evaluate logreg --run help --help', 'Usage: anatomy evaluate logreg '],
])('the help of a known command is shown: %s', (line, begin) => {
  const { out, code } = parse(...line.split(' '));
  expect(out.startsWith(begin)).toBe(true);
  expect(code).toMatch(/^commander\.help/);
});

describe('a flag that is a setting', () => {
  const suggestion = (line: string, flag: string) =>
    settingFor(anatomyProgram(), line.split(' '), `error: unknown option '${flag}'`);

  test.each([
    ['pretrain --batch-size 32', '--batch-size', '--set training.batchSize=32'],
    ['pretrain --batchSize 32', '--batchSize', '--set training.batchSize=32'],
    ['pretrain --batch_size=32', '--batch_size=32', '--set training.batchSize=32'],
    ['-q pretrain --lr 0.1 --steps 3', '--lr', '--set training.learningRate=0.1'],
    ['pretrain --learning-rate', '--learning-rate', '--set training.learningRate=…'],
    ['pretrain --epochs --steps 3', '--epochs', '--set training.epochs=…'],
    ['pretrain --image-size 64', '--image-size', '--set data.size=64'],
    ['pretrain --momentum 0.9', '--momentum', '--set training.momentum=0.9'],
    ['pretrain --training.batchSize 8', '--training.batchSize', '--set training.batchSize=8'],
    ['pretrain --widht 0.5', '--widht', '--set model.width=0.5'],
    ['config show --weight-decay 0', '--weight-decay', '--set training.weightDecay=0'],
    ['data check --image-size 64', '--image-size', '--set data.size=64'],
    ["pretrain --arch it's", '--arch', `--set 'model.backbone=it'\\''s'`],
  ])('%s is answered with the setting', (line, flag, expected) => {
    expect(suggestion(line, flag)).toBe(expected);
  });

  test.each([
    ['data split --batch-size 3', '--batch-size', 'the command takes settings of the data alone'],
    ['evaluate logreg --batch-size 3', '--batch-size', 'the command takes no settings'],
    ['pretrain --qqqqqqqq 3', '--qqqqqqqq', 'nothing is near'],
  ])('%s is not', (line, flag) => {
    expect(suggestion(line, flag)).toBeUndefined();
  });

  test('what other programs call a setting is a setting of today', () => {
    for (const word of [
      'bs',
      'lr',
      'wd',
      'num-epochs',
      'max_steps',
      'gpu',
      'amp',
      'img-size',
      'resolution',
    ]) {
      expect(settingNamed(word)).toMatch(/^(training|data)\./);
    }
    for (const word of ['arch', 'weights', 'pretrained']) expect(settingNamed(word)).toMatch(/^model\./);
  });

  test('is answered in the terminal, with exit code 2', () => {
    const { status, stderr } = anatomy('pretrain', '--data', 'x', '--batch-size', '32');
    expect(status).toBe(2);
    expect(stderr).toBe(
      "error: unknown option '--batch-size'\n(see anatomy pretrain --help)\n(did you mean --set training.batchSize=32?)\n",
    );
  });
});
