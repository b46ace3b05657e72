import { expect, it } from 'vitest';
import { flatNotes } from '../../../src/evaluation/summary/notes.js';

it('a row that scores the samples of each fold alike gets a note, with two classes or three', () => {
  const folds = [0, 1, 0, 1];
  const rows = {
    learned: [0.2, 0.4, 0.3, 0.4],
    'by fold': [0.2, 0.4, 0.2, 0.4],
    'by class': [0.2, 0.3, 0.5, 0.1, 0.1, 0.8, 0.2, 0.3, 0.5, 0.1, 0.1, 0.8],
    'one class': [0.2, 0.3, 0.5, 0.1, 0.1, 0.8, 0.2, 0.4, 0.4, 0.1, 0.1, 0.8],
  };
  const told = flatNotes(rows, folds);
  expect(told.map((note) => note.slice(0, note.indexOf(' scores')))).toEqual(['by fold', 'by class']);
  expect(told[0]).toContain('an AUC of ½ is by ties');
});
