"""DICOM files for tests/data/formats/dicom.test.ts, in every encoding that is read, and their pixels.

Needs python3-pydicom, python3-pil and dcmtk. Run: /usr/bin/python3 tests/golden/dicom.py
The pixels come from a formula. Lossless files are expected to give them back; what is lossy is decoded by dcmtk or Pillow.
"""

import io
import json
import pathlib
import shutil
import subprocess
import tempfile

import numpy as np
import pydicom
from PIL import Image
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.pixel_data_handlers.util import apply_modality_lut, apply_voi_lut, convert_color_space
from pydicom.sequence import Sequence
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
)

OUT = pathlib.Path(__file__).parent / "dicom"
shutil.rmtree(OUT, ignore_errors=True)
OUT.mkdir()
WORK = pathlib.Path(tempfile.mkdtemp())
# Odd, so that rows and frames are padded.
ROWS, COLUMNS = 13, 18
cases = {}
# Each image once, however many files hold it.
arrays = []


def scene(top, seed=0):
    """Whole numbers 0 ... top: a slope, a wave, an edge and a little noise, with both extremes in it."""
    y, x = np.mgrid[0:ROWS, 0:COLUMNS]
    noise = ((x * 7919 + y * 104729 + seed * 31) % 17) / 17
    image = 0.5 + 0.25 * np.sin(x / 3 + seed) + 0.15 * np.cos(y / 2) + 0.05 * noise
    image[y > x] -= 0.3
    image = (image - image.min()) / (image.max() - image.min())
    return np.rint(image * top).astype(np.int64)


G8, G12, G16 = scene(255), scene(4095), scene(65535)
S12, S16 = scene(4095) - 1024 - 1024, scene(65535) - 32768
RGB = np.stack([scene(255, 1), scene(255, 2), scene(255, 3)], axis=-1)


def dataset(pixels, allocated, stored, signed=False, photometric=None, high=None):
    """A secondary capture with the pixels, which are [rows, columns] or [rows, columns, 3], or frames of those."""
    pixels = np.asarray(pixels)
    samples = 3 if pixels.shape[-1] == 3 and pixels.ndim > 2 else 1
    ds = Dataset()
    ds.SOPClassUID = "1.2.840.10008.5.1.4.1.1.7"
    ds.SOPInstanceUID = "2.25.1"
    ds.Modality = "OT"
    ds.PatientName = "Made^Up"
    ds.PatientID = "made-up-1"
    ds.StudyInstanceUID = "2.25.2"
    ds.SeriesInstanceUID = "2.25.3"
    ds.SamplesPerPixel = samples
    ds.PhotometricInterpretation = photometric or ("RGB" if samples == 3 else "MONOCHROME2")
    if samples == 3:
        ds.PlanarConfiguration = 0
    frames = pixels.shape[0] if pixels.ndim - (samples == 3) == 3 else 1
    if frames > 1:
        ds.NumberOfFrames = frames
    ds.Rows, ds.Columns = ROWS, COLUMNS
    ds.BitsAllocated, ds.BitsStored = allocated, stored
    ds.HighBit = stored - 1 if high is None else high
    ds.PixelRepresentation = int(signed)
    kind = f"{'i' if signed else 'u'}{allocated // 8}"
    data = pixels.astype("<" + kind).tobytes()
    ds.PixelData = data + b"\0" * (len(data) % 2)
    ds["PixelData"].VR = "OW" if allocated > 8 else "OB"
    return ds


def save(name, ds, syntax=ExplicitVRLittleEndian, preamble=True):
    ds.is_little_endian = syntax != ExplicitVRBigEndian
    ds.is_implicit_VR = syntax == ImplicitVRLittleEndian
    path = OUT / f"{name}.dcm"
    if preamble:
        ds.file_meta = FileMetaDataset()
        ds.file_meta.TransferSyntaxUID = syntax
        ds.file_meta.MediaStorageSOPClassUID = ds.SOPClassUID
        ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID
        ds.file_meta.ImplementationClassUID = "2.25.4"
        ds.preamble = b"\0" * 128
        ds.save_as(path, write_like_original=True)
    else:
        ds.save_as(path, write_like_original=True)
    return path


def expect(name, pixels, **more):
    pixels = np.asarray(pixels)
    cases[name] = {
        "channels": 3 if pixels.ndim == 3 else 1,
        "values": stored(pixels.reshape(-1).tolist()),
        **more,
    }


def stored(values):
    if values not in arrays:
        arrays.append(values)
    return arrays.index(values)


def run(*command):
    subprocess.run([str(part) for part in command], check=True, capture_output=True)


def plain(name, ds):
    """An uncompressed file for dcmtk to convert, not kept."""
    path = save(name, ds)
    return pathlib.Path(shutil.move(path, WORK / path.name))


def decompressed(name, tool):
    run(tool, OUT / f"{name}.dcm", WORK / "decoded.dcm")
    return pydicom.dcmread(WORK / "decoded.dcm").pixel_array


sources = {
    "gray8": (dataset(G8, 8, 8), G8),
    "gray12": (dataset(G12, 16, 12), G12),
    "gray16": (dataset(G16, 16, 16), G16),
    "signed12": (dataset(S12, 16, 12, signed=True), S12),
    "signed16": (dataset(S16, 16, 16, signed=True), S16),
    "rgb": (dataset(RGB, 8, 8), RGB),
}

# Uncompressed, in all byte orders.
for source, (ds, pixels) in sources.items():
    save(f"explicit-{source}", ds)
    expect(f"explicit-{source}", pixels)
for source in ("gray8", "signed12", "rgb"):
    ds, pixels = sources[source]
    save(f"implicit-{source}", ds, ImplicitVRLittleEndian)
    run("dcmconv", "+td", plain("source", ds), OUT / f"deflated-{source}.dcm")
    run("dcmconv", "+tb", plain("source", ds), OUT / f"big-endian-{source}.dcm")
    for syntax in ("implicit", "deflated", "big-endian"):
        expect(f"{syntax}-{source}", pixels)
big = dataset(G8, 8, 8)
swapped = np.frombuffer(big.PixelData, "<u2").astype(">u2").tobytes()
big.PixelData = swapped
big["PixelData"].VR = "OW"
save("big-endian-gray8-in-words", big, ExplicitVRBigEndian)
expect("big-endian-gray8-in-words", G8)
for syntax, name in ((ExplicitVRLittleEndian, "explicit"), (ImplicitVRLittleEndian, "implicit")):
    save(f"bare-{name}", dataset(G12, 16, 12), syntax, preamble=False)
    expect(f"bare-{name}", G12)

# Lossless compression.
for source, (ds, pixels) in sources.items():
    path = plain("source", ds)
    run("dcmcrle", path, OUT / f"rle-{source}.dcm")
    run("dcmcjpeg", "+un", "+e1", path, OUT / f"jpeg-lossless-{source}.dcm")
    run("dcmcjpls", "+un", path, OUT / f"jpeg-ls-{source}.dcm")
    for kind in ("rle", "jpeg-lossless", "jpeg-ls"):
        expect(f"{kind}-{source}", pixels)
for selection in range(1, 8):
    run("dcmcjpeg", "+un", "+el", "+sv", selection, plain("source", sources["gray12"][0]),
        OUT / f"jpeg-lossless-predictor{selection}.dcm")
    expect(f"jpeg-lossless-predictor{selection}", G12)
    run("dcmcjpeg", "+un", "+el", "+sv", selection, plain("source", sources["rgb"][0]),
        OUT / f"jpeg-lossless-rgb-predictor{selection}.dcm")
    expect(f"jpeg-lossless-rgb-predictor{selection}", RGB)
run("dcmcjpeg", "+un", "+e1", "+pt", 3, plain("source", sources["gray12"][0]), OUT / "jpeg-lossless-point.dcm")
expect("jpeg-lossless-point", decompressed("jpeg-lossless-point", "dcmdjpeg"))
for way, name in (("+in", "planes"), ("+il", "lines"), ("+is", "samples")):
    run("dcmcjpls", "+un", way, plain("source", sources["rgb"][0]), OUT / f"jpeg-ls-rgb-{name}.dcm")
    expect(f"jpeg-ls-rgb-{name}", RGB)


def segment(marker, body):
    return bytes([0xFF, marker]) + (len(body) + 2).to_bytes(2, "big") + bytes(body)


def lossless_jpeg(planes, precision, selection, restart_rows=0, separate=False):
    """What dcmtk does not write: restart intervals, and one scan a component. dcmdjpeg confirms it below."""
    rows, columns = planes[0].shape
    out = b"\xff\xd8"
    # Each of the 17 categories has a code of 5 bits.
    out += segment(0xC4, bytes([0]) + bytes([0, 0, 0, 0, 17] + [0] * 11) + bytes(range(17)))
    shape = rows.to_bytes(2, "big") + columns.to_bytes(2, "big")
    listed = b"".join(bytes([i + 1, 0x11, 0]) for i in range(len(planes)))
    out += segment(0xC3, bytes([precision]) + shape + bytes([len(planes)]) + listed)
    if restart_rows:
        out += segment(0xDD, (restart_rows * columns).to_bytes(2, "big"))
    for scan in [[i] for i in range(len(planes))] if separate else [list(range(len(planes)))]:
        header = bytes([len(scan)]) + b"".join(bytes([i + 1, 0]) for i in scan) + bytes([selection, 0, 0])
        out += segment(0xDA, header)
        bits, restarts = "", 0
        for y in range(rows):
            fresh = y == 0 or (restart_rows and y % restart_rows == 0)
            if fresh and y > 0:
                out += stuffed(bits) + bytes([0xFF, 0xD0 + restarts % 8])
                bits, restarts = "", restarts + 1
            for x in range(columns):
                for i in scan:
                    p = planes[i].astype(int)
                    if x == 0 and fresh:
                        guess = 1 << (precision - 1)
                    elif x == 0:
                        guess = p[y - 1, x]
                    elif fresh or selection == 1:
                        guess = p[y, x - 1]
                    else:
                        a, b, c = p[y, x - 1], p[y - 1, x], p[y - 1, x - 1]
                        guess = [b, c, a + b - c, a + ((b - c) >> 1), b + ((a - c) >> 1), (a + b) >> 1][selection - 2]
                    difference = (int(p[y, x] - guess) + 32767) % 65536 - 32767
                    category = abs(difference).bit_length()
                    bits += format(category, "05b")
                    if 0 < category < 16:
                        value = difference if difference > 0 else difference + (1 << category) - 1
                        bits += format(value, f"0{category}b")
        out += stuffed(bits)
    return out + b"\xff\xd9"


def stuffed(bits):
    bits += "1" * (-len(bits) % 8)
    return bytes(int(bits[i : i + 8], 2) for i in range(0, len(bits), 8)).replace(b"\xff", b"\xff\0")


def encapsulated(name, ds, frames, syntax, confirmed_by=None, **options):
    ds.PixelData = encapsulate(frames, **options)
    ds["PixelData"].VR = "OB"
    ds["PixelData"].is_undefined_length = True
    ds.is_little_endian, ds.is_implicit_VR = True, False
    save(name, ds, pydicom.uid.UID(syntax))
    if confirmed_by is not None:
        pixels, tool = confirmed_by
        assert np.array_equal(decompressed(name, tool), pixels), name


LOSSLESS = "1.2.840.10008.1.2.4.57"
encapsulated("jpeg-lossless-restarts", dataset(G16, 16, 16), [lossless_jpeg([G16], 16, 4, 3)], LOSSLESS,
             (G16, "dcmdjpeg"))
expect("jpeg-lossless-restarts", G16)
planes = [RGB[..., c] for c in range(3)]
encapsulated("jpeg-lossless-rgb-restarts", dataset(RGB, 8, 8), [lossless_jpeg(planes, 8, 6, 2)], LOSSLESS,
             (RGB, "dcmdjpeg"))
expect("jpeg-lossless-rgb-restarts", RGB)
encapsulated("jpeg-lossless-scans", dataset(RGB, 8, 8), [lossless_jpeg(planes, 8, 5, separate=True)], LOSSLESS,
             (RGB, "dcmdjpeg"))
expect("jpeg-lossless-scans", RGB)


def jpeg2000(pixels, **options):
    stream = io.BytesIO()
    kind = np.uint16 if pixels.max() > 255 else np.uint8
    image = Image.fromarray(pixels.astype(kind))
    image.save(stream, "JPEG2000", no_jp2=True, **options)
    stream.seek(0)
    return stream.read(), np.asarray(Image.open(stream)).astype(np.int64)


for source in ("gray8", "gray12", "gray16"):
    ds, pixels = sources[source]
    encapsulated(f"jpeg2000-{source}", ds.copy(), [jpeg2000(pixels)[0]], "1.2.840.10008.1.2.4.90")
    expect(f"jpeg2000-{source}", pixels)
for mct, photometric in ((1, "YBR_RCT"), (0, "RGB")):
    stream, _ = jpeg2000(RGB, mct=mct)
    encapsulated(f"jpeg2000-rgb-{photometric.lower()}", dataset(RGB, 8, 8, photometric=photometric), [stream],
                 "1.2.840.10008.1.2.4.90")
    expect(f"jpeg2000-rgb-{photometric.lower()}", RGB)
# Signed values as unsigned ones: the two's complement of 12 bits.
stream, _ = jpeg2000(S12 & 4095)
encapsulated("jpeg2000-signed12", dataset(S12, 16, 12, signed=True), [stream], "1.2.840.10008.1.2.4.90")
expect("jpeg2000-signed12", S12)

# Lossy compression: what other decoders make of it. Inverse transforms are only specified to within a unit or two.
run("dcmcjpeg", "+un", "+eb", "+q", 90, plain("source", sources["gray8"][0]), OUT / "jpeg-gray8.dcm")
expect("jpeg-gray8", decompressed("jpeg-gray8", "dcmdjpeg"), tolerance=1)
run("dcmcjpeg", "+un", "+ee", "+q", 90, "+be", plain("source", sources["gray8"][0]), OUT / "jpeg-extended-gray8.dcm")
expect("jpeg-extended-gray8", decompressed("jpeg-extended-gray8", "dcmdjpeg"), tolerance=1)
for option, name in (("+cr", "rgb"), ("+s4", "ybr-full"), ("+s2", "ybr-full-422")):
    run("dcmcjpeg", "+un", "+eb", "+q", 95, option, plain("source", sources["rgb"][0]), OUT / f"jpeg-{name}.dcm")
    frame = next(pydicom.encaps.generate_pixel_data_frame(pydicom.dcmread(OUT / f"jpeg-{name}.dcm").PixelData))
    image = Image.open(io.BytesIO(frame))
    decoded = np.asarray(image.convert("RGB")) if name != "rgb" else decompressed("jpeg-rgb", "dcmdjpeg")
    expect(f"jpeg-{name}", decoded, tolerance=2)
# RGB without a word of it in the image: only the DICOM header says that it is not YCbCr.
frame = next(pydicom.encaps.generate_pixel_data_frame(pydicom.dcmread(OUT / "jpeg-rgb.dcm").PixelData))
adobe, start, scan = frame.index(b"\xff\xee"), frame.index(b"\xff\xc0"), frame.index(b"\xff\xda")
silent = bytearray(frame)
for c in range(3):
    silent[start + 10 + 3 * c] = silent[scan + 5 + 2 * c] = c + 1
del silent[adobe : adobe + 2 + int.from_bytes(frame[adobe + 2 : adobe + 4], "big")]
encapsulated("jpeg-rgb-unnamed", dataset(RGB, 8, 8), [bytes(silent)], "1.2.840.10008.1.2.4.50")
expect("jpeg-rgb-unnamed", decompressed("jpeg-rgb", "dcmdjpeg"), tolerance=2)
run("dcmcjpeg", "+un", "+ee", "+bt", plain("source", sources["gray12"][0]), OUT / "refused-jpeg12.dcm")
for source, deviation in (("gray8", 2), ("gray12", 5), ("rgb", 3)):
    run("dcmcjpls", "+un", "+en", "+md", deviation, plain("source", sources[source][0]),
        OUT / f"jpeg-ls-near-{source}.dcm")
    expect(f"jpeg-ls-near-{source}", decompressed(f"jpeg-ls-near-{source}", "dcmdjpls"))
stream, decoded = jpeg2000(G8, irreversible=True, quality_mode="rates", quality_layers=[4])
encapsulated("jpeg2000-lossy-gray8", dataset(G8, 8, 8), [stream], "1.2.840.10008.1.2.4.91")
expect("jpeg2000-lossy-gray8", decoded, tolerance=1)
stream, decoded = jpeg2000(RGB, irreversible=True, mct=1, quality_mode="rates", quality_layers=[4])
encapsulated("jpeg2000-lossy-rgb", dataset(RGB, 8, 8, photometric="YBR_ICT"), [stream], "1.2.840.10008.1.2.4.91")
expect("jpeg2000-lossy-rgb", decoded, tolerance=1)

# Colours and where the bits stand.
planar = dataset(RGB, 8, 8)
planar.PlanarConfiguration = 1
planar.PixelData = RGB.transpose(2, 0, 1).astype("u1").tobytes()
save("planar-rgb", planar)
expect("planar-rgb", RGB)
YBR = np.rint(np.clip(convert_color_space(RGB.astype("u1"), "RGB", "YBR_FULL"), 0, 255)).astype(np.int64)
for_ybr = convert_color_space(YBR.astype("u1"), "YBR_FULL", "RGB")
save("ybr-full", dataset(YBR, 8, 8, photometric="YBR_FULL"))
expect("ybr-full", for_ybr, tolerance=1)
run("dcmcrle", plain("source", dataset(YBR, 8, 8, photometric="YBR_FULL")), OUT / "rle-ybr-full.dcm")
expect("rle-ybr-full", for_ybr, tolerance=1)
shared = dataset(YBR, 8, 8, photometric="YBR_FULL_422")
pairs = YBR.reshape(-1, 2, 3)
packed = np.stack([pairs[:, 0, 0], pairs[:, 1, 0], pairs[:, 0, 1], pairs[:, 0, 2]], axis=-1)
shared.PixelData = packed.astype("u1").tobytes()
save("ybr-full-422", shared)
spread = np.stack([pairs[:, :, 0], np.repeat(pairs[:, :1, 1], 2, 1), np.repeat(pairs[:, :1, 2], 2, 1)], axis=-1)
spread = spread.reshape(ROWS, COLUMNS, 3).astype("u1")
expect("ybr-full-422", convert_color_space(spread, "YBR_FULL", "RGB"), tolerance=1)
for bits in (8, 16):
    entries = np.stack([(np.arange(200) * k) % (2**bits) for k in (1, 3, 7)]) * (1 if bits == 8 else 131) % (2**bits)
    palette = dataset(G8, 8, 8, photometric="PALETTE COLOR")
    for c, colour in enumerate(("Red", "Green", "Blue")):
        setattr(palette, f"{colour}PaletteColorLookupTableDescriptor", [200, 10, bits])
        setattr(palette, f"{colour}PaletteColorLookupTableData", entries[c].astype(f"<u{bits // 8}").tobytes())
    save(f"palette{bits}", palette)
    expect(f"palette{bits}", entries.T[np.clip(G8 - 10, 0, 199)], white=2**bits - 1)
save("monochrome1", dataset(G8, 8, 8, photometric="MONOCHROME1"))
expect("monochrome1", G8, inverted=True)
save("high-bit", dataset(G12 << 4 | 5, 16, 12, high=15))
expect("high-bit", G12)
save("high-bit-signed", dataset((S12 & 4095) << 2 | 0xC001, 16, 12, signed=False, high=13))
signed = pydicom.dcmread(OUT / "high-bit-signed.dcm")
signed.PixelRepresentation = 1
signed.save_as(OUT / "high-bit-signed.dcm", write_like_original=True)
expect("high-bit-signed", S12)
save("six-bits", dataset(scene(63) | 0xC0, 8, 6))
expect("six-bits", scene(63), white=63)

# Values and windows.
hounsfield = dataset(G12, 16, 12)
hounsfield.RescaleSlope, hounsfield.RescaleIntercept = "0.5", "-1024"
hounsfield.WindowCenter, hounsfield.WindowWidth = ["40", "-600"], ["400", "1500"]
save("rescaled", hounsfield)


def viewed(ds, index=0):
    """The first (preferred) view of the file, 0 ... 1."""
    values = apply_modality_lut(ds.pixel_array, ds)
    out = apply_voi_lut(values, ds, index)
    if "VOILUTSequence" in ds:
        return out / (2 ** int(ds.VOILUTSequence[0].LUTDescriptor[2]) - 1)
    low, high = 0, 2**ds.BitsStored - 1
    if "RescaleSlope" in ds:
        low, high = (v * float(ds.RescaleSlope) + float(ds.RescaleIntercept) for v in (low, high))
    return (out - low) / (high - low)


def expect_view(name, **more):
    ds = pydicom.dcmread(OUT / f"{name}.dcm")
    expect(name, apply_modality_lut(ds.pixel_array, ds), view=stored(np.round(viewed(ds), 6).reshape(-1).tolist()), **more)


expect_view("rescaled")
for function in ("LINEAR_EXACT", "SIGMOID"):
    ds = dataset(G12, 16, 12)
    ds.WindowCenter, ds.WindowWidth, ds.VOILUTFunction = "2000.5", "1200", function
    save(f"window-{function.lower().replace('_', '-')}", ds)
    expect_view(f"window-{function.lower().replace('_', '-')}")
narrow = dataset(G8, 8, 8)
narrow.WindowCenter, narrow.WindowWidth = "100", "1"
save("window-of-one", narrow)
expect_view("window-of-one")


def table(first, entries, bits, signed=False):
    item = Dataset()
    item.add_new(0x00283002, "SS" if signed else "US", [len(entries), first, bits])
    item.add_new(0x00283006, "US", [int(entry) for entry in entries])
    return Sequence([item])


voi = dataset(S12, 16, 12, signed=True)
voi.VOILUTSequence = table(-500, np.arange(1000) ** 2 // 1000, 10, signed=True)
voi.WindowCenter, voi.WindowWidth = "0", "100"
save("voi-table", voi)
expect_view("voi-table")
modality = dataset(G12, 16, 12)
modality.ModalityLUTSequence = table(100, 65535 - np.arange(3000) * 20, 16)
modality.ModalityLUTSequence[0].ModalityLUTType = "US"
save("modality-table", modality)
expect("modality-table", apply_modality_lut(G12, modality))

# Several frames.
FRAMES = np.stack([scene(255, seed) for seed in (4, 5, 6)])
RGB_FRAMES = np.stack([np.roll(RGB, shift, axis=0) for shift in (0, 3, 6)])


def expect_frames(name, frames, **more):
    for index, pixels in enumerate(frames):
        expect(f"{name}#{index}", pixels, **more)


save("frames", dataset(FRAMES, 8, 8))
expect_frames("frames", FRAMES)
run("dcmcrle", plain("source", dataset(FRAMES, 8, 8)), OUT / "frames-rle.dcm")
expect_frames("frames-rle", FRAMES)
run("dcmcjpeg", "+un", "+e1", plain("source", dataset(RGB_FRAMES, 8, 8)), OUT / "frames-jpeg-lossless.dcm")
expect_frames("frames-jpeg-lossless", RGB_FRAMES)
streams = [jpeg2000(frame)[0] for frame in FRAMES]
for table_there in (True, False):
    # Cut into three fragments each, of which the offset table tells the first; without it, the end marker tells the last.
    name = f"frames-fragments-{'with' if table_there else 'without'}-table"
    encapsulated(name, dataset(FRAMES, 8, 8), streams, "1.2.840.10008.1.2.4.90", fragments_per_frame=3,
                 has_bot=table_there)
    expect_frames(name, FRAMES)
one = dataset(G16, 16, 16)
encapsulated("fragments", one, [jpeg2000(G16)[0]], "1.2.840.10008.1.2.4.90", fragments_per_frame=4, has_bot=False)
expect("fragments", G16)
enhanced = dataset(np.stack([G12, G12]), 16, 12)
shared_group, slopes = Dataset(), ("2", "4")
voi_item = Dataset()
voi_item.WindowCenter, voi_item.WindowWidth = "1000", "500"
shared_group.FrameVOILUTSequence = Sequence([voi_item])
enhanced.SharedFunctionalGroupsSequence = Sequence([shared_group])
groups = []
for slope in slopes:
    values, group = Dataset(), Dataset()
    values.RescaleSlope, values.RescaleIntercept, values.RescaleType = slope, "-10", "US"
    group.PixelValueTransformationSequence = Sequence([values])
    groups.append(group)
enhanced.PerFrameFunctionalGroupsSequence = Sequence(groups)
save("frames-enhanced", enhanced)
expect_frames("frames-enhanced", [G12 * int(slope) - 10 for slope in slopes])

# An ultrasound screen: a region of colour flow, then one of tissue that is said to end one pixel outside.
screen = dataset(RGB, 8, 8)
screen.Modality = "US"
regions = []
for kind, edges in ((2, (0, 0, 4, 4)), (1, (5, 3, COLUMNS, 11))):
    region = Dataset()
    region.RegionSpatialFormat, region.RegionDataType, region.RegionFlags = 1, kind, 0
    region.RegionLocationMinX0, region.RegionLocationMinY0 = edges[0], edges[1]
    region.RegionLocationMaxX1, region.RegionLocationMaxY1 = edges[2], edges[3]
    region.PhysicalUnitsXDirection = region.PhysicalUnitsYDirection = 3
    region.PhysicalDeltaX = region.PhysicalDeltaY = 0.01
    regions.append(region)
screen.SequenceOfUltrasoundRegions = Sequence(regions)
save("regions", screen)
expect("regions", RGB)

# Refused.
encapsulated("refused-mpeg2", dataset(G8, 8, 8), [b"\0\0\1\xb3"], "1.2.840.10008.1.2.4.100")
wide = dataset(G8, 8, 8)
wide.BitsAllocated = wide.BitsStored = 32
wide.HighBit = 31
save("refused-32bit", wide)

shutil.rmtree(WORK)
expected = {"width": COLUMNS, "height": ROWS, "arrays": arrays, "cases": cases}
text = json.dumps(expected, separators=(",", ":"))
(OUT / "expected.json").write_text(text.replace('},"', '},\n"').replace("],[", "],\n[") + "\n")
print(len(cases), "cases,", sum(f.stat().st_size for f in OUT.iterdir()) // 1024, "KiB")
