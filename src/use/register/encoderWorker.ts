/** The thread that registers pairs by the maps of an encoder; `encoderRegistration.ts` starts it. */
import { workerData } from 'node:worker_threads';
import { answerPairs } from '../../data/align/threads.js';
import { type EncoderThreadData, RegistrationEncoder } from './encoderRegistration.js';

const { options, ...run } = workerData as EncoderThreadData;

// Whoever started the thread has opened the same run before, and told of its warnings.
answerPairs(new RegistrationEncoder(run, () => undefined).aligner(options));
