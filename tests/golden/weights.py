"""Small files of torch.save as training programs leave them, with values from a formula, and some that name code.
Made anew, files of the old form differ in the keys of their storages alone. Run: /usr/bin/python3 tests/golden/weights.py"""
import argparse
import os
from collections import OrderedDict

import torch
from torchvision.models.resnet import BasicBlock, ResNet
from torchvision.models.vgg import cfgs, make_layers

from formula import values

folder = os.path.join(os.path.dirname(os.path.abspath(__file__)), "weights")
os.makedirs(folder, exist_ok=True)
WIDTH = 1 / 64


def narrow_resnet18():
    """torchvision's ResNet-18 with 1/64 of the channels."""
    network = ResNet(BasicBlock, [2, 2, 2, 2])
    network.inplanes = 1
    network.conv1 = torch.nn.Conv2d(3, 1, 7, 2, 3, bias=False)
    network.bn1 = torch.nn.BatchNorm2d(1)
    for i, planes in enumerate([1, 2, 4, 8]):
        setattr(network, f"layer{i + 1}", network._make_layer(BasicBlock, planes, 2, 1 if i == 0 else 2))
    network.fc = torch.nn.Linear(8, 2)
    return network


def filled(network, dtype):
    """The state dict, each tensor a part of one storage, tensor i from values(shape, i)."""
    state = network.state_dict()
    flat = torch.zeros(sum(v.numel() for v in state.values() if v.is_floating_point()), dtype=dtype)
    counters = torch.arange(len(state))
    at, made = 0, OrderedDict()
    for seed, (name, value) in enumerate(state.items()):
        if not value.is_floating_point():
            made[name] = counters[seed]
            continue
        part = flat[at : at + value.numel()]
        at += value.numel()
        # A convolution as channels-last memory holds it, which is not row-major.
        view = part.view(value.shape)
        if value.dim() == 4:
            out, channels, height, width = value.shape
            view = part.view(out, height, width, channels).permute(0, 3, 1, 2)
        view.copy_(values(value.shape, seed))
        made[name] = view
    return made


# A whole checkpoint of MoCo's and DINO's kind, in half precision.
state = filled(narrow_resnet18(), torch.float16)
checkpoint = {
    "epoch": 3,
    "arch": "resnet18",
    "args": argparse.Namespace(lr=0.03, data="/somewhere"),
    "best": 0.5,
    "state_dict": OrderedDict((f"module.{name}", value) for name, value in state.items()),
}
checkpoint["state_dict"]._metadata = OrderedDict([("", {"version": 2})])
torch.save(checkpoint, os.path.join(folder, "resnet18.pth"))

# A plain state dict in the form before PyTorch 1.6, one of whose tensors is a parameter.
vgg = torch.nn.Sequential(OrderedDict(features=make_layers([c if c == "M" else int(c * WIDTH) for c in cfgs["D"]])))
state = filled(vgg, torch.float32)
state["features.0.bias"] = torch.nn.Parameter(state["features.0.bias"])
state["classifier.6.bias"] = torch.zeros(3)
torch.save(state, os.path.join(folder, "vgg16-old.pth"), _use_new_zipfile_serialization=False)


class Hostile:
    def __reduce__(self):
        return os.system, ("touch /tmp/anatomy-ssl-hostile",)


torch.save({"state_dict": {"conv1.weight": torch.zeros(1), "more": Hostile()}}, os.path.join(folder, "hostile.pth"))
# The same command in a plain pickle of the old form.
torch.save({"more": Hostile()}, os.path.join(folder, "hostile-old.pth"), _use_new_zipfile_serialization=False)
# A network saved whole names its classes, which are code.
torch.save(torch.nn.Linear(1, 1), os.path.join(folder, "whole-network.pth"))
