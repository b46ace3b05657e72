"""Golden values of VGG16 and VGG16-BN, forward and backward, from torchvision's own modules in float64 with weights from a
formula. Run: /usr/bin/python3 tests/golden/vgg.py"""
import json
import os

import torch
from torchvision.models.vgg import cfgs, make_layers

from formula import values


def digest(x):
    """What stands in the file for a tensor: its sum, its norm and its first values."""
    flat = x.detach().double().flatten()
    return [flat.sum().item(), flat.norm().item(), *flat[:6].tolist()]


def run(width, batch_norm, shape, training):
    features = make_layers([c if c == "M" else int(c * width) for c in cfgs["D"]], batch_norm).double()
    for seed, (name, parameter) in enumerate(features.named_parameters()):
        fan_in = parameter[0].numel() if parameter.dim() == 4 else 16
        bound = (6.0 / fan_in) ** 0.5 if parameter.dim() == 4 else 0.2
        centre = 1.0 if batch_norm and name.endswith("weight") and parameter.dim() == 1 else 0.0
        parameter.data = centre + values(parameter.shape, 100 + seed, -bound, bound)
    features.train(training)
    images = values(shape, 7, 0.0, 1.0).requires_grad_()
    x, maps = images, []
    for layer in features:
        if isinstance(layer, torch.nn.MaxPool2d):
            maps.append(x)
        x = layer(x)
    loss = sum((m * values(m.shape, 60 + i)).mean() for i, m in enumerate(maps))
    loss = loss + (maps[-1].mean(dim=(2, 3)) * 0.5).pow(2).sum() + x.mean()
    loss.backward()
    return {
        "width": width,
        "batchNorm": batch_norm,
        "shape": shape,
        "training": training,
        "names": [f"features.{name}" for name in features.state_dict()],
        "loss": loss.item(),
        "maps": [digest(m) for m in maps],
        "pooled": digest(x),
        "imageGradient": digest(images.grad),
        "gradients": {f"features.{name}": digest(p.grad) for name, p in features.named_parameters()},
        "buffers": {f"features.{name}": digest(b) for name, b in features.named_buffers()},
    }


golden = [
    run(0.25, False, [2, 3, 64, 64], True),
    run(0.25, True, [2, 3, 64, 64], True),
    run(0.25, True, [3, 3, 32, 64], False),
    run(1, True, [2, 3, 32, 32], True),
    run(1, False, [1, 3, 32, 32], True),
]
path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "vgg.json")
with open(path, "w") as file:
    json.dump(golden, file, separators=(",", ":"))
    file.write("\n")
