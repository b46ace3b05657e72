import fc from 'fast-check';
import { expect, it } from 'vitest';
import { tiedSubjects } from '../../../src/data/splits/tiedSubjects.js';

it('any chain of duplicates joins its subjects, and leaves the others alone', () => {
  const samples = ['p', 'q', 'q', 'r', 's', 't'].map((subject) => ({ subject }));
  // s5 = s2 and s1 = s3 join t, q and r, although no picture is on all three.
  const ties = tiedSubjects(samples, [{ members: [2, 5] }, { members: [1, 3] }, { members: [1, 2] }]);
  expect([...ties]).toEqual([
    ['q', 'q'],
    ['r', 'q'],
    ['t', 'q'],
  ]);
  expect(tiedSubjects(samples, [{ members: [1, 2] }]).size).toBe(0);
});

it('the result is the connected components, whatever the order of the groups', () => {
  const subject = fc.integer({ min: 0, max: 9 }).map((n) => `p${n}`);
  fc.assert(
    fc.property(
      fc.array(subject, { minLength: 2, maxLength: 30 }),
      fc.array(fc.uniqueArray(fc.nat(), { minLength: 2, maxLength: 4 }), { maxLength: 8 }),
      (subjects, drawn) => {
        const samples = subjects.map((name) => ({ subject: name }));
        const groups = drawn.map((members) => ({ members: members.map((m) => m % samples.length) }));
        const ties = tiedSubjects(samples, groups);
        const headOf = (name: string) => ties.get(name) ?? name;
        for (const { members } of groups) {
          expect(new Set(members.map((m) => headOf(subjects[m]!))).size).toBe(1);
        }
        // Nothing is joined that need not be: reachable by groups, breadth first.
        for (const start of new Set(subjects)) {
          const reached = new Set([start]);
          for (let grown = 0; grown < reached.size; ) {
            grown = reached.size;
            for (const { members } of groups) {
              const names = members.map((m) => subjects[m]!);
              if (names.some((name) => reached.has(name))) for (const name of names) reached.add(name);
            }
          }
          expect(new Set(subjects.filter((name) => headOf(name) === headOf(start)))).toEqual(reached);
          expect(ties.has(start)).toBe(reached.size > 1);
        }
        expect(tiedSubjects(samples, [...groups].reverse())).toEqual(ties);
      },
    ),
  );
});
