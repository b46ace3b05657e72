/**
 * The smallest number of bootstrap replicates that may be asked for. With fewer, an end of a 95 % interval would be the
 * outermost replicate, and with one the interval would be a point.
 */
export const FEWEST_REPLICATES = 50;
