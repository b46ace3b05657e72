"""Golden values for tests/data/resize.test.ts: float64 F.interpolate. Run: /usr/bin/python3 tests/golden/resize.py"""

import json
import pathlib

import torch
import torch.nn.functional as F

# (source height, source width, channels, target height, target width)
SHAPES = [
    (7, 5, 1, 14, 10),
    (7, 5, 3, 11, 9),
    (13, 17, 1, 6, 5),
    (13, 17, 3, 4, 7),
    (9, 4, 1, 5, 11),
    (4, 9, 1, 11, 3),
    (16, 16, 1, 8, 8),
    (1, 6, 1, 3, 2),
    (23, 3, 1, 1, 1),
]

cases = []
for h, w, c, th, tw in SHAPES:
    # The same formula as in the test: a source in [0, 255] without structure.
    index = torch.arange(h * w * c, dtype=torch.float64).reshape(h, w, c)
    image = torch.remainder(index * index * 31 + index * 17, 256).permute(2, 0, 1)[None]
    for antialias in (False, True):
        out = F.interpolate(image, (th, tw), mode="bilinear", align_corners=False, antialias=antialias)
        values = [round(v, 9) for v in out[0].permute(1, 2, 0).reshape(-1).tolist()]
        cases.append({"source": [h, w, c], "target": [th, tw], "antialias": antialias, "values": values})

path = pathlib.Path(__file__).with_suffix(".json")
path.write_text(json.dumps({"torch": torch.__version__, "cases": cases}) + "\n")
print(f"{path}: {len(cases)} cases, {path.stat().st_size} bytes")
