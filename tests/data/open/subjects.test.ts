import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { DataFault } from '../../../src/data/faults.js';
import { namedSubjects, ownSubjectsWarning } from '../../../src/data/open/subjects.js';
import { type DatasetSpec, openDataset } from '../../../src/data/openDataset.js';
import { UsageError } from '../../../src/errors.js';
import { layOut } from '../datasets/layouts.js';
import { nifti } from '../handmadeVolumes.js';

const samples = (...ids: readonly string[]) => ids.map((id) => ({ id, subject: id, images: {} }));
const subjects = (pattern: string, ...ids: readonly string[]) =>
  namedSubjects(samples(...ids), pattern).samples.map(({ subject }) => subject);

describe('--subject', () => {
  it('takes the group called subject, else the first group, else all that is matched', () => {
    expect(subjects('^P\\d+', 'P01_1', 'P01_2')).toEqual(['P01', 'P01']);
    expect(subjects('_(\\d+)_', 'x_7_a', 'y_8_b')).toEqual(['7', '8']);
    expect(subjects('(\\w)(?<subject>\\d+)', 'a12', 'b12')).toEqual(['12', '12']);
    expect(subjects('^(P\\d+)', 'benign/P3_1')).toEqual(['P3']);
  });

  it('tells of names in which it finds nothing, or nothing but an empty group, with the nearest', () => {
    const { faults, samples: found } = namedSubjects(samples('P01_1', 'Q01_1', 'P1'), '^(P\\d*?)(?=\\d*_)');
    expect(found.map(({ id }) => id)).toEqual(['P01_1']);
    expect(faults[0]!.faulty.map(({ problems }) => problems[0])).toEqual([
      `"Q01_1": --subject '^(P\\d*?)(?=\\d*_)' finds no patient in it; the nearest in which it does is "P01_1"`,
      expect.stringContaining('"P1": --subject'),
    ]);
    expect(subjects('x(\\d*)', 'x')).toEqual([]);
  });

  it('is refused where it is no regular expression', () => {
    expect(() => subjects('(P', 'P1')).toThrow(UsageError);
    expect(() => subjects('(?P<subject>\\d+)', 'P1')).toThrow('(?<subject>…) here, without P.');
  });
});

describe('the warning that samples are patients of their own', () => {
  const warning = (...ids: readonly string[]) => ownSubjectsWarning('set: no names', samples(...ids));
  it.each([
    [['P01_1', 'P01_2', 'P12_1'], "'^(P\\d+)'"],
    [['patient12-03', 'patient12-04', 'patient7-01'], "'^(patient\\d+)'"],
    [['TCGA_CS_4941_7', 'TCGA_CS_4941_8', 'TCGA_DU_5849_1'], "'^(TCGA_[A-Za-z]+_\\d+)'"],
    [['CS_49_1', 'CS_49_2', 'DU_A5_1', 'x1_3'], "'^(.+)_\\d+$'"],
    [['7_OD', '7_OS', '8_OS'], "'^(\\d+)'"],
    [['P01 (1)', 'P01 (2)', 'Q2', 'P3 (1)'], "'^([A-Za-z]+\\d+)'"],
    [['P01 (1)', 'P01 (2)', 'Q-2', 'P3 (1)'], "'^(.*\\d.*?)(?="],
  ])('prints a pattern for %j', (ids, pattern) => {
    const told = warning(...ids);
    expect(told).toContain(`${ids[0]} and ${ids[1]} look like two of one patient`);
    expect(told).toContain(`--subject ${pattern}`);
    // The pattern that is printed finds a patient in every name.
    const printed = /--subject '(.*)', or another/.exec(told)![1]!;
    expect(namedSubjects(samples(...ids), printed).samples).toHaveLength(ids.length);
    expect(subjects(printed, ...ids)[0]).toBe(subjects(printed, ...ids)[1]);
  });

  it.each([
    [['img_1', 'img_2', 'img_3']],
    [['a1', 'b2']],
    [['P01_1', 'P01_2']],
    [['benign (1)', 'benign (2)', 'x 1']],
  ])('sees no patients in %j', (ids) => expect(warning(...ids)).not.toContain('look like'));
});

describe('opening data with --subject', () => {
  let root: string;
  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), 'subjects-'));
  });
  afterEach(() => rmSync(root, { recursive: true }));

  const open = async (spec: DatasetSpec) => {
    const warnings: string[] = [];
    const faults: DataFault[] = [];
    const { samples: found } = await openDataset(spec, {
      onWarning: (text) => warnings.push(text),
      onFault: (fault) => faults.push(fault),
    });
    return { subjects: found.map(({ subject }) => subject), warnings, faults };
  };
  const subject = '^(P\\d+)';

  it('names the patients of folders, which are warned of without it', async () => {
    layOut(root, ['A/P1_1.png', 'A/P1_2.png', 'A/P2_1.png', 'B/P1_1.png', 'B/P1_2.png', 'B/P2_1.png']);
    const spec = { path: join(root, 'A'), pathB: join(root, 'B') };
    expect(await open({ ...spec, subject })).toMatchObject({ subjects: ['P1', 'P1', 'P2'], warnings: [] });
    const without = await open(spec);
    expect(without.subjects).toEqual(['P1_1', 'P1_2', 'P2_1']);
    expect(without.warnings).toEqual([expect.stringContaining(`Say --subject '^(P\\d+)'`)]);
    expect((await open({ ...spec, subject: '^(P2)' })).faults.map(({ id }) => id)).toEqual(['P1_1', 'P1_2']);
  });

  it('names the patients of a manifest without a column of subjects, and is refused beside one', async () => {
    layOut(root, ['1.png']);
    const path = join(root, 'm.csv');
    writeFileSync(path, 'id,a,b\nP1_1,1.png,1.png\nP1_2,1.png,1.png\nP2_1,1.png,1.png\n');
    expect((await open({ path, subject })).subjects).toEqual(['P1', 'P1', 'P2']);
    expect((await open({ path })).warnings[0]).toContain(`Say --subject '^(P\\d+)'`);
    writeFileSync(path, 'id,subject,a,b\nP1_1,q,1.png,1.png\n');
    await expect(open({ path, subject })).rejects.toThrow('--column subject=null if it names none');
    expect((await open({ path, subject, columns: { subject: null } })).subjects).toEqual(['P1']);
    await expect(open({ path: 'phantom:breast,pairs=1', subject })).rejects.toThrow('which names its own');
  });

  it('names the patients of volumes, whose slices keep them', async () => {
    const path = join(root, 'P7_scan.nii.gz');
    writeFileSync(
      path,
      nifti([2, 2, 2], () => 1),
    );
    expect((await open({ path, subject })).subjects).toEqual(['P7', 'P7']);
  });
});
