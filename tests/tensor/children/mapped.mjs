// Reads a mapped file after it was cut short, or is sent SIGBUS by another process.
import { truncateSync } from 'node:fs';
import { call, engine } from './engine.mjs';

const [mode, path, length] = process.argv.slice(2);
const map = () => call('aten::from_file', path, false, Number(length), 'u8');
const sum = (x) => {
  const values = new BigInt64Array(1);
  engine.copyBytes(call('aten::sum', x), values);
  return String(values[0]);
};
if (mode === 'released') for (let i = 0; i < 1000; i += 1) engine.release(map());
const mapped = map();
console.log(sum(mapped));
if (mode === 'cut' || mode === 'released') {
  truncateSync(path, 0);
  console.log(sum(mapped));
}
if (mode === 'sent') {
  process.kill(process.pid, 'SIGBUS');
  setTimeout(() => console.log('still there'), 10_000);
}
