"""A pretraining as one would write it in PyTorch, for bench/pretrain.mjs: the paper's method on the pairs of a manifest with
the same network, batches, augmentation, optimiser, schedule, monitors and checkpoints as the product's recipe."""
import argparse
import csv
import math
import os
import random

import numpy
import torch
import torch.nn.functional as F
from PIL import Image
from torchvision import transforms

from step import Encoder, objective

parser = argparse.ArgumentParser()
parser.add_argument("--data")
parser.add_argument("--out")
parser.add_argument("--steps", type=int)
parser.add_argument("--size", type=int)
parser.add_argument("--width", type=float)
parser.add_argument("--batch", type=int)
parser.add_argument("--threads", type=int)
parser.add_argument("--workers", type=int)
options = parser.parse_args()


class Pairs(torch.utils.data.Dataset):
    """Images are decoded and made smaller once, and kept as bytes."""

    def __init__(self, manifest, size):
        folder = os.path.dirname(manifest)
        with open(manifest) as file:
            rows = list(csv.DictReader(file))
        read = lambda path: numpy.array(
            Image.open(os.path.join(folder, path)).convert("RGB").resize((size, size), Image.Resampling.BILINEAR)
        )
        self.images = torch.from_numpy(numpy.stack([[read(row["a"]), read(row["b"])] for row in rows])).permute(0, 1, 4, 2, 3).contiguous()
        self.augment = transforms.Compose([
            transforms.RandomResizedCrop(size, scale=(0.5, 1)),
            transforms.RandomHorizontalFlip(),
            transforms.ColorJitter(0.2, 0.2, 0.2, 0.05),
        ])

    def __len__(self):
        return len(self.images)

    def __getitem__(self, index):
        a, b = self.images[index]
        return a, b, self.augment(a), self.augment(b)


@torch.no_grad()
def monitor(encoder, images):
    """Retrieval of the mate among all, alignment and uniformity."""
    encoder.eval()
    with torch.autocast("cpu", torch.bfloat16):
        f = [torch.cat([encoder(part.float().div(255).to(memory_format=torch.channels_last))[1] for part in images[:, m].split(64)]) for m in (0, 1)]
    encoder.train()
    a, b = (F.normalize(x.float(), dim=1) for x in f)
    recall = ((a @ b.t()).argmax(1) == torch.arange(len(a))).float().mean().item()
    return recall, (a - b).pow(2).sum(1).mean().item(), torch.pdist(a).pow(2).mul(-2).exp().mean().log().item()


torch.set_num_threads(options.threads)
torch.manual_seed(0)
random.seed(0)
data = Pairs(options.data, options.size)
loader = torch.utils.data.DataLoader(data, options.batch, shuffle=True, drop_last=False, num_workers=options.workers, persistent_workers=True)
encoder = Encoder(options.width, options.size).to(memory_format=torch.channels_last)
optimizer = torch.optim.SGD(encoder.parameters(), lr=0.03, momentum=0.9, weight_decay=1e-4, foreach=True)
schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 0.5 * (1 + math.cos(math.pi * step / options.steps)))
os.makedirs(options.out, exist_ok=True)
step = 0
while step < options.steps:
    for views in loader:
        images = torch.cat(views).float().div_(255).to(memory_format=torch.channels_last)
        with torch.autocast("cpu", torch.bfloat16):
            maps, embedding = encoder(images)
        loss = objective(maps, embedding, len(views[0]))
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        schedule.step()
        step += 1
        if not math.isfinite(loss.item()):
            raise SystemExit(f"the loss is {loss.item()} at step {step}")
        if step % 100 == 0 or step == options.steps:
            monitor(encoder, data.images[:256])
            torch.save({"encoder": encoder.state_dict(), "optimizer": optimizer.state_dict()}, f"{options.out}/{step}.pt")
        if step == options.steps:
            break
print(loss.item())
