import { useState } from 'preact/hooks';

interface Props {
  readonly src: string;
  readonly alt: string;
  readonly title?: string;
  readonly lazy?: boolean;
}

/** An image of a sample; words in its place where the server has none, or keeps it from the public. */
export function SampleImage({ src, alt, title, lazy = false }: Props) {
  const [missing, setMissing] = useState<string>();
  if (missing === src) return <span class="no-image">{alt}: not shown</span>;
  return (
    <img
      src={src}
      alt={alt}
      title={title}
      loading={lazy ? 'lazy' : undefined}
      onError={() => setMissing(src)}
    />
  );
}
