import { useState } from 'preact/hooks';
import type { ExplorerSample, NearestCases as Nearest } from '../src/server/messages.js';
import { useAnswer } from './live.js';
import { SampleImage } from './sampleImage.js';

interface NearestProps {
  run: string;
  sample: number;
  samples: readonly ExplorerSample[];
  /** The address of a sample, for the runs that are shown. */
  addressOf: (sample: number) => string;
}

/** The cases that look most alike to the encoder. They are asked for on demand, as that takes the features of all. */
export function NearestCases({ run, sample, samples, addressOf }: NearestProps) {
  const [open, setOpen] = useState(false);
  const asked = new URLSearchParams({ run, sample: String(sample), features: 'pooled' }).toString();
  const { answer, refused } = useAnswer<readonly Nearest[]>('/api/nearest', open ? asked : undefined);
  return (
    <details open={open} onToggle={(event) => setOpen(event.currentTarget.open)}>
      <summary>Nearest cases</summary>
      {refused !== undefined && (
        <p class="trouble" role="alert">
          {refused}
        </p>
      )}
      {open && answer === undefined && refused === undefined && (
        <p role="status">Computing the features of all images …</p>
      )}
      {answer?.map(({ from, to, cases, mateRank }) => (
        <section key={`${from} ${to}`} class="nearest">
          <h3>
            From {from} to {to}{' '}
            {mateRank !== undefined && (
              <small>
                its own image is number {mateRank} of{' '}
                {samples.filter((one) => one.modalities.includes(to)).length}
              </small>
            )}
          </h3>
          <ol class="thumbnails">
            {cases.map((one) => (
              <li key={one.sample}>
                <a href={addressOf(one.sample)}>
                  <SampleImage
                    alt={`${to} of ${samples[one.sample]!.id}`}
                    src={`/api/image?${new URLSearchParams({ run, sample: String(one.sample), modality: to })}`}
                  />
                  <span>{samples[one.sample]!.id}</span>
                </a>{' '}
                <small>
                  {one.cosine.toFixed(2)}
                  {one.sample === sample
                    ? ', its mate'
                    : samples[one.sample]!.label && `, ${samples[one.sample]!.label}`}
                </small>
              </li>
            ))}
          </ol>
        </section>
      ))}
    </details>
  );
}
