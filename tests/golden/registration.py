"""Golden values of the registration by maps in float64 PyTorch: the self-similarity of a map by loops over its cells, and
the correlation of two descriptors under a transformation with its gradient, by grid_sample and autograd.
Run: /usr/bin/python3 tests/golden/registration.py"""
import json
import os

import torch
import torch.nn.functional as F

from formula import values

NEIGHBOUR, EDGE = 2, 3
OFFSETS = [(y, x) for y in (-2, 0, 2) for x in (-2, 0, 2) if (y, x) != (0, 0)]


def self_similarity(m):
    c, h, w = m.shape
    centred = torch.stack([m[k] - m[k].mean() for k in range(c)])
    whole = centred.pow(2).mean().sqrt() * 1e-3 + 1e-9
    standard = torch.stack([centred[k] / (centred[k].pow(2).mean().sqrt() + whole) for k in range(c)])
    distance = torch.zeros(8, h, w, dtype=torch.float64)
    for k, (y, x) in enumerate(OFFSETS):
        for i in range(h):
            for j in range(w):
                own, other = standard[:, i, j], standard[:, (i + y) % h, (j + x) % w]
                distance[k, i, j] = 1 - F.cosine_similarity(own, other, dim=0, eps=1e-12)
    smooth = torch.zeros_like(distance)
    for i in range(h):
        for j in range(w):
            around = distance[:, max(0, i - 1) : i + 2, max(0, j - 1) : j + 2]
            smooth[:, i, j] = around.mean((1, 2))
    mean = smooth.mean(0)
    alike = torch.exp(-smooth / (mean + 1e-2 * mean.mean() + 1e-9))
    scaled = alike / alike.max(0).values
    return scaled - scaled.mean((1, 2), keepdim=True)


def correlation(fixed, moving, transformation):
    side = fixed.shape[-1]
    inside = torch.zeros(1, 1, side, side, dtype=torch.float64)
    inside[..., EDGE : side - EDGE, EDGE : side - EDGE] = 1
    theta = torch.tensor(transformation, dtype=torch.float64).reshape(1, 2, 3).requires_grad_()
    along = torch.tensor([(2 * i + 1 + i % 2) / side - 1 for i in range(side)], dtype=torch.float64)
    y, x = torch.meshgrid(along, along, indexing="ij")
    places = torch.stack([x, y, torch.ones_like(x)], -1)
    sample = lambda m, grid: F.grid_sample(m, grid[None], align_corners=False)
    grid = places @ theta[0].t()
    first, other = sample(fixed, places[..., :2]), sample(moving, grid)
    overlap = sample(inside, grid) * sample(inside, places[..., :2])
    product = (first * other * overlap).sum()
    value = product / ((first**2 * overlap).sum() * (other**2 * overlap).sum()).sqrt()
    value.backward()
    return value.item(), theta.grad.flatten().tolist()


if __name__ == "__main__":
    descriptors = []
    for shape, seed in [((3, 9, 11), 1), ((2, 8, 8), 2)]:
        found = self_similarity(values(shape, seed))
        descriptors.append({"shape": shape, "seed": seed, "descriptor": found.flatten().tolist()})
    correlations = []
    # At whole cells bilinear sampling has a kink, so no transformation is the identity.
    for shape, seeds, transformation in [
        ((2, 14, 14), (3, 4), [1, 0, 0.03, 0, 1, -0.02]),
        ((3, 16, 16), (5, 6), [0.97, -0.12, 0.11, 0.1, 1.02, -0.07]),
    ]:
        fixed, moving = [values((1, *shape), seed) for seed in seeds]
        value, gradient = correlation(fixed, moving, transformation)
        correlations.append(
            {"shape": shape, "seeds": seeds, "transformation": transformation, "value": value, "gradient": gradient}
        )
    path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "registration.json")
    with open(path, "w") as file:
        json.dump({"descriptors": descriptors, "correlations": correlations}, file)
        file.write("\n")
