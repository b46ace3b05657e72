/** Niivue, which draws volumes. It is ten times as large as the page, so it is imported when a volume is opened. */
import { Niivue, NVImage, SHOW_RENDER, SLICE_TYPE } from '@niivue/niivue';

/** A voxel, by its indices along the stored axes. */
export type Voxel = readonly [number, number, number];

export interface VolumeOptions {
  /** A NIfTI file, gzipped or not. */
  readonly content: ArrayBuffer;
  /** Three rows of four: voxel indices to millimetres to the patient's right, front and top. */
  readonly affine: readonly (readonly number[])[];
  /** The stored axis across which slices are shown. */
  readonly axis: 0 | 1 | 2;
  /** Told when another voxel was pointed at. */
  readonly onMove: (voxel: Voxel) => void;
}

export interface VolumeView {
  /** Shows the slices through a voxel. */
  readonly show: (voxel: Voxel) => void;
  /** Shows the three planes through the voxel, or the slice across the axis alone. */
  readonly showPlanes: (three: boolean) => void;
  readonly close: () => void;
}

/** The slices across the patient's axes: right, front, top. */
const ACROSS = [SLICE_TYPE.SAGITTAL, SLICE_TYPE.CORONAL, SLICE_TYPE.AXIAL] as const;

/**
 * Draws a volume, turned as the run's images are: the patient's right and front on the left.
 *
 * @throws Error where the file cannot be read, or the browser cannot hold it
 */
export async function openVolume(
  canvas: HTMLCanvasElement,
  { content, affine, axis, onMove }: VolumeOptions,
): Promise<VolumeView> {
  const viewer = new Niivue({
    isRadiologicalConvention: true,
    sagittalNoseLeft: true,
    dragAndDropEnabled: false,
    multiplanarShowRender: SHOW_RENDER.NEVER,
    loadingText: '',
    crosshairWidth: 0.5,
    crosshairWidthUnit: 'percent',
    logLevel: 'silent',
  });
  const close = () => {
    viewer.cleanup();
    // Browsers hold few contexts, and would else keep this one until memory runs out.
    viewer.gl?.getExtension('WEBGL_lose_context')?.loseContext();
  };
  try {
    await viewer.attachToCanvas(canvas);
    // The slider is there for the keyboard, and Niivue's own keys would change what nothing on the page tells of.
    canvas.removeAttribute('tabindex');
    const image = await NVImage.loadFromUrl({ url: 'volume.nii', name: 'volume.nii', buffer: content });
    // Niivue prefers another of a header's two maps than we do, and knows no mate's.
    image.setAffine([...affine.map((row) => [...row]), [0, 0, 0, 1]]);
    viewer.addVolume(image);
    const axes = axesOf(image);
    viewer.onLocationChange = () => onMove(voxelAt(axes, [...viewer.scene.crosshairPos]));
    const alone = ACROSS[axes.findIndex(({ stored }) => stored === axis)]!;
    viewer.setSliceType(alone);
    return {
      show: (voxel) => {
        viewer.scene.crosshairPos = sharesOf(axes, voxel);
        viewer.drawScene();
      },
      showPlanes: (three) => viewer.setSliceType(three ? SLICE_TYPE.MULTIPLANAR : alone),
      close,
    };
  } catch (error) {
    close();
    throw error;
  }
}

/** For each of the patient's axes the stored axis that runs along it. */
interface Along {
  readonly stored: number;
  readonly length: number;
  /** Whether it runs to the left, the back or the feet. */
  readonly isTurned: boolean;
}

function axesOf({ permRAS, dimsRAS }: NVImage): readonly Along[] {
  return permRAS!.map((signed, i) => ({
    stored: Math.abs(signed) - 1,
    length: dimsRAS![i + 1]!,
    isTurned: signed < 0,
  }));
}

/** Niivue's place: shares of the patient's axes, where a voxel's centre lies half a voxel behind its edge. */
function sharesOf(axes: readonly Along[], voxel: Voxel): [number, number, number] {
  return axes.map(({ stored, length, isTurned }) => {
    const share = (voxel[stored]! + 0.5) / length;
    return isTurned ? 1 - share : share;
  }) as [number, number, number];
}

function voxelAt(axes: readonly Along[], shares: readonly number[]): Voxel {
  const voxel: [number, number, number] = [0, 0, 0];
  for (const [i, { stored, length, isTurned }] of axes.entries()) {
    const share = isTurned ? 1 - shares[i]! : shares[i]!;
    voxel[stored] = Math.max(0, Math.min(length - 1, Math.floor(share * length)));
  }
  return voxel;
}
