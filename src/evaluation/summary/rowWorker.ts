/** A thread that summarises rows. */
import { answerJobs } from '../../threads.js';
import { summarizeRow } from './rowMetrics.js';

answerJobs(summarizeRow);
