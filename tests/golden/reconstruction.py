"""Golden values of the reconstruction of the other modality, in float64: decoders for three modalities of which samples lack
some, with the gradients at the maps and at every parameter, and batch norm's running statistics after one pass.
Run: /usr/bin/python3 tests/golden/reconstruction.py"""
import json
import os

import torch
import torch.nn.functional as F

from formula import values

GAPS = [[0, 1, 2, 3, 4, 5], [0, 2, 3, 5], [1, 3, 4, 5]]
INPUT, HIDDEN, SIDE = 5, 4, 2
ORDERED = [(a, b) for a in range(3) for b in range(3) if a != b]


def rounded(x):
    # 14 digits: a hundredth of the tolerance the tests hold.
    return [float(f"{v:.14g}") for v in x.flatten().tolist()]


def decoder(batch_norm):
    up = lambda: torch.nn.Upsample(scale_factor=2, mode="nearest")
    norm = lambda: [torch.nn.BatchNorm2d(HIDDEN)] if batch_norm else []
    conv = lambda channels: torch.nn.Conv2d(channels, HIDDEN, 3, padding=1)
    stage = lambda channels: [up(), conv(channels), *norm(), torch.nn.ReLU()]
    return torch.nn.Sequential(*stage(INPUT), *stage(HIDDEN), torch.nn.Conv2d(HIDDEN, 3, 1)).double()


def run(batch_norm, channels):
    maps = [values([len(own), INPUT, SIDE, SIDE], 10 + m, 0.0, 1.0).requires_grad_() for m, own in enumerate(GAPS)]
    images = [values([len(own), channels, 16 * SIDE, 16 * SIDE], 20 + m, 0.0, 1.0) for m, own in enumerate(GAPS)]
    targets = [F.interpolate(x, scale_factor=0.25, mode="area") for x in images]
    decoders = {pair: decoder(batch_norm) for pair in ORDERED}
    parameters = [p for pair in ORDERED for p in decoders[pair].parameters()]
    for seed, parameter in enumerate(parameters):
        parameter.data = values(parameter.shape, 100 + seed, -0.4, 0.6)
    errors, unlearned = [], []
    for a in range(3):
        for b in range(a + 1, 3):
            both = [sample for sample in GAPS[a] if sample in GAPS[b]]
            rows = lambda x, m: torch.stack([x[m][GAPS[m].index(sample)] for sample in both])
            there, back = decoders[a, b](rows(maps, a)), decoders[b, a](rows(maps, b))
            for i in range(len(both)):
                one = (there[i] - rows(targets, b)[i]).pow(2).mean()
                errors.append((one + (back[i] - rows(targets, a)[i]).pow(2).mean()) / 2)
            # The variance over the images at each pixel, with n - 1.
            unlearned += [(rows(targets, a).var(0).mean() + rows(targets, b).var(0).mean()) / 2] * len(both)
    loss = sum(errors) / len(errors)
    loss.backward()
    buffers = [x.double() for pair in ORDERED for x in decoders[pair].buffers()]
    return {
        "batchNorm": batch_norm,
        "channels": channels,
        "loss": loss.item(),
        "chance": (sum(unlearned) / len(unlearned)).item(),
        "maps": [rounded(x.grad) for x in maps],
        "parameters": [rounded(x.grad) for x in parameters],
        "buffers": [rounded(x) for x in buffers],
    }


path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "reconstruction.json")
with open(path, "w") as file:
    json.dump([run(True, 3), run(True, 1), run(False, 3)], file, separators=(",", ":"))
    file.write("\n")
