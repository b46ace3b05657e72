"""Features by plain PyTorch, for bench/parity.mjs: torchvision's networks, and a ViT after timm's definition, with the weights
that `anatomy export torchvision` writes. Images come as 8-bit values that are resized already, [N, 3, side, side]."""
import json
import os
import struct
import sys

import torch
import torchvision

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../tests/golden"))
from transformer import VisionTransformer  # noqa: E402


def load(path):
    data = open(path, "rb").read()
    length = struct.unpack("<Q", data[:8])[0]
    header = json.loads(data[8 : 8 + length])
    header.pop("__metadata__", None)
    kinds = {"F32": torch.float32, "I64": torch.int64}
    tensors = {}
    for name, entry in header.items():
        begin, end = (8 + length + offset for offset in entry["data_offsets"])
        tensors[name] = torch.frombuffer(bytearray(data[begin:end]), dtype=kinds[entry["dtype"]]).reshape(entry["shape"])
    return tensors


def network(name, size, weights):
    """The public network with these weights, and how its features are read."""
    if name.startswith("vgg"):
        model = torchvision.models.__dict__[name]()
        model.load_state_dict(weights, strict=False)
        return model, lambda x: model.features[:-1](x).mean((2, 3))
    if name.startswith("resnet"):
        model = torchvision.models.__dict__[name]()
        model.load_state_dict(weights, strict=False)
        body = torch.nn.Sequential(*list(model.children())[:-1])
        return model, lambda x: body(x).flatten(1)
    model = VisionTransformer(*{"vit_s16": (384, 6), "vit_b16": (768, 12)}[name], size)
    model.load_state_dict(weights)
    return model, lambda x: model.maps(x)[-1].mean((2, 3))


backbone, size, count, side = sys.argv[1], *map(int, sys.argv[2:5])
weights, images, out = sys.argv[5:8]
model, features = network(backbone, size, load(weights))
model.eval()
data = torch.frombuffer(bytearray(open(images, "rb").read()), dtype=torch.uint8).reshape(count, 3, side, side)
with torch.no_grad():
    pixels = torch.nn.functional.interpolate(data.float(), (size, size), mode="bilinear", antialias=True) / 255
    open(out, "wb").write(torch.cat([features(x) for x in pixels.split(16)]).numpy().tobytes())
