/**
 * The room `banks` has memories of embeddings that outlive a step: banks, queues, and the negatives drawn from them.
 */
export { MemoryBank, type MemoryBankOptions } from './memoryBank.js';
export { momentumUpdate } from './momentum.js';
export { drawNegatives, type NegativesOptions } from './negatives.js';
export { KeyQueue, type KeyQueueOptions } from './queue.js';
