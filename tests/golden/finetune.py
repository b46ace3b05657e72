"""Golden values of one step of finetuning, from torchvision's VGG16-BN, torch.nn.CrossEntropyLoss and torch.optim in float64
with weights from a formula. Run: /usr/bin/python3 tests/golden/finetune.py"""
import json
import os

import torch
from torchvision.models.vgg import cfgs, make_layers

from formula import values

PAIRS, SIZE, EMBEDDING = 4, 32, 20
LABELS = torch.tensor([0, 1, 1, 0])


def digest(x):
    """What stands in the file for a tensor: its sum, its norm and its first values."""
    flat = x.detach().double().flatten()
    return [flat.sum().item(), flat.norm().item(), *flat[:6].tolist()]


class Encoder(torch.nn.Module):
    def __init__(self, salt):
        super().__init__()
        self.features = make_layers([c if c == "M" else c // 4 for c in cfgs["D"]], True).double()
        self.head = torch.nn.Linear(128 * (SIZE // 32) ** 2, EMBEDDING).double()
        for seed, (name, parameter) in enumerate(self.named_parameters()):
            weight = parameter.dim() > 1
            bound = (6.0 / parameter[0].numel()) ** 0.5 if weight else 0.2
            centre = 1.0 if parameter.dim() == 1 and name.startswith("features") and name.endswith("weight") else 0.0
            parameter.data = centre + values(parameter.shape, salt + seed, -bound, bound)
        for seed, (name, buffer) in enumerate(self.named_buffers()):
            if name.endswith("running_mean"):
                buffer.data = values(buffer.shape, salt + 200 + seed, -0.2, 0.2)
            if name.endswith("running_var"):
                buffer.data = values(buffer.shape, salt + 200 + seed, 0.5, 1.5)

    def forward(self, images):
        x, maps = images, []
        for layer in self.features:
            if isinstance(layer, torch.nn.MaxPool2d):
                maps.append(x)
            x = layer(x)
        means = [map.mean(dim=(2, 3)) for map in maps]
        head = torch.relu(self.head(torch.flatten(x, 1)))
        return {"pooled": means[4], "head": head, "maps": torch.cat(means[2:], 1)}


def layer_rates(encoder, decay):
    """By parameter name: decay^(13 - l) for the l-th convolution and its batch norm, 1 for the head."""
    rates, layer = {}, -1
    for name, parameter in encoder.named_parameters():
        layer += int(parameter.dim() == 4)
        rates[name] = decay ** (13 - layer) if name.startswith("features") else 1.0
    return rates


def run(kind, batch_norm, weights, encoders, optimizer, rate):
    networks = [Encoder(100 * (k + 1)) for k in range(encoders)]
    for network in networks:
        network.train(batch_norm == "train")
    columns = 2 * {"pooled": 128, "head": EMBEDDING, "maps": 64 + 128 + 128}[kind]
    classifier = torch.nn.Linear(columns, 2).double()
    classifier.weight.data = values([2, columns], 31, -0.3, 0.3)
    classifier.bias.data = values([2], 32, -0.3, 0.3)
    images = values([2 * PAIRS, 3, SIZE, SIZE], 7, 0.0, 1.0)
    if encoders == 1:
        both = networks[0](images)[kind]
        joined = torch.cat([both[:PAIRS], both[PAIRS:]], 1)
    else:
        joined = torch.cat([n(v)[kind] for n, v in zip(networks, images.split(PAIRS))], 1)
    criterion = torch.nn.CrossEntropyLoss(None if weights is None else torch.tensor(weights, dtype=torch.float64))
    loss = criterion(classifier(joined), LABELS)
    loss.backward()
    named = {f"{k}.{n}": p for k, network in enumerate(networks) for n, p in network.named_parameters()}
    named |= {f"classifier.{n}": p for n, p in classifier.named_parameters()}
    gradients = {n: digest(p.grad) for n, p in named.items() if p.grad is not None}
    if optimizer == "sgd":
        torch.optim.SGD(named.values(), lr=rate).step()
    else:
        rates = {f"{k}.{n}": r for k, network in enumerate(networks) for n, r in layer_rates(network, 0.65).items()}
        torch.optim.AdamW(
            [{"params": [p], "lr": rate * rates.get(n, 1.0), "weight_decay": 0.05 if p.dim() > 1 else 0.0}
             for n, p in named.items()], lr=rate).step()
    return {
        "kind": kind, "batchNorm": batch_norm, "weights": weights, "encoders": encoders, "optimizer": optimizer,
        "rate": rate, "loss": loss.item(), "gradients": gradients,
        "parameters": {n: digest(p) for n, p in named.items()},
        "buffers": {f"{k}.{n}": digest(b) for k, network in enumerate(networks) for n, b in network.named_buffers()},
    }


golden = [
    run("head", "frozen", [0.8, 1.4], 1, "sgd", 0.03),
    run("pooled", "train", None, 1, "adamw", 5e-3),
    run("head", "train", [0.8, 1.4], 2, "sgd", 0.05),
    run("maps", "train", None, 2, "sgd", 0.05),
    run("maps", "frozen", [0.8, 1.4], 1, "adamw", 5e-3),
]
path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "finetune.json")
with open(path, "w") as file:
    json.dump(golden, file, separators=(",", ":"))
    file.write("\n")
