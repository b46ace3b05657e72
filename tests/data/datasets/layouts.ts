import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** Empty files at these paths below `root`: what opening a data set looks at are names. */
export function layOut(root: string, paths: readonly string[]): string {
  for (const path of paths) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), '');
  }
  return root;
}

export const numbered = (count: number, name: (n: string) => string): string[] =>
  Array.from({ length: count }, (_, i) => name(String(i + 1).padStart(4, '0')));

/** The published layouts at a small size. */
export const LAYOUTS = {
  composite: [1, 2, 3, 4, 5].flatMap((digit) => [
    `${digit}A/p ${digit}.png`,
    `${digit}A/second.PNG`,
    `${digit}B/p ${digit}.jpg`,
  ]),
  fundusAmd: [
    ...numbered(2, (n) => `resized_image_320/A${n}.jpg`),
    ...numbered(9, (n) => `resized_image_320/N${n}.jpg`),
    ...numbered(2, (n) => `resized_image_syn/A${n}.png`),
    ...numbered(9, (n) => `resized_image_syn/N${n}.png`),
  ],
  busi: [
    ...['benign/benign (1).png', 'benign/benign (1)_mask.png', 'benign/benign (1)_mask_1.png'],
    ...['benign/benign (10).png', 'benign/benign (10)_mask.png', 'malignant/malignant (2).png'],
    ...['malignant/malignant (2)_mask.png', 'normal/normal (7).png', 'normal/normal (7)_mask.png'],
  ],
  pm: ['P0001.jpg', 'P0002.JPG', 'H0001.jpg', 'N0001.jpg', 'N0002.jpg'],
  amd: ['AMD/A0001.jpg', 'Non-AMD/N0001.jpg', 'Non-AMD/N0002.jpg', 'Fovea_location.xlsx'],
} as const;
