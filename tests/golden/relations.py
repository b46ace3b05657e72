"""Golden values of the relations that stand beside Eq. 5 (Table 3's alternatives and CKA) and their gradients, in float64
PyTorch, by loops over patches and pairs. Run: /usr/bin/python3 tests/golden/relations.py"""
import json
import math
import os

import torch
import torch.nn.functional as F

from formula import values


def patch_embeddings(v, grid, windows, normalize):
    """v: [C, H, W] of one image -> s: [P, C]"""
    _, height, width = v.shape
    rows, columns = grid
    if normalize == "pixel":
        v = F.normalize(v, dim=0)
    patches = []
    for i in range(rows):
        for j in range(columns):
            if windows == "floor":
                h, w = height // rows, width // columns
                window = v[:, i * h : (i + 1) * h, j * w : (j + 1) * w]
            else:
                top, bottom = math.floor(i * height / rows), math.ceil((i + 1) * height / rows)
                left, right = math.floor(j * width / columns), math.ceil((j + 1) * width / columns)
                window = v[:, top:bottom, left:right]
            patches.append(F.normalize(window.sum((1, 2)), dim=0) if normalize == "patch" else window.mean((1, 2)))
    return torch.stack(patches)


def normed(a, b, tau, distance):
    difference = torch.softmax(a @ a.t() / tau, dim=1) - torch.softmax(b @ b.t() / tau, dim=1)
    return difference.pow(2).mean() if distance == "mse" else (difference + 1e-6).pow(2).sum().sqrt()


def kl(a, b, tau, distance):
    terms = []
    for i in range(len(a)):
        p, q = torch.softmax(a @ a[i] / tau, dim=0), torch.softmax(b @ b[i] / tau, dim=0)
        terms.append(((p * (p / q).log()).sum() + (q * (q / p).log()).sum()) / 2)
    return torch.stack(terms).mean()


def local_contrast(a, b, tau, distance):
    terms = []
    for i in range(len(a)):
        for anchor, candidates in ((a[i], b), (b[i], a)):
            terms.append(F.cross_entropy((candidates @ anchor / tau)[None], torch.tensor([i])))
    return torch.stack(terms).mean()


def cka(a, b, tau, distance):
    n = len(a)
    centre = torch.eye(n, dtype=torch.float64) - 1 / n
    k, l = centre @ (a @ a.t()) @ centre, centre @ (b @ b.t()) @ centre

    def hsic(x, y):
        return (x * y).sum() / n**2

    return 1 - hsic(k, l) / (hsic(k, k).clamp(min=1e-16) * hsic(l, l).clamp(min=1e-16)).sqrt()


RELATIONS = {"normed": normed, "kl": kl, "local-contrast": local_contrast, "cka": cka}
DEFAULT_TAU = {"normed": 1.0, "kl": 0.1, "local-contrast": 0.07, "cka": None}


def consistency(maps_a, maps_b, grids, options):
    tau = options.get("relationTau", DEFAULT_TAU[options["relation"]])
    per_map = []
    for a, b, grid in zip(maps_a, maps_b, grids):
        per_pair = []
        for pair in zip(a, b):
            s = [patch_embeddings(v, grid, options["windows"], options["normalize"]) for v in pair]
            if options["relation"] == "local-contrast" and options["normalize"] == "pixel":
                s = [F.normalize(x, dim=1) for x in s]
            per_pair.append(RELATIONS[options["relation"]](*s, tau, options.get("distance", "mse")))
        per_map.append(torch.stack(per_pair).mean())
    total = torch.stack(per_map)
    return total.sum() if options.get("reduction") == "sum" else total.mean()


def zero_out(x, rows):
    x = x.clone()
    for row in rows:
        x[tuple(slice(None) if index is None else index for index in row)] = 0
    return x


def main():
    floor = dict(windows="floor", normalize="patch")
    adaptive = dict(windows="adaptive", normalize="pixel")
    variants = [
        dict(relation="normed", **floor),
        dict(relation="normed", relationTau=0.25, distance="frobenius", reduction="sum", **adaptive),
        dict(relation="kl", **floor),
        dict(relation="kl", relationTau=1.0, **adaptive),
        dict(relation="local-contrast", **floor),
        dict(relation="local-contrast", relationTau=0.5, **adaptive),
        dict(relation="cka", **floor),
        dict(relation="cka", reduction="sum", **adaptive),
    ]
    layouts = [
        dict(shapes=[[2, 3, 7, 5]], patches=[[2, 2]], zero=[]),
        dict(shapes=[[1, 2, 9, 9]], patches=[[4, 4]], zero=[]),
        dict(shapes=[[1, 2, 4, 6]], patches=[[4, 3]], zero=[]),
        dict(shapes=[[1, 3, 5, 3]], patches=[[2, 3]], zero=[]),
        dict(shapes=[[3, 2, 5, 7], [3, 4, 4, 4]], patches=[[3, 2], [4, 4]], zero=[]),
        # A patch of zeros in one image, and an image of zeros: a patch of zeros is as unlike all others as itself.
        dict(shapes=[[2, 3, 6, 6]], patches=[[3, 3]], zero=[[0, None, 0, 0], [0, None, 0, 1], [0, None, 1, 0], [0, None, 1, 1]]),
        dict(shapes=[[2, 2, 4, 4]], patches=[[2, 2]], zero=[[1, None, None, None]]),
    ]
    golden = []
    for layout in layouts:
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
    path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "relations.json")
    with open(path, "w") as file:
        json.dump(golden, file, separators=(",", ":"))
        file.write("\n")


if __name__ == "__main__":
    main()
