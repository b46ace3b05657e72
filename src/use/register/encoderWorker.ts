/** The thread that registers pairs by the maps of an encoder; `encoderRegistration.ts` starts it. */
import { workerData } from 'node:worker_threads';
import { answerPairs } from '../../data/align/threads.js';
import { type EncoderRequest, RegistrationEncoder } from './encoderRegistration.js';

const { root, modalities, options } = workerData as EncoderRequest;

// Whoever started the thread has opened the same run before, and told of its warnings.
answerPairs(new RegistrationEncoder(root, modalities, () => undefined).aligner(options));
