/** A thread that runs probes. */
import { answerJobs } from '../../threads.js';
import { runProbe } from './probe.js';

answerJobs(runProbe);
