"""The network and the objective of a training step in plain PyTorch, for reference.py and pretrain.py."""
import torch
import torch.nn.functional as F
from torchvision.models.vgg import cfgs, make_layers


class Encoder(torch.nn.Module):
    """VGG16-BN at a width, the maps before each pool, and the paper's head."""

    def __init__(self, width, size):
        super().__init__()
        self.features = make_layers([c if c == "M" else int(c * width) for c in cfgs["D"]], True)
        self.head = torch.nn.Linear(int(512 * width) * (size // 32) ** 2, 500)

    def forward(self, x):
        maps = []
        for layer in self.features:
            if isinstance(layer, torch.nn.MaxPool2d):
                maps.append(x)
            x = layer(x)
        return maps, F.relu(self.head(x.flatten(1)))


def correlation(m):
    h, w = m.shape[2] // 4, m.shape[3] // 4
    s = F.normalize(F.avg_pool2d(m[:, :, : 4 * h, : 4 * w].float(), (h, w), divisor_override=1).flatten(2), dim=1)
    return s.transpose(1, 2) @ s


def info_nce(f, g):
    return F.cross_entropy(f @ g.t() / 0.07, torch.arange(len(f), device=f.device))


def objective(maps, embedding, n):
    consistency = sum((correlation(m[:n]) - correlation(m[n : 2 * n])).pow(2).mean() for m in maps[1:]) / 4
    a, b, a_hat, b_hat = F.normalize(embedding.float(), dim=1).split(n)
    return consistency + 3 * (info_nce(a, a_hat) + info_nce(b, b_hat) + info_nce(a, b) + info_nce(b, a))
