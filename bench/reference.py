"""The same training step in plain PyTorch, for bench/trainingStep.mjs, and the same inference, for bench/inference.mjs:
reads one command a line on stdin, times it, and
answers with the seconds of each step as JSON. Data augmentation is left out on both sides; views are given."""
import json
import resource
import sys
import time

import torch
import torch.nn.functional as F
from torchvision.models.vgg import cfgs, make_layers

from step import Encoder, objective


class Step:
    def __init__(self, width, size, pairs, channels_last, bf16, device):
        torch.manual_seed(0)
        torch.backends.cudnn.benchmark = channels_last  # of "best": cuDNN tries its algorithms in the first step
        self.encoder = Encoder(width, size).to(device)
        self.images = torch.rand(4 * pairs, 3, size, size, device=device)
        if channels_last:
            self.encoder = self.encoder.to(memory_format=torch.channels_last)
            self.images = self.images.to(memory_format=torch.channels_last)
        self.optimizer = torch.optim.SGD(self.encoder.parameters(), lr=0.001, momentum=0.9, weight_decay=1e-4, foreach=True)
        self.pairs, self.bf16, self.device = pairs, bf16, device

    def __call__(self):
        started = time.perf_counter()
        with torch.autocast(self.device, dtype=torch.bfloat16, enabled=self.bf16):
            maps, embedding = self.encoder(self.images)
        loss = objective(maps, embedding, self.pairs)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        self.optimizer.step()
        value = loss.item()
        if self.device == "cuda":
            torch.cuda.synchronize()
        return time.perf_counter() - started, value


class Inference:
    """Features from bytes. Folded: batch norm is in the weights of the convolutions, which are bf16 for good."""

    def __init__(self, width, size, stored, images, channels_last, bf16, folded, device):
        torch.manual_seed(0)
        self.model = make_layers([c if c == "M" else int(c * width) for c in cfgs["D"]], True)[:-1].eval().to(device)
        if folded:
            layers = []
            for layer in self.model:
                if isinstance(layer, torch.nn.BatchNorm2d):
                    layers[-1] = torch.nn.utils.fusion.fuse_conv_bn_eval(layers[-1], layer)
                else:
                    layers.append(layer)
            self.model = torch.nn.Sequential(*layers)
        self.half = folded and bf16
        if self.half:
            self.model = self.model.bfloat16()
        if channels_last:
            self.model = self.model.to(memory_format=torch.channels_last)
        self.images = torch.randint(0, 256, (images, 3, stored, stored), dtype=torch.uint8, device=device)
        self.size = None if stored == size else size
        self.channels_last, self.bf16, self.device = channels_last, bf16, device

    def __call__(self):
        started = time.perf_counter()
        parts = []
        with torch.inference_mode(), torch.autocast(self.device, torch.bfloat16, enabled=self.bf16 and not self.half):
            for images in self.images.split(64):
                dtype = torch.bfloat16 if self.half else torch.float32
                if self.size is None:
                    x = images.to(dtype) / 255
                else:
                    x = (F.interpolate(images.float(), size=self.size, mode="bilinear", antialias=True) / 255).to(dtype)
                if self.channels_last:
                    x = x.to(memory_format=torch.channels_last)
                parts.append(self.model(x).mean((2, 3)).float().cpu())
        torch.cat(parts).numpy()
        return time.perf_counter() - started, 0


step = None
for line in sys.stdin:
    command = json.loads(line)
    if "threads" in command:
        torch.set_num_threads(command["threads"])
    if "make" in command:
        step = None
        step = (Inference if "images" in command["make"] else Step)(**command["make"])
    seconds = [step()[0] for _ in range(command["steps"])]
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    if step.device == "cuda":
        peak = torch.cuda.max_memory_allocated() / 2**20
    print(json.dumps({"seconds": seconds, "peakMiB": peak, "torch": torch.__version__}), flush=True)
