"""Golden values of one training step in micro-batches: what batch norm sees is a micro-batch, what the contrastive loss sees is
the whole batch. Here it is one graph over all micro-batches, without gradient caching, in float64.
Run: /usr/bin/python3 tests/golden/microbatch.py"""
import json
import os

import torch
import torch.nn.functional as F

from formula import values

PAIRS, TAU, THERE, BACK, PER_PAIR = 5, 0.3, 3.0, 2.0, 0.7


def network():
    layers = torch.nn.Sequential(
        torch.nn.Conv2d(3, 6, 3, padding=1),
        torch.nn.BatchNorm2d(6),
        torch.nn.ReLU(),
        torch.nn.Conv2d(6, 8, 3, padding=1),
        torch.nn.BatchNorm2d(8),
        torch.nn.ReLU(),
        torch.nn.Flatten(2),
    ).double()
    head = torch.nn.Linear(8, 7).double()
    named = [*layers.named_parameters(), *((f"head.{name}", p) for name, p in head.named_parameters())]
    for seed, (name, parameter) in enumerate(named):
        centre = 1.0 if name in ("1.weight", "4.weight") else 0.0
        parameter.data = centre + values(parameter.shape, 200 + seed, -0.4, 0.4)
    return layers, head, named


def info_nce(f, g):
    f, g = F.normalize(f, dim=1), F.normalize(g, dim=1)
    return F.cross_entropy(f @ g.t() / TAU, torch.arange(len(f)))


def run(size):
    layers, head, named = network()
    a, b = values([PAIRS, 3, 6, 6], 1, 0.0, 1.0), values([PAIRS, 3, 6, 6], 2, 0.0, 1.0)
    embeddings, per_pair = [], 0
    for chunk_a, chunk_b in zip(*(x.tensor_split(-(-len(x) // size)) for x in (a, b))):
        count = len(chunk_a)
        features = layers(torch.cat([chunk_a, chunk_b])).mean(dim=2)
        per_pair = per_pair + (features[:count] - features[count:]).pow(2).mean() * count / PAIRS
        embeddings.append(head(features).split(count))
    f, g = (torch.cat([pair[view] for pair in embeddings]) for view in (0, 1))
    there, back = info_nce(f, g), info_nce(g, f)
    loss = THERE * there + BACK * back + PER_PAIR * per_pair
    loss.backward()
    return {
        "microBatch": size,
        "loss": loss.item(),
        "terms": {"there": there.item(), "back": back.item(), "perPair": per_pair.item()},
        "gradients": {name: p.grad.flatten().tolist() for name, p in named},
        "buffers": {name: x.double().flatten().tolist() for name, x in layers.named_buffers()},
    }


path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "microbatch.json")
with open(path, "w") as file:
    json.dump([run(size) for size in (1, 2, 3, 5)], file, separators=(",", ":"))
    file.write("\n")
