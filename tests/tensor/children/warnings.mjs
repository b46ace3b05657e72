// LibTorch's own warning (an output that has to be resized) is collected, once, and not printed.
import { call, engine, floats } from './engine.mjs';

const x = floats([1, 2, 3]);
call('aten::add.out', x, x, 1, floats([0]));
console.log(JSON.stringify([engine.takeWarnings(), engine.takeWarnings()]));
