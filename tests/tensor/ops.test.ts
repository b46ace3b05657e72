import { describe, expect, test } from 'vitest';
import { native } from '../../src/tensor/native.js';
import { findOperator, type Operator, op } from '../../src/tensor/operator.js';
import * as ops from '../../src/tensor/ops.js';
import { thrown } from './thrown.js';

interface Argument {
  type: string;
  hasDefault: boolean;
}

/**
 * The arguments of a declaration such as `aten::f(Tensor(a!) self, int[2] stride=[1, 1], *, Scalar alpha=1) ->
 * Tensor`.
 */
function parseArguments(schema: string): Argument[] {
  const parts: string[] = [''];
  let depth = 0;
  for (const character of schema.slice(schema.indexOf('(') + 1)) {
    if (character === ')' && depth === 0) break;
    if ('(['.includes(character)) depth += 1;
    if (')]'.includes(character)) depth -= 1;
    if (character === ',' && depth === 0) parts.push('');
    else parts[parts.length - 1] += character;
  }
  return parts
    .map((part) => part.trim())
    .filter((part) => part !== '' && part !== '*')
    .map((part) => ({
      // LibTorch 2.x calls sizes SymInt; to us they are integers. `(a!)`, `(a -> *)` tell aliasing, not type.
      type: part
        .replace(/\([^)]*\)/, '')
        .split(' ')[0]!
        .replace('SymInt', 'int'),
      hasDefault: part.includes('='),
    }));
}

test('the parser of declarations finds types and defaults', () => {
  expect(
    parseArguments('aten::f(Tensor(a!)[] self, SymInt[2] s=[1, 1], *, Scalar? alpha=1) -> (Tensor, int)'),
  ).toEqual([
    { type: 'Tensor[]', hasDefault: false },
    { type: 'int[2]', hasDefault: true },
    { type: 'Scalar?', hasDefault: true },
  ]);
  expect(parseArguments('aten::f() -> Tensor')).toEqual([]);
});

describe('ops.ts against the schemas of the loaded LibTorch', () => {
  const lines = Object.entries(ops as Record<string, Operator<unknown[], unknown>>);

  test.each(lines)('%s', (_, { operator, argumentTypes }) => {
    const declared = parseArguments(native().schemaOf(findOperator(operator)));
    const passed = declared.slice(0, argumentTypes.length);
    expect(passed.map(({ type }) => type)).toEqual(argumentTypes);
    expect(declared.slice(argumentTypes.length).filter(({ hasDefault }) => !hasDefault)).toEqual([]);
  });

  test('there are as many operators as lines', () => {
    expect(new Set(lines.map(([, line]) => line.operator)).size).toBe(lines.length);
    expect(lines.length).toBeGreaterThan(60);
  });
});

test('an operator that this LibTorch lacks is named, at the first call and not before', () => {
  const missing = op<[], unknown>('aten::no_such_operator.out');
  expect(thrown(missing)).toMatchObject({
    name: 'TensorError',
    code: 'operator',
    message: `LibTorch ${native().torchVersion} has no operator aten::no_such_operator.out`,
  });
});
