import { useEffect, useRef, useState } from 'preact/hooks';
import type { VolumeFile } from '../src/server/messages.js';
import type { VolumeView, Voxel } from './niivue.js';
import { fileSize } from './words.js';

interface PanelProps {
  modality: string;
  /** The address of the file. */
  address: string;
  file: VolumeFile;
  axis: 0 | 1 | 2;
  voxel: Voxel;
  threePlanes: boolean;
  onMove: (voxel: Voxel) => void;
  /** It cannot be shown, in words. */
  onFault: (words: string) => void;
}

/** A volume as Niivue draws it. */
export function VolumePanel(props: PanelProps) {
  const { modality, address, file, axis, voxel, threePlanes, onMove, onFault } = props;
  const canvas = useRef<HTMLCanvasElement>(null);
  const [view, setView] = useState<VolumeView>();
  const moved = useRef(onMove);
  moved.current = onMove;
  useEffect(() => {
    const gone = new AbortController();
    let opened: VolumeView | undefined;
    const open = async () => {
      const [content, { openVolume }] = await Promise.all([
        fetched(address, gone.signal),
        import('./niivue.js'),
      ]);
      if (gone.signal.aborted) return;
      const { affine } = file;
      opened = await openVolume(canvas.current!, {
        content,
        affine,
        axis,
        onMove: (to) => moved.current(to),
      });
      if (gone.signal.aborted) opened.close();
      else setView(opened);
    };
    open().catch((error: Error) => {
      if (!gone.signal.aborted) onFault(error.message);
    });
    return () => {
      gone.abort();
      opened?.close();
    };
  }, [address]);
  useEffect(() => view?.showPlanes(threePlanes), [view, threePlanes]);
  useEffect(() => view?.show(voxel), [view, ...voxel]);
  return (
    <figure>
      <div class="volume">
        <canvas
          ref={canvas}
          role="img"
          aria-label={`The volume of ${modality}`}
          data-shown={view !== undefined}
        />
      </div>
      <figcaption>
        {modality}
        {view === undefined && <span role="status">: loading {fileSize(file.bytes)} …</span>}
      </figcaption>
    </figure>
  );
}

/** @throws Error that says in words why there is no file */
async function fetched(address: string, signal: AbortSignal): Promise<ArrayBuffer> {
  const response = await fetch(address, { signal }).catch(() => undefined);
  if (response === undefined) throw new Error('The server does not answer. Start it again: anatomy serve');
  if (!response.ok) throw new Error(await response.text());
  return response.arrayBuffer().catch(() => {
    throw new Error('The file ended early while it was sent. Close the volume and show it again.');
  });
}
