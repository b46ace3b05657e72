import { expect, test } from 'vitest';
import { isStandIn } from '../../src/text/standIn.js';

test.each(['ANONYMOUS', 'anon', 'Anonymized Patient', 'de-identified', 'NoName', 'No ID', 'REMOVED', 'xxx'])(
  '%s stands for any patient',
  (name) => expect(isStandIn(name)).toBe(true),
);

test.each(['anna', 'P01', 'testa', 'x1', 'patient 7', ''])('%j is a name of its own', (name) =>
  expect(isStandIn(name)).toBe(false),
);
