/**
 * Okabe and Ito's colours, told apart with any colour vision, dark and light enough for both kinds of background. Shapes
 * and words always say the same as the colours.
 */
export const PALETTE = ['#0f7bbf', '#d55e00', '#009e73', '#b5589b', '#8c6d1f'] as const;

/** The encoder that is judged, the same untrained, the thumbnail: alike in all figures. */
export const SOURCE_COLOURS = { run: '#0f7bbf', untrained: '#8a8f98', thumbnail: '#d55e00' } as const;
