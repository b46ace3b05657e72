import { useEffect, useMemo, useRef, useState } from 'preact/hooks';
import type { CaseVolumes, ExplorerSample } from '../src/server/messages.js';
import { useAnswer } from './live.js';
import type { Voxel } from './niivue.js';
import { SampleImage } from './sampleImage.js';
import { VolumePanel } from './volumePanel.js';

interface VolumesProps {
  run: string;
  sample: number;
  samples: readonly ExplorerSample[];
  toSample: (sample: number) => void;
}

/** The volumes that a sample is a slice of. They are loaded on demand, with what draws them. */
export function Volumes(props: VolumesProps) {
  const { run, sample, samples } = props;
  const [open, setOpen] = useState(false);
  const { volume } = samples[sample]!;
  // The same question for all slices of a case, so that its volumes stay as one goes from slice to slice.
  const asked = new URLSearchParams({ run, sample: String(volume) }).toString();
  const { answer, refused } = useAnswer<CaseVolumes>('/api/volumes', open ? asked : undefined);
  return (
    <details open={open} onToggle={(event) => setOpen(event.currentTarget.open)}>
      <summary>Show the volume</summary>
      {refused !== undefined && (
        <p class="trouble" role="alert">
          {refused}
        </p>
      )}
      {open && answer === undefined && refused === undefined && <p role="status">Looking for the volume …</p>}
      {answer !== undefined && <CaseViewer key={asked} {...props} volumes={answer} />}
    </details>
  );
}

const NO_WEBGL =
  'This browser has no WebGL 2, so the slices are shown as the run sees them. Turn on hardware acceleration in its ' +
  'settings, or use another browser, to see the whole volume.';

function CaseViewer({ run, sample, samples, toSample, volumes }: VolumesProps & { volumes: CaseVolumes }) {
  const { axis, dims, samples: slices, files } = volumes;
  const own = slices.indexOf(sample);
  const [voxel, setVoxel] = useState<Voxel>(() => at(dims?.map((n) => n >> 1) ?? [0, 0, 0], axis, own));
  const [threePlanes, setThreePlanes] = useState(false);
  const [faults, setFaults] = useState<Readonly<Record<string, string>>>({});
  const draws = useMemo(() => document.createElement('canvas').getContext('webgl2') !== null, []);
  // Samples that the slider asked for. Until they are explored it may have moved on, and is not called back.
  const awaited = useRef<number[]>([]);
  useEffect(() => {
    if (!awaited.current.includes(sample)) {
      awaited.current = [];
      setVoxel((before) => at(before, axis, own));
    } else if (awaited.current.at(-1) === sample) awaited.current = [];
  }, [own]);
  const slice = voxel[axis];
  const there = slices[slice] ?? null;
  const explore = (to: number | null | undefined) => {
    if (to == null || to === sample) return;
    awaited.current.push(to);
    toSample(to);
  };
  const count = dims === null ? '' : ` of ${slices.length}`;
  const what = there === null ? 'no sample of this run' : samples[there]!.id;
  const isDrawn = (modality: string) =>
    draws && 'bytes' in files[modality]! && faults[modality] === undefined;
  return (
    <>
      {!draws && (
        <p class="trouble" role="alert">
          {NO_WEBGL}
        </p>
      )}
      <div class="controls between">
        <label class="slices">
          <span>
            Slice {slice + 1}
            {count}: {what}
          </span>
          <input
            type="range"
            min="0"
            max={slices.length - 1}
            step="1"
            value={slice}
            aria-valuetext={`slice ${slice + 1}${count}, ${what}`}
            onInput={(event) => setVoxel(at(voxel, axis, Number(event.currentTarget.value)))}
            // At the end of a drag, as each sample is a question to the encoders.
            onChange={(event) => explore(slices[Number(event.currentTarget.value)])}
          />
        </label>
        {there !== null && there !== sample && (
          <button type="button" class="step" onClick={() => explore(there)}>
            Explore this slice
          </button>
        )}
        {Object.keys(files).some(isDrawn) && (
          <label class="check">
            <input
              type="checkbox"
              checked={threePlanes}
              onChange={(event) => setThreePlanes(event.currentTarget.checked)}
            />
            Three planes
          </label>
        )}
      </div>
      <div class="panels">
        {Object.entries(files).map(([modality, file]) => {
          // Of any slice it is the same file.
          const asked = new URLSearchParams({ run, sample: String(samples[sample]!.volume), modality });
          return isDrawn(modality) && 'bytes' in file ? (
            <VolumePanel
              key={modality}
              {...{ modality, file, axis, voxel, threePlanes }}
              address={`/api/volume?${asked}`}
              onMove={setVoxel}
              onFault={(words) => setFaults((before) => ({ ...before, [modality]: words }))}
            />
          ) : (
            <SliceImage
              key={modality}
              {...{ run, modality, sample: there, id: what }}
              fault={'refused' in file ? file.refused : faults[modality]}
            />
          );
        })}
      </div>
    </>
  );
}

/** The slice as the run sees it, where its volume cannot be shown. */
function SliceImage(props: {
  run: string;
  modality: string;
  sample: number | null;
  id: string;
  fault?: string | undefined;
}) {
  const { run, modality, sample, id, fault } = props;
  return (
    <figure>
      <div class="volume">
        {sample !== null && (
          <SampleImage
            alt={`${modality} of ${id}`}
            src={`/api/image?${new URLSearchParams({ run, sample: String(sample), modality })}`}
          />
        )}
      </div>
      <figcaption>
        {modality}
        {sample === null && ': of this slice the run has no image'}
        {fault !== undefined && <span role="alert"> {fault}</span>}
      </figcaption>
    </figure>
  );
}

/** The voxel, moved along an axis. */
function at(voxel: readonly number[], axis: 0 | 1 | 2, index: number): Voxel {
  return voxel.map((own, i) => (i === axis ? index : own)) as [number, number, number];
}
