"""Golden values for tests/data/preprocess.test.ts: numpy.percentile. Run: /usr/bin/python3 tests/golden/percentiles.py"""

import json
import pathlib

import numpy as np

ASKED = [0, 0.5, 1, 25, 33.3, 50, 90, 99, 99.9, 100]
cases = []
for kind, count, top in (("uint8", 7, 256), ("uint16", 101, 60000), ("int16", 64, 3000), ("float32", 50, 1000)):
    # The same formula as in the test.
    values = [(i * i * 31 + i * 17) % top - (1000 if kind in ("int16", "float32") else 0) for i in range(count)]
    values = np.array(values, dtype=kind) / (8 if kind == "float32" else 1)
    found = np.percentile(values.astype(np.float64), ASKED)
    cases.append({"type": kind, "count": count, "top": top, "percentiles": found.tolist()})
path = pathlib.Path(__file__).with_suffix(".json")
path.write_text(json.dumps({"asked": ASKED, "cases": cases}, indent=1) + "\n")
