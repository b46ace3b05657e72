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


class Attention(nn.Module):
    def __init__(self, dim, heads):
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(dim, 3 * dim)
        self.proj = nn.Linear(dim, dim)

    def forward(self, x):
        batch, tokens, dim = x.shape
        qkv = self.qkv(x).reshape(batch, tokens, 3, self.heads, dim // self.heads).permute(2, 0, 3, 1, 4)
        q, k, v = qkv.unbind(0)
        weights = ((q @ k.transpose(-2, -1)) * (dim // self.heads) ** -0.5).softmax(dim=-1)
        return self.proj((weights @ v).transpose(1, 2).reshape(batch, tokens, dim))


class Block(nn.Module):
    def __init__(self, dim, heads):
        super().__init__()
        self.norm1 = nn.LayerNorm(dim, eps=1e-6)
        self.attn = Attention(dim, heads)
        self.norm2 = nn.LayerNorm(dim, eps=1e-6)
        self.mlp = nn.ModuleDict({"fc1": nn.Linear(dim, 4 * dim), "fc2": nn.Linear(4 * dim, dim)})

    def forward(self, x):
        x = x + self.attn(self.norm1(x))
        return x + self.mlp["fc2"](F.gelu(self.mlp["fc1"](self.norm2(x))))


class VisionTransformer(nn.Module):
    def __init__(self, dim, heads, size, depth=12, patch=16):
        super().__init__()
        self.cls_token = nn.Parameter(torch.zeros(1, 1, dim))
        self.pos_embed = nn.Parameter(torch.zeros(1, 1 + (size // patch) ** 2, dim))
        self.patch_embed = nn.ModuleDict({"proj": nn.Conv2d(3, dim, patch, patch)})
        self.blocks = nn.ModuleList(Block(dim, heads) for _ in range(depth))
        self.norm = nn.LayerNorm(dim, eps=1e-6)

    def maps(self, images):
        x = self.patch_embed["proj"](images)
        grid = x.shape[-2:]
        x = torch.cat([self.cls_token.expand(len(x), -1, -1), x.flatten(2).transpose(1, 2)], 1) + self.pos_embed
        depths = [x]
        for i, block in enumerate(self.blocks):
            x = block(x)
            if i + 1 in (3, 6, 9):
                depths.append(x)
        depths.append(self.norm(x))
        return [d[:, 1:].transpose(1, 2).reshape(len(d), -1, *grid) for d in depths]


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
