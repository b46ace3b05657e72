/** Bootstraps that are asked for at least: of fewer, an end of a 95 % interval would be the outermost one, and of one a point. */
export const FEWEST_REPLICATES = 50;
