"""Golden values of the ResNets and the vision transformers, forward and backward in float64 with weights from a formula:
ResNets from torchvision's own modules, transformers in plain PyTorch after timm's definition (VisionTransformer of
pytorch-image-models v0.9, with the names of its parameters). Run: /usr/bin/python3 tests/golden/backbones.py"""
import json
import os

import torch
from torch import nn
from torch.nn import functional as F
from torchvision.models import resnet18, resnet50

from formula import values
from transformer import VisionTransformer


def resnet_maps(network, images):
    x = network.relu(network.bn1(network.conv1(images)))
    maps, x = [x], network.maxpool(x)
    for layer in (network.layer1, network.layer2, network.layer3, network.layer4):
        x = layer(x)
        maps.append(x)
    return maps


def digest(x):
    """What stands in the file for a tensor: its sum, its norm and its first values."""
    flat = x.detach().double().flatten()
    return [flat.sum().item(), flat.norm().item(), *flat[:3].tolist()]


def run(name, shape, training):
    size = shape[-1]
    network = {
        "resnet18": resnet18,
        "resnet50": resnet50,
        "vit_s16": lambda: VisionTransformer(384, 6, size),
        "vit_b16": lambda: VisionTransformer(768, 12, size),
    }[name]().double()
    if hasattr(network, "fc"):
        network.fc = nn.Identity()
    for seed, (key, parameter) in enumerate(network.named_parameters()):
        norm = parameter.dim() == 1 and key.endswith("weight")
        fan_in = parameter[0].numel() if parameter.dim() in (2, 4) else 100
        bound = (3.0 / fan_in) ** 0.5 if parameter.dim() > 1 else 0.2
        parameter.data = (1.0 if norm else 0.0) + values(parameter.shape, 100 + seed, -bound, bound)
    network.train(training)
    images = values(shape, 7, 0.0, 1.0).requires_grad_()
    maps = network.maps(images) if name.startswith("vit") else resnet_maps(network, images)
    loss = sum((m * values(m.shape, 60 + i)).mean() for i, m in enumerate(maps))
    loss = loss + (maps[-1].mean(dim=(2, 3)) * 0.5).pow(2).sum()
    loss.backward()
    return {
        "backbone": name,
        "shape": shape,
        "training": training,
        "names": list(network.state_dict()),
        "loss": loss.item(),
        "maps": [digest(m) for m in maps],
        "features": digest(maps[-1].mean(dim=(2, 3))),
        "imageGradient": digest(images.grad),
        "gradients": {key: digest(p.grad) for key, p in network.named_parameters()},
        "buffers": {key: digest(b) for key, b in network.named_buffers() if "running" in key},
    }


def positions(source, target):
    """Position embeddings for another grid, as timm's resample_abs_pos_embed makes them."""
    embedding = values([1, 1 + source * source, 5], 3)
    grid = embedding[:, 1:].reshape(1, source, source, 5).permute(0, 3, 1, 2)
    grid = F.interpolate(grid, size=[target, target], mode="bicubic", antialias=True)
    moved = torch.cat([embedding[:, :1], grid.permute(0, 2, 3, 1).reshape(1, -1, 5)], 1)
    return {"source": source, "target": target, "values": moved.flatten().tolist()}


golden = {
    "networks": [
        run("resnet18", [2, 3, 64, 64], True),
        run("resnet18", [1, 3, 48, 80], False),
        run("resnet50", [2, 3, 64, 64], True),
        run("resnet50", [1, 3, 64, 32], False),
        run("vit_s16", [2, 3, 48, 48], True),
        run("vit_b16", [1, 3, 32, 32], False),
    ],
    "positions": [positions(14, 4), positions(4, 6), positions(3, 2)],
}
path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "backbones.json")
with open(path, "w") as file:
    json.dump(golden, file, separators=(",", ":"))
    file.write("\n")
