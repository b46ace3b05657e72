import { expect, test } from 'vitest';
import { tensor, tidy } from '../../src/tensor/index.js';
import { type Call, listenToCalls, schemaOf } from '../../src/tensor/operator.js';
import * as ops from '../../src/tensor/ops.js';
import { thrown } from './thrown.js';

const heardDuring = (body: () => unknown): Call[] => {
  const heard: Call[] = [];
  tidy(() => void listenToCalls((call) => heard.push(call), body));
  return heard;
};

test('every operator is told with its arguments and its result, in order', () => {
  tidy(() => {
    const a = tensor([1, -2], [2]);
    const results: unknown[] = [];
    const heard = heardDuring(() => {
      results.push(a.add(1), ops.relu_(a), ops.split(a, 1, 0));
    });
    expect(heard.map(({ operator }) => operator)).toEqual([
      'aten::add.Scalar',
      'aten::relu_',
      'aten::split.Tensor',
    ]);
    expect(heard[0]!.args).toEqual([a, 1]);
    expect(heard[0]!.result).toBe(results[0]);
    expect(heard[1]!.result).toBe(a);
    expect(heard[2]!.result).toBe(results[2]);
  });
});

test('nothing is told before and after, of a call that fails, or of what the listener calls itself', () => {
  tidy(() => {
    const a = tensor([1, 2], [2]);
    const heard: Call[] = [];
    a.add(1);
    listenToCalls(
      (call) => {
        heard.push(call);
        a.mul(2);
      },
      () => {
        a.neg();
        expect(thrown(() => ops.matmul(a, tensor([1, 2, 3], [3])))).toBeInstanceOf(Error);
      },
    );
    a.add(1);
    expect(heard.map(({ operator }) => operator)).toEqual(['aten::neg']);
  });
});

test('a failure ends the listening, two listeners at once are refused, and so is a promise', () => {
  tidy(() => {
    const a = tensor([1], [1]);
    const heard: Call[] = [];
    const failing = () =>
      listenToCalls(
        (call) => heard.push(call),
        () => {
          throw new Error('mine');
        },
      );
    expect(failing).toThrow('mine');
    a.neg();
    expect(heard).toEqual([]);
    const both = () =>
      listenToCalls(
        () => {},
        () =>
          listenToCalls(
            () => {},
            () => a.neg(),
          ),
      );
    expect(both).toThrow('somebody listens already');
    expect(() =>
      listenToCalls(
        () => {},
        async () => a,
      ),
    ).toThrow('returned a promise');
  });
});

test('the declaration of an operator tells what it writes to', () => {
  expect(schemaOf('aten::relu_')).toContain('Tensor(a!) self');
  expect(() => schemaOf('aten::nothing')).toThrow('has no operator aten::nothing');
});
