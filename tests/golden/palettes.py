"""Palettes in segments (PS3.3 C.7.9.2) and what pydicom expands them to, for tests/data/formats/dicom/palette.test.ts.

Needs python3-pydicom. Run: /usr/bin/python3 tests/golden/palettes.py
"""

import json
import pathlib

import numpy as np
from pydicom.pixel_data_handlers.util import _expand_segmented_lut

draw = np.random.default_rng(19)
tables = []
for bits in (8, 16):
    top = 2**bits - 1
    for copies in (0, 0, 2):
        stored = [0, 3, *draw.integers(0, top, 3, endpoint=True).tolist()]
        for _ in range(4):
            length = int(draw.integers(1, 40))
            stored += [1, length, int(draw.integers(0, top, endpoint=True))]
            count = int(draw.integers(1, 6))
            stored += [0, count, *draw.integers(0, top, count, endpoint=True).tolist()]
        for _ in range(copies):
            # Two segments from the first line on, which stands at the fifth number. pydicom counts numbers, not bytes.
            place = [5, 0, 0, 0] if bits == 8 else [5, 0]
            stored += [2, 2, *place]
        expanded = _expand_segmented_lut(tuple(stored), "<B" if bits == 8 else "<H")
        tables.append({"bits": bits, "stored": stored, "expanded": [int(value) for value in expanded]})
pathlib.Path(__file__).with_suffix(".json").write_text(json.dumps(tables) + "\n")
