"""NIfTI volumes for tests/data/formats/nifti.test.ts and what nibabel reads from them.

Needs python3-nibabel. Run: /usr/bin/python3 tests/golden/nifti.py
"""

import base64
import gzip
import itertools
import json
import pathlib
import shutil

import nibabel as nib
import numpy as np
from nibabel.orientations import aff2axcodes, io_orientation

OUT = pathlib.Path(__file__).parent / "nifti"
shutil.rmtree(OUT, ignore_errors=True)
OUT.mkdir()
SHAPE = (5, 4, 3)
VOLUME = (np.arange(60).reshape(SHAPE) * 37) % 101
cases = {}


def zipped(raw):
    # Without the time, so that the file is always the same.
    return gzip.compress(raw, mtime=0)


def packed(image):
    """A file so small that it stands in expected.json."""
    return base64.b64encode(zipped(image.to_bytes())).decode()


def save(name, image, keep=True):
    """`keep`: with its values in expected.json."""
    raw = image.to_bytes()
    (OUT / name).write_bytes(zipped(raw) if name.endswith(".gz") else raw)
    if keep:
        header = image.header
        cases[name] = {
            "dims": list(image.shape[:3]),
            "spacing": [float(v) for v in header.get_zooms()[:3]],
            # The first stored axis fastest, as the file has them.
            "values": np.asarray(image.dataobj, dtype=np.float64).reshape(-1, order="F").tolist(),
        }


# Every type of voxel, in both byte orders, with and without scaling.
for kind in ("u1", "i1", "u2", "i2", "u4", "i4", "u8", "i8", "f4", "f8"):
    low, high = (np.iinfo(kind).min, np.iinfo(kind).max) if kind[0] != "f" else (-1e30, 1e30)
    for order in "<>":
        data = VOLUME.astype(order + kind)
        data[0, 0, 0], data[1, 0, 0] = low, high
        name = f"{kind}-{'little' if order == '<' else 'big'}.nii.gz"
        header = nib.Nifti1Header(endianness=order)
        header.set_data_dtype(kind)
        save(name, nib.Nifti1Image(data, np.eye(4), header, dtype=data.dtype))
for order in "<>":
    header = nib.Nifti2Header(endianness=order)
    save(f"nifti2-{'little' if order == '<' else 'big'}.nii", nib.Nifti2Image(VOLUME.astype(order + "i2"), np.eye(4), header))


def scaled(slope, intercept):
    image = nib.Nifti1Image(VOLUME.astype("<i2"), np.eye(4))
    raw = bytearray(image.to_bytes())
    raw[112:120] = np.array([slope, intercept], "<f4").tobytes()
    return nib.Nifti1Image.from_bytes(bytes(raw)), bytes(raw)


for name, slope, intercept in (("scaled", 0.25, -100), ("slope-zero", 0, 7)):
    image, raw = scaled(slope, intercept)
    (OUT / f"{name}.nii").write_bytes(raw)
    values = np.asarray(image.dataobj, dtype=np.float64)
    cases[f"{name}.nii"] = {
        "dims": list(SHAPE),
        "spacing": [1.0, 1.0, 1.0],
        "values": values.reshape(-1, order="F").tolist(),
    }
holes = VOLUME.astype("<f4") - 50
holes[1, 1, 1], holes[2, 2, 2], holes[3, 3, 2] = np.nan, np.inf, -np.inf
save("holes.nii", nib.Nifti1Image(holes, np.eye(4)), keep=False)
save("nothing.nii", nib.Nifti1Image(np.full(SHAPE, np.nan, "<f4"), np.eye(4)), keep=False)
extended = nib.Nifti1Image(VOLUME.astype("<i2"), np.eye(4))
extended.header.extensions.append(nib.nifti1.Nifti1Extension("comment", b"made up"))
save("extended.nii", extended)
save("four-dimensions.nii.gz", nib.Nifti1Image(VOLUME.astype("<i2")[..., None], np.eye(4)))
save("flat.nii.gz", nib.Nifti1Image(VOLUME.astype("<i2")[..., :1], np.diag([-1, -1, 1, 1])))
save("series.nii.gz", nib.Nifti1Image(np.stack([VOLUME, VOLUME], -1).astype("<i2"), np.eye(4)), keep=False)
save("complex.nii.gz", nib.Nifti1Image(VOLUME.astype("<c8"), np.eye(4)), keep=False)

# All 48 ways in which axes can lie, rotations by a third of a right angle and less, and both kinds of orientation.
SMALL = VOLUME.astype("<u1")
orientations = {}


def orient(name, image):
    ornt = io_orientation(image.affine)
    canonical = np.asarray(nib.as_closest_canonical(image).dataobj)
    slices = []
    for axis in range(3):
        index = 1
        world, flip = int(ornt[axis, 0]), ornt[axis, 1]
        at = index if flip == 1 else SHAPE[axis] - 1 - index
        plane = np.take(canonical, at, axis=world)
        # The canonical axes run to the right, front and top; the image's to the left, back and feet.
        shown = plane[::-1, ::-1].T
        slices.append({"width": shown.shape[1], "values": shown.reshape(-1).tolist()})
    planes = dict(zip(("sagittal", "coronal", "axial"), (int(np.argwhere(ornt[:, 0] == w)[0, 0]) for w in range(3))))
    orientations[name] = {"file": packed(image), "planes": planes, "slices": slices}


def coded(affine, sform, qform=0, qaffine=None):
    image = nib.Nifti1Image(SMALL, None)
    image.header.set_sform(affine, sform)
    image.header.set_qform(affine if qaffine is None else qaffine, qform)
    return nib.Nifti1Image.from_bytes(image.to_bytes())


for order in itertools.permutations(range(3)):
    for signs in itertools.product((1, -1), repeat=3):
        affine = np.zeros((4, 4))
        affine[3, 3] = 1
        for stored, (world, sign) in enumerate(zip(order, signs)):
            affine[world, stored] = sign * (0.5, 2, 3)[stored]
        orient("".join(aff2axcodes(affine)), coded(affine, 1))
rng = np.random.default_rng(5)
for number in range(8):
    axis = rng.normal(size=3)
    axis /= np.linalg.norm(axis)
    cross = np.cross(np.eye(3), axis)
    angle = np.deg2rad(30)
    turn = np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * cross @ cross
    affine = np.eye(4)
    affine[:3, :3] = turn @ np.eye(3)[rng.permutation(3)] * rng.choice([-1, 1], 3) * (0.8, 1.2, 4)
    affine[:3, 3] = 10, -20, 30
    orient(f"oblique{number}-sform", coded(affine, 1))
    orient(f"oblique{number}-qform", coded(affine, 0, 1))
    image = nib.Nifti2Image(SMALL, None)
    image.header.set_qform(affine, 1)
    image.header.set_sform(None, 0)
    orient(f"oblique{number}-nifti2", nib.Nifti2Image.from_bytes(image.to_bytes()))
orient("both", coded(np.diag([-1, -1, 1, 1]), 1, 2, np.diag([1, 1, 1, 1])))
save("unknown.nii.gz", coded(np.eye(4), 0), keep=False)

text = json.dumps({"cases": cases, "orientations": orientations}, separators=(",", ":"))
(OUT / "expected.json").write_text(text.replace('},"', '},\n"') + "\n")
print(len(cases), len(orientations), sum(f.stat().st_size for f in OUT.iterdir()) // 1024, "KiB")
