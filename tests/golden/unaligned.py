"""Golden values of L_C for pairs that are not aligned (transport, shift, alignment-free) and their gradients, in float64
PyTorch, by loops over patches and pairs. Run: /usr/bin/python3 tests/golden/unaligned.py"""
import json
import math
import os

import torch
import torch.nn.functional as F

from formula import values
from relations import patch_embeddings, zero_out


def eq5(a, b):
    return (a @ a.t() - b @ b.t()).pow(2).mean()


def transport(a, b, grid, options):
    epsilon, sigma = options.get("transportEpsilon", 0.1), options.get("transportSigma", 1.0)
    places = [(i, j) for i in range(grid[0]) for j in range(grid[1])]
    u, v = [F.normalize(x.detach(), dim=1) for x in (a, b)]
    k = torch.zeros(len(a), len(b), dtype=torch.float64)
    for i, (y, x) in enumerate(places):
        for j, (t, w) in enumerate(places):
            squared = (y - t) ** 2 + (x - w) ** 2
            k[i, j] = torch.exp(u[i] @ v[j] / epsilon - squared / (2 * sigma**2))
    # Sinkhorn by factors of rows and columns, not in the log domain.
    row = torch.ones(len(a), dtype=torch.float64)
    for _ in range(10):
        column = 1 / (k.t() @ row)
        row = 1 / (k @ column)
    t = row[:, None] * k * column[None, :]
    return (a @ a.t() - t @ (b @ b.t()) @ t.t()).pow(2).mean()


def shift(a, b, grid, options):
    most = options["consistencyShift"]

    def inside(y, x):
        return 0 <= y < grid[0] and 0 <= x < grid[1]

    losses = []
    for down in range(-most, most + 1):
        for right in range(-most, most + 1):
            pairs = [
                (y * grid[1] + x, (y + down) * grid[1] + x + right)
                for y in range(grid[0])
                for x in range(grid[1])
                if inside(y + down, x + right)
            ]
            ours, theirs = zip(*pairs)
            losses.append(eq5(a[list(ours)], b[list(theirs)]))
    losses.sort(key=lambda loss: loss.item())
    assert losses[1].item() > losses[0].item() * (1 + 1e-4), "the choice must not hang on rounding"
    return losses[0]


def alignment_free(a, b, grid, options):
    def similarities(s):
        found = torch.stack([s[i] @ s[j] for i in range(len(s)) for j in range(i)]).sort().values
        assert (found.diff() > 1e-6).all(), "the order must not hang on rounding, in f32 either"
        return found

    return (similarities(a) - similarities(b)).pow(2).mean()


RELATIONS = {"transport": transport, "correlation": shift, "alignment-free": alignment_free}


def consistency(maps_a, maps_b, grids, options):
    per_map = []
    for a, b, grid in zip(maps_a, maps_b, grids):
        per_pair = []
        for pair in zip(a, b):
            s = [patch_embeddings(v, grid, options["windows"], options["normalize"]) for v in pair]
            per_pair.append(RELATIONS[options["relation"]](*s, grid, options))
        per_map.append(torch.stack(per_pair).mean())
    total = torch.stack(per_map)
    return total.sum() if options.get("reduction") == "sum" else total.mean()


def main():
    floor = dict(windows="floor", normalize="patch")
    adaptive = dict(windows="adaptive", normalize="pixel")
    transports = [
        dict(relation="transport", **floor),
        dict(relation="transport", transportEpsilon=0.03, transportSigma=2.5, reduction="sum", **adaptive),
    ]
    free = transports + [
        dict(relation="alignment-free", **floor),
        dict(relation="alignment-free", reduction="sum", **adaptive),
    ]

    def shifts(most):
        return [
            dict(relation="correlation", consistencyShift=most, **floor),
            dict(relation="correlation", consistencyShift=most, reduction="sum", **adaptive),
        ]

    layouts = [
        (transports[1:], dict(shapes=[[2, 3, 4, 4]], patches=[[1, 1]], zero=[])),
        (free, dict(shapes=[[2, 3, 7, 5]], patches=[[2, 2]], zero=[])),
        (free, dict(shapes=[[1, 2, 4, 6]], patches=[[1, 5]], zero=[])),
        (free + shifts(1), dict(shapes=[[3, 3, 5, 7], [3, 5, 4, 4]], patches=[[3, 4], [4, 3]], zero=[])),
        (shifts(2), dict(shapes=[[2, 3, 7, 8]], patches=[[5, 6]], zero=[])),
        # A patch of zeros in one image, which is as unlike all others as itself. Its equal similarities may be sorted
        # in any order, so alignment-free has several gradients here.
        (transports + shifts(1), dict(shapes=[[2, 3, 6, 6]], patches=[[3, 3]], zero=[[0, None, 0, 0], [0, None, 0, 1], [0, None, 1, 0], [0, None, 1, 1]])),
    ]
    golden = []
    for variants, layout in layouts:
        for options in variants:
            a, b = [
                [values(shape, 100 * side + layer, 0.0, 1.0) for layer, shape in enumerate(layout["shapes"])]
                for side in (1, 2)
            ]
            a = [zero_out(x, layout["zero"]) for x in a]
            for x in a + b:
                x.requires_grad_()
            loss = consistency(a, b, layout["patches"], options)
            loss.backward()
            assert math.isfinite(loss.item())
            # 14 digits: a hundredth of the tolerance the tests hold (1e-11).
            gradients = [[float(f"{v:.14g}") for v in x.grad.flatten().tolist()] for x in a + b]
            golden.append({**layout, "options": options, "loss": float(f"{loss.item():.14g}"), "gradients": gradients})
    path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "unaligned.json")
    with open(path, "w") as file:
        json.dump(golden, file, separators=(",", ":"))
        file.write("\n")


if __name__ == "__main__":
    main()
