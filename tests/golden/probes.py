"""Golden values for src/metrics and src/evaluation: scikit-learn, numpy and float64 PyTorch -> probes.json.

Run: /usr/bin/python3 tests/golden/probes.py   (Debian: python3-sklearn, python3-torch)
"""

import json
import math
import pathlib
import warnings

import numpy as np
import sklearn
import torch
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import f1_score, precision_score, recall_score, roc_auc_score
from sklearn.preprocessing import StandardScaler

# tol=1e-9 below asks newton-cg for all that rounding allows; it goes there and then complains.
warnings.filterwarnings("ignore", message="newton-cg failed|.*[Ll]ine [Ss]earch|Rounding errors")

rng = np.random.default_rng(2022)


def rounded(array, digits=3):
    return np.round(np.asarray(array, dtype=np.float64), digits)


def auc_cases():
    cases = []
    for n, digits in [(9, 3), (30, 1), (60, 0)]:  # fewer digits, more ties
        labels = rng.integers(0, 2, n)
        labels[:2] = [0, 1]
        scores = rounded(rng.normal(size=n) + labels, digits)
        cases.append({"scores": scores, "labels": labels, "auc": roc_auc_score(labels, scores)})
    return cases


def binary_case():
    labels = rng.integers(0, 2, 41)
    probabilities = rounded(np.clip(0.3 * labels + 0.7 * rng.uniform(size=41), 0, 1), 2)
    probabilities[:2] = 0.5  # on the threshold: not positive
    predicted = (probabilities > 0.5).astype(int)
    return {
        "probabilities": probabilities,
        "labels": labels,
        "expected": {
            "auc": roc_auc_score(labels, probabilities),
            "accuracy": (predicted == labels).mean(),
            "precision": precision_score(labels, predicted),
            "recall": recall_score(labels, predicted),
            "specificity": recall_score(labels, predicted, pos_label=0),
            "f1": f1_score(labels, predicted),
            "macroPrecision": precision_score(labels, predicted, average="macro"),
            "macroRecall": recall_score(labels, predicted, average="macro"),
            "macroF1": f1_score(labels, predicted, average="macro"),
        },
    }


def three_class_case():
    labels = rng.integers(0, 3, 50)
    logits = rng.normal(size=(50, 3)) + np.eye(3)[labels]
    # Eighths sum to 1 exactly in any order, which roc_auc_score demands, and tie often.
    probabilities = np.stack([np.bincount(rng.choice(3, 8, p=np.exp(l) / np.exp(l).sum()), minlength=3) for l in logits]) / 8
    predicted = probabilities.argmax(1)
    return {
        "probabilities": probabilities.ravel(),
        "labels": labels,
        "expected": {
            "macroAuc": roc_auc_score(labels, probabilities, multi_class="ovr", average="macro"),
            "accuracy": (predicted == labels).mean(),
            "macroPrecision": precision_score(labels, predicted, average="macro"),
            "macroRecall": recall_score(labels, predicted, average="macro"),
            "macroF1": f1_score(labels, predicted, average="macro"),
        },
    }


def logistic_case(n, d, classes, grid):
    x = rounded(rng.normal(size=(n, d)) @ (np.eye(d) + 0.4 * rng.normal(size=(d, d))) + 0.3, 2)
    labels = rng.integers(0, classes, n)
    labels[:classes] = np.arange(classes)
    x[:, 0] += labels
    fits = []
    for c in grid:
        model = LogisticRegression(C=c, solver="newton-cg", tol=1e-9, max_iter=10000).fit(x, labels)
        fits.append({"C": c, "weights": model.coef_.ravel(), "bias": model.intercept_})
    test = rounded(rng.normal(size=(3, d)), 2)
    return {
        "rows": n,
        "columns": d,
        "classes": classes,
        "x": rounded(x.ravel(), 2),
        "labels": labels,
        "fits": fits,
        "test": test.ravel(),
        "probabilities": model.predict_proba(test).ravel(),  # of the last C
    }


def standardize_case():
    x = rounded(rng.normal(size=(7, 4)) * [1, 10, 0.1, 1] + [0, 5, -3, 0], 2)
    x[:, 3] = 0.1
    return {"x": x.ravel(), "z": StandardScaler().fit_transform(x).ravel()}


def ridge_case():
    x = rounded(rng.normal(size=(20, 5)) + 2, 2)
    y = np.sign(x[:, 0] - 1.3 + rounded(rng.normal(size=20), 2))
    fits = [{"lambda": a, "weights": (m := Ridge(alpha=a).fit(x, y)).coef_, "bias": m.intercept_} for a in (0.01, 1.0, 50.0)]
    return {"x": x.ravel(), "y": y, "fits": fits}


def neighbour_case():
    a = rounded(rng.normal(size=(11, 5)), 2)
    b = rounded(a + 0.8 * rng.normal(size=(11, 5)), 2)
    labels = rng.integers(0, 3, 11)
    ta, tb = (torch.nn.functional.normalize(torch.tensor(v)) for v in (a, b))
    similarity = (ta @ tb.T).numpy()  # votes of the rows of a for the rows of b
    k, temperature = 4, 0.07
    votes = np.zeros((11, 3))
    for j in range(11):
        for i in np.argsort(-similarity[:, j])[:k]:
            votes[j, labels[i]] += math.exp(similarity[i, j] / temperature)
    return {
        "a": a.ravel(),
        "b": b.ravel(),
        "labels": labels,
        "k": k,
        "temperature": temperature,
        "probabilities": (votes / votes.sum(1, keepdims=True)).ravel(),
        "aToB": (similarity.argmax(1) == np.arange(11)).mean(),
        "bToA": (similarity.argmax(0) == np.arange(11)).mean(),
        "alignment": (ta - tb).norm(dim=1).pow(2).mean().item(),
        "uniformity": torch.pdist(ta).pow(2).mul(-2).exp().mean().log().item(),
        "deviation": ta.std(0).mean().item(),
    }


class Random:
    """src/tensor/random.ts, so that both sides draw the same weights and orders."""

    MASK = 0xFFFFFFFF

    def __init__(self, *key):
        low, high = 0x811C9DC5, 0x9DC5811C
        for part in key:
            for code in map(ord, f"{'s' if isinstance(part, str) else 'n'}{part}\0"):
                low = (low ^ code) * 0x01000193 & self.MASK
                high = (high ^ (code + (low >> 16))) * 0x85EBCA6B & self.MASK
        state = low

        def splitmix32(mix):
            nonlocal state
            state = (state + 0x9E3779B9) & self.MASK
            z = state ^ mix
            z = (z ^ (z >> 16)) * 0x21F0AAAD & self.MASK
            z = (z ^ (z >> 15)) * 0x735A2D97 & self.MASK
            return z ^ (z >> 15)

        self.s = [splitmix32(0), splitmix32(high), splitmix32(0), splitmix32(high) | 1]
        self.spare = None

    def uint32(self):
        rotl = lambda x, k: (x << k | x >> (32 - k)) & self.MASK
        s = self.s
        result = rotl(s[1] * 5 & self.MASK, 7) * 9 & self.MASK
        t = s[1] << 9 & self.MASK
        s[2] ^= s[0]
        s[3] ^= s[1]
        s[1] ^= s[2]
        s[0] ^= s[3]
        s[2] ^= t
        s[3] = rotl(s[3], 11)
        return result

    def uniform(self):
        return ((self.uint32() >> 5) * 67108864 + (self.uint32() >> 6)) / 9007199254740992

    def normal(self):
        if self.spare is not None:
            spare, self.spare = self.spare, None
            return spare
        radius = math.sqrt(-2 * math.log(1 - self.uniform()))
        angle = 2 * math.pi * self.uniform()
        self.spare = radius * math.sin(angle)
        return radius * math.cos(angle)

    def below(self, n):
        limit = 2**32 - 2**32 % n
        while (draw := self.uint32()) >= limit:
            pass
        return draw % n

    def permutation(self, n):
        order = list(range(n))
        for i in range(n - 1, 0, -1):
            j = self.below(i + 1)
            order[i], order[j] = order[j], order[i]
        return order


def linear_probe_case():
    n, d, classes, seed = 23, 4, 3, 7
    x = rounded(3 * rng.normal(size=(n, d)), 2)
    labels = rng.integers(0, classes, n)
    case = {"x": x.ravel(), "labels": labels, "rows": n, "columns": d, "classes": classes, "seed": seed}
    case |= {"epochs": 6, "batchSize": 5, "milestones": [2, 4]}
    for unit in ("epoch", "iteration"):
        layer = torch.nn.Linear(d, classes, dtype=torch.float64)
        draws = Random(seed, "hu-linear", "init")
        with torch.no_grad():
            layer.weight.copy_(torch.tensor([[0.01 * draws.normal() for _ in range(d)] for _ in range(classes)], dtype=torch.float64))
            layer.bias.zero_()
        optimizer = torch.optim.SGD(layer.parameters(), lr=0.03)
        schedule = torch.optim.lr_scheduler.MultiStepLR(optimizer, case["milestones"], gamma=0.5)
        tx, ty = torch.tensor(x), torch.tensor(labels)
        for epoch in range(case["epochs"]):
            order = torch.tensor(Random(seed, "hu-linear", epoch).permutation(n))
            loss_sum = 0.0
            for batch in order.split(case["batchSize"]):
                loss = torch.nn.functional.cross_entropy(layer(tx[batch]), ty[batch])
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                loss_sum += loss.item() * len(batch)
                if unit == "iteration":
                    schedule.step()
            if unit == "epoch":
                schedule.step()
        case[unit] = {
            "weights": layer.weight.detach().numpy().ravel(),
            "bias": layer.bias.detach().numpy(),
            "lastLoss": loss_sum / n,
            "probabilities": layer(tx[:2]).softmax(1).detach().numpy().ravel(),
        }
    return case


def plain(value):
    if isinstance(value, dict):
        return {key: plain(v) for key, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(v) for v in value]
    if isinstance(value, np.ndarray):
        return value.tolist()
    return value.item() if isinstance(value, np.generic) else value


golden = {
    "madeWith": {"sklearn": sklearn.__version__, "numpy": np.__version__, "torch": torch.__version__},
    "auc": auc_cases(),
    "binary": binary_case(),
    "threeClasses": three_class_case(),
    "logistic": {
        "two": logistic_case(40, 5, 2, [0.01, 1, 100]),
        "three": logistic_case(45, 4, 3, [0.01, 1, 10]),
        "wide": logistic_case(10, 24, 2, [0.001, 0.1, 10]),
        "wideThree": logistic_case(12, 18, 3, [0.1]),
    },
    "standardize": standardize_case(),
    "ridge": ridge_case(),
    "neighbours": neighbour_case(),
    "linearProbe": linear_probe_case(),
}
path = pathlib.Path(__file__).with_name("probes.json")
path.write_text(json.dumps(plain(golden)) + "\n")
print(f"{path.name}: {path.stat().st_size} bytes")
