/**
 * The colours of Okabe and Ito. Readers with any colour vision can tell them apart, on light and on dark backgrounds.
 * Shapes and words always say the same as the colours.
 */
export const PALETTE = ['#0f7bbf', '#d55e00', '#009e73', '#b5589b', '#8c6d1f'] as const;

/** The colours of the judged encoder, the untrained one and the thumbnail. They are the same in all figures. */
export const SOURCE_COLOURS = { run: '#0f7bbf', untrained: '#8a8f98', thumbnail: '#d55e00' } as const;
