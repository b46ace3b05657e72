"""Reads the files that are named on stdin with pydicom, nibabel and Pillow; answers each with a line of JSON on stdout.

Needs python3-pydicom, python3-gdcm, python3-nibabel and python3-pil. An answer holds values as our readers give them: DICOM
after the modality's scaling, colours as RGB, alpha composited onto black, slices of volumes as radiology shows them.
"""

import contextlib
import gzip
import io
import itertools
import json
import os
import struct
import sys
import tempfile
import warnings
import zlib

import nibabel
import numpy as np
import pydicom
from nibabel.orientations import apply_orientation, io_orientation
from PIL import Image, ImageOps
from pydicom.encaps import (
    encapsulate,
    generate_pixel_data_fragment,
    generate_pixel_data_frame,
    get_frame_offsets,
)
from pydicom.filebase import DicomBytesIO
from pydicom.pixel_data_handlers.util import apply_color_lut, apply_modality_lut, convert_color_space
from pydicom.uid import JPEG2000TransferSyntaxes

MOST_IMAGES = 6
LOSSY = ("1.2.840.10008.1.2.4.50", "1.2.840.10008.1.2.4.51", "1.2.840.10008.1.2.4.91")
RLE = "1.2.840.10008.1.2.5"
# The first bytes of JPEG and JPEG-LS, of a JPEG 2000 codestream and of a JP2 file.
STARTS = (b"\xff\xd8", b"\xff\x4f", b"\x00\x00\x00\x0cjP")
warnings.simplefilter("ignore")


class NotRead(Exception):
    """The reference has no values to compare with, or not at their full depth."""


def image_of(values):
    """An answer of [rows, columns] or [rows, columns, 3]."""
    channels = 3 if values.ndim == 3 else 1
    height, width = values.shape[:2]
    return {"width": width, "height": height, "channels": channels, "values": values.reshape(-1).tolist()}


def read_image(path, **_):
    image = Image.open(path)
    if image.format == "TIFF" and repeats_a_tag(path):
        raise NotRead("a tag is there twice: libtiff takes the first, Pillow the last")
    if image.format == "TIFF" and hides_damage(image, path):
        raise NotRead("a deflated strip is damaged")
    tiles = [str(tile[3]) for tile in image.tile]
    bits = image.tag_v2.get(258, ()) if image.format == "TIFF" else ()
    if (any(";16" in tile for tile in tiles) or any(b > 8 for b in bits)) and not image.mode.startswith("I"):
        raise NotRead("16 bits are reduced to 8")
    if image.mode in ("1", "L") and "transparency" in image.info and not any("'L'" in tile for tile in tiles):
        raise NotRead("a transparent level of fewer than 8 bits")
    if image.mode.startswith("I") and "transparency" in image.info:
        raise NotRead("16 bits with a transparent level are reduced to 8")
    photometric = image.tag_v2.get(262) if image.format == "TIFF" else None
    if photometric == 6 or photometric == 0 and image.mode.startswith("I"):
        raise NotRead("the photometric interpretation is passed over")
    if any("RGBa" in tile for tile in tiles):
        raise NotRead("colours are divided by their alpha")
    image.load()
    # Pillow turns TIFF by itself.
    if image.format != "TIFF":
        image = ImageOps.exif_transpose(image)
    if image.mode == "P" or "transparency" in image.info:
        image = image.convert("RGBA")
    if image.mode in ("I", "I;16", "I;16B"):
        return {"images": [image_of(np.array(image).astype(np.int64))]}
    if image.mode == "1":
        image = image.convert("L")
    if image.mode == "RGBX":
        image = image.convert("RGB")
    if image.mode not in ("L", "LA", "RGB", "RGBA"):
        raise NotRead(f"mode {image.mode}")
    values = np.array(image).astype(np.float64)
    # Of a compressed strip that holds more than its rows need, Pillow hands back zeros without an error.
    if image.format == "TIFF" and not values.any():
        raise NotRead("zeros that may stand for what could not be read")
    if image.mode in ("LA", "RGBA"):
        values = np.floor(values[..., :-1] * values[..., -1:] / 255 + 0.5)
        values = values[..., 0] if image.mode == "LA" else values
    return {"images": [image_of(values.astype(np.int64))]}


def hides_damage(image, path):
    """Whether a deflated strip or tile is damaged. libtiff says so, and Pillow hands back zeros from somewhere on."""
    if image.tag_v2.get(259) not in (8, 32946):
        return False
    tags = (324, 325) if 324 in image.tag_v2 else (273, 279)
    starts, lengths = (image.tag_v2.get(tag, ()) for tag in tags)
    with open(path, "rb") as stream:
        data = stream.read()
    try:
        for start, length in zip(starts, lengths):
            zlib.decompress(data[start : start + length])
    except zlib.error:
        return True
    return False


def repeats_a_tag(path):
    """Whether the first directory of a TIFF file names a tag twice."""
    with open(path, "rb") as stream:
        data = stream.read()
    order = "<" if data[:2] == b"II" else ">"
    (start,) = struct.unpack_from(f"{order}I", data, 4)
    (count,) = struct.unpack_from(f"{order}H", data, start)
    tags = [struct.unpack_from(f"{order}H", data, start + 2 + 12 * entry)[0] for entry in range(count)]
    return len(set(tags)) < count


def stored_bits(values, ds):
    """The stored bits of each cell as a number. pydicom leaves other bits where they are."""
    allocated, stored = int(ds.BitsAllocated), int(ds.BitsStored)
    shift = int(ds.HighBit) + 1 - stored
    if ds.get("PixelRepresentation", 0) == 1:
        left = allocated - stored - shift
        signed = values.astype(f"int{allocated}")
        return ((signed << left) >> (left + shift)).astype(np.int64)
    return (values.astype(np.int64) >> shift) & (2**stored - 1)


def encapsulated_frames(ds, frames):
    """The frames, decoded one by one: pydicom tells whose a fragment is, and no decoder need guess."""
    stream = DicomBytesIO(ds.PixelData)
    stream.is_little_endian = True
    _, table = get_frame_offsets(stream)
    starts = itertools.accumulate((8 + len(piece) for piece in generate_pixel_data_fragment(stream)), initial=0)
    if list(table) != sorted(set(table)) or not set(table) <= set(starts):
        raise NotRead("the offset table points nowhere")
    found = list(generate_pixel_data_frame(ds.PixelData, frames))
    if len(found) != frames:
        raise NotRead(f"{len(found)} frames are there, not {frames}")
    if str(ds.file_meta.TransferSyntaxUID) != RLE and not all(frame.startswith(STARTS) for frame in found):
        raise NotRead("a fragment that begins no frame is taken for one")
    ds.NumberOfFrames = 1
    decoded = []
    for frame in found[:MOST_IMAGES]:
        ds.PixelData = encapsulate([frame])
        with stderr_text() as told:
            try:
                # Pillow's reader minds the sign that a JPEG 2000 image itself declares, but cannot read them all.
                ds.convert_pixel_data("pillow" if ds.file_meta.TransferSyntaxUID in JPEG2000TransferSyntaxes else "")
            except Exception:
                ds.convert_pixel_data()
            # gdcm then hands back memory as it found it.
            if "Could not decode" in told():
                raise NotRead("gdcm could not decode a frame, and only says so")
        decoded.append(ds.pixel_array)
    return decoded


@contextlib.contextmanager
def stderr_text():
    """Keeps what libraries in C++ write to stderr. Gives a function that reads it."""
    with tempfile.TemporaryFile() as kept:
        before = os.dup(2)
        os.dup2(kept.fileno(), 2)

        def read():
            kept.seek(0)
            return kept.read().decode(errors="replace")

        try:
            yield read
        finally:
            os.dup2(before, 2)
            os.close(before)


def read_dicom(path, **_):
    ds = pydicom.dcmread(path, force=True)
    if ("RescaleSlope" in ds) != ("RescaleIntercept" in ds):
        raise NotRead("half of a rescaling")
    if "TransferSyntaxUID" not in ds.get("file_meta", {}):
        if ds["PixelData"].is_undefined_length:
            raise NotRead("fragments without a transfer syntax")
        ds.file_meta = pydicom.dataset.FileMetaDataset()
        ds.file_meta.TransferSyntaxUID = "1.2.840.10008.1.2.1" if not ds.is_implicit_VR else "1.2.840.10008.1.2"
    syntax = str(ds.file_meta.TransferSyntaxUID)
    if ds["PixelData"].is_undefined_length != ds.file_meta.TransferSyntaxUID.is_encapsulated:
        raise NotRead("fragments and transfer syntax contradict each other")
    told = int(ds.get("NumberOfFrames") or 0)
    frames = told or 1
    size = ds.Rows * ds.Columns
    if ds.PhotometricInterpretation == "YBR_FULL_422" and not told and len(ds.PixelData) > 3 * size + 1:
        raise NotRead("neither frames nor colours are told")
    native = not ds.file_meta.TransferSyntaxUID.is_encapsulated
    if ds.PhotometricInterpretation == "YBR_FULL_422" and native and len(ds.PixelData) >= 3 * size * frames:
        # pydicom takes whatever lies behind for padding: further frames of half the colours too.
        if len(ds.PixelData) > 3 * size * frames + 1:
            raise NotRead("neither frames nor colours are told")
        # pydicom says in a warning that the label should be changed.
        ds.PhotometricInterpretation = "YBR_FULL"
    pixels = encapsulated_frames(ds, frames) if ds.file_meta.TransferSyntaxUID.is_encapsulated else ds.pixel_array
    if frames == 1:
        pixels = [pixels] if isinstance(pixels, np.ndarray) else pixels
    label = str(ds.PhotometricInterpretation)
    tolerance = 2 if syntax in LOSSY else 0
    images = []
    for values in pixels[:MOST_IMAGES]:
        if label == "PALETTE COLOR":
            # pydicom reads tables in one byte order, and indices above 255 wrap around in a table of 8 bits.
            wide = ds.RedPaletteColorLookupTableDescriptor[2] > 8
            if not ds.is_little_endian or not wide and ds.BitsStored > 8:
                raise NotRead("the palette")
            values = apply_color_lut(stored_bits(values, ds), ds)
        elif ds.SamplesPerPixel == 1:
            values = stored_bits(values, ds) if syntax not in LOSSY else values
            values = apply_modality_lut(values, ds).astype(np.float32)
        elif label.startswith("YBR_FULL"):
            # The decoder of compressed images leaves them in YCbCr too.
            values = convert_color_space(values, "YBR_FULL", "RGB")
            tolerance = max(tolerance, 1) if syntax not in LOSSY else 4
        images.append(image_of(np.asarray(values)))
    # Without a number of frames pydicom takes one, whatever is there.
    return {"images": images, "tolerance": tolerance, **({"count": told} if told else {})}


def read_nifti(path, axis, **_):
    image = nibabel.load(path)
    header = image.header
    if np.prod(image.shape[3:], dtype=int) != 1:
        raise NotRead("several volumes")
    if image.dataobj.offset < header.single_vox_offset:
        raise NotRead("the voxels begin in the header")
    kind = header.get_data_dtype().kind
    if kind not in "iuf" or header.get_data_dtype().itemsize > 8:
        raise NotRead(f"datatype {header.get_data_dtype()}")
    shape = (tuple(image.shape) + (1, 1))[:3]
    scaled = header.get_slope_inter() not in ((1.0, 0.0), (None, None))
    values = image.get_fdata(dtype=np.float64).reshape(shape, order="F")
    if kind == "f" or scaled:
        values = finite(values.astype(np.float32))
    # nibabel takes codes that the standard does not know as 0, nifti1_io takes them as they are.
    with open_header(path) as stream:
        raw = type(header).from_fileobj(stream, check=False)
    if not {int(raw["sform_code"]), int(raw["qform_code"])} <= {0, 1, 2, 3, 4, 5}:
        raise NotRead("unknown codes")
    # nibabel takes a sign of the third axis that is not exactly -1 for 1, nifti1_io takes its sign.
    if raw["pixdim"][0] < 0 and raw["pixdim"][0] != -1:
        raise NotRead("a sign other than -1")
    oriented = header["sform_code"] > 0 or header["qform_code"] > 0
    affine = image.affine if oriented else np.eye(4)
    # nibabel chooses axes of its own for a map that is singular or not finite.
    if not np.isfinite(affine).all() or np.linalg.matrix_rank(affine[:3, :3]) < 3:
        raise NotRead("no orientation")
    orientation = io_orientation(affine)
    turned = apply_orientation(values, orientation)
    across, sign = (int(value) for value in orientation[axis])
    images = []
    for index in range(min(shape[axis], MOST_IMAGES)):
        place = index if sign > 0 else shape[axis] - 1 - index
        # Rows run to the back or the feet, columns to the left or the back.
        images.append(image_of(np.take(turned, place, axis=across).T[::-1, ::-1].astype(np.float32)))
    return {"count": shape[axis], "images": images}


def open_header(path):
    return gzip.open(path) if path.endswith(".gz") else open(path, "rb")


def finite(values):
    """NaN is the least finite value, infinities are the nearest finite ones."""
    found = values[np.isfinite(values)]
    if found.size == 0:
        raise NotRead("nothing is finite")
    return np.nan_to_num(values, nan=found.min(), posinf=found.max(), neginf=found.min())


READERS = {"image": read_image, "dicom": read_dicom, "nifti": read_nifti}

for line in sys.stdin:
    question = json.loads(line)
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            answer = READERS[question["reader"]](**question)
    except NotRead as reason:
        answer = {"unable": str(reason)}
    except Exception as error:  # whatever a reader throws means that it does not read the file
        answer = {"error": f"{type(error).__name__}: {error}"[:300]}
    print(json.dumps(answer), flush=True)
