"""Golden values of the paper's losses and their gradients, in float64 PyTorch, written from the equations (paper.txt) and
from what the authors' snapshot does. Run: /usr/bin/python3 tests/golden/losses.py"""
import json
import math
import os

import torch
import torch.nn.functional as F

from formula import values


# --- Eqs. 3-6, by loops over patches and elements -----------------------------------------------------------------------
def correlation(v, grid, windows, normalize):
    """v: [C, H, W] of one image -> A: [P, P]"""
    _, height, width = v.shape
    rows, columns = grid
    if normalize == "pixel":
        v = F.normalize(v, dim=0)
    patches = []
    for i in range(rows):
        for j in range(columns):
            if windows == "floor":
                h, w = height // rows, width // columns
                top, bottom, left, right = i * h, (i + 1) * h, j * w, (j + 1) * w
            else:
                top, bottom = (i * height) // rows, -((-(i + 1) * height) // rows)
                left, right = (j * width) // columns, -((-(j + 1) * width) // columns)
            window = v[:, top:bottom, left:right]
            if normalize == "patch":
                s = F.normalize(window.sum(dim=(1, 2)), dim=0)
            else:
                s = window.mean(dim=(1, 2))
            patches.append(s)
    s = torch.stack(patches)
    return s @ s.t()


def consistency(maps_a, maps_b, grids, windows, normalize, distance, reduction):
    per_map = []
    for a, b, grid in zip(maps_a, maps_b, grids):
        per_pair = []
        for va, vb in zip(a, b):
            difference = correlation(va, grid, windows, normalize) - correlation(vb, grid, windows, normalize)
            if distance == "mse":
                per_pair.append(difference.pow(2).mean())
            else:
                per_pair.append((difference + 1e-6).pow(2).sum().sqrt())
        per_map.append(torch.stack(per_pair).mean())
    total = torch.stack(per_map).sum()
    return total / len(per_map) if reduction == "mean" else total


# --- Eqs. 7-11 ----------------------------------------------------------------------------------------------------------
def info_nce(f, g, tau, positive):
    logits = F.normalize(f, dim=1) @ F.normalize(g, dim=1).t() / tau
    if positive == "twice":
        logits = torch.cat([logits.diagonal().unsqueeze(1), logits], dim=1)
        return F.cross_entropy(logits, torch.zeros(len(f), dtype=torch.long))
    return F.cross_entropy(logits, torch.arange(len(f)))


def global_contrastive(a, b, a_hat, b_hat, tau, positive, cross_modal):
    augmented = info_nce(a, a_hat, tau, positive) + info_nce(b, b_hat, tau, positive)
    if cross_modal == "none":
        return augmented
    back = info_nce(b, a, tau, positive) if cross_modal == "both-directions" else info_nce(a_hat, b_hat, tau, positive)
    return augmented + info_nce(a, b, tau, positive) + back


def case(inputs, loss):
    for x in inputs:
        x.requires_grad_()
    value = loss(*inputs)
    value.backward()
    # 14 digits: a hundredth of the tolerance the tests hold (1e-11).
    return {
        "loss": float(f"{value.item():.14g}"),
        "gradients": [[float(f"{v:.14g}") for v in x.grad.flatten().tolist()] for x in inputs],
    }


def zero_out(x, rows):
    x = x.clone()
    for index in rows:
        x[index] = 0
    return x


def main():
    golden = {"consistency": [], "infoNce": [], "global": [], "anatomy": []}
    variants = [
        dict(windows="floor", normalize="patch", distance="mse", reduction="mean"),
        dict(windows="adaptive", normalize="pixel", distance="frobenius", reduction="sum"),
        dict(windows="adaptive", normalize="patch", distance="mse", reduction="mean"),
        dict(windows="floor", normalize="pixel", distance="mse", reduction="sum"),
        dict(windows="floor", normalize="patch", distance="frobenius", reduction="mean"),
    ]
    layouts = [
        dict(shapes=[[2, 3, 7, 5]], patches=[[2, 2]], zero=[]),
        dict(shapes=[[1, 1, 14, 14]], patches=[[4, 4]], zero=[]),
        dict(shapes=[[2, 2, 7, 9], [2, 3, 5, 6]], patches=[[3, 2], [1, 4]], zero=[]),
        dict(shapes=[[2, 3, 6, 6], [2, 5, 4, 4]], patches=[[3, 3], [4, 4]], zero=[[0, slice(None), 0, 0]]),
        dict(shapes=[[2, 2, 4, 4]], patches=[[2, 2]], zero=[[1]]),
    ]
    for layout in layouts:
        for variant in variants:
            def maps(offset, zero):
                made = [values(shape, 10 * offset + layer, 0.0, 1.0) for layer, shape in enumerate(layout["shapes"])]
                return [zero_out(x, [tuple(z) for z in zero]) for x in made]

            a, b = maps(1, layout["zero"]), maps(2, [])
            n = len(a)
            result = case(a + b, lambda *x: consistency(x[:n], x[n:], layout["patches"], **variant))
            zero = [[z if z != slice(None) else None for z in row] for row in layout["zero"]]
            golden["consistency"].append({**layout, "zero": zero, "options": variant, **result})
    for n, d, tau, zero in [(1, 4, 0.07, []), (5, 3, 0.07, []), (4, 6, 0.5, [2]), (8, 5, 0.1, [0, 7])]:
        for positive in ("once", "twice"):
            f, g = zero_out(values([n, d], 3), zero), values([n, d], 4)
            result = case([f, g], lambda *x: info_nce(*x, tau, positive))
            golden["infoNce"].append({"shape": [n, d], "tau": tau, "positive": positive, "zero": zero, **result})
    for n, d in [(1, 3), (6, 4)]:
        for positive in ("once", "twice"):
            for cross_modal in ("both-directions", "clean-and-augmented", "none"):
                views = [values([n, d], 20 + view, -0.5, 1.0) for view in range(4)]
                result = case(views, lambda *x: global_contrastive(*x, 0.07, positive, cross_modal))
                golden["global"].append({"shape": [n, d], "positive": positive, "crossModal": cross_modal, **result})
    for weight in (1.0, 100.0):
        shapes = [[3, 2, 8, 8], [3, 4, 5, 5]]
        inputs = [values(s, 30 + i, 0.0, 1.0) for i, s in enumerate(shapes)]
        inputs += [values(s, 40 + i, 0.0, 1.0) for i, s in enumerate(shapes)]
        inputs += [values([3, 6], 50 + view) for view in range(4)]

        def loss(*x):
            lc = consistency(x[:2], x[2:4], [[4, 4], [4, 4]], **variants[0])
            return weight * lc + 3 * global_contrastive(*x[4:], 0.07, "once", "both-directions")

        golden["anatomy"].append({"shapes": shapes, "embedding": [3, 6], "consistencyWeight": weight, **case(inputs, loss)})
    path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "losses.json")
    with open(path, "w") as file:
        json.dump(golden, file, separators=(",", ":"))
        file.write("\n")
    assert all(math.isfinite(c["loss"]) for group in golden.values() for c in group)


main()
