"""Golden values for src/metrics: scikit-learn, scipy and statsmodels -> metrics.json.

Run: /usr/bin/python3 tests/golden/metrics.py   (Debian: python3-sklearn, python3-scipy, python3-statsmodels)
"""

import json
import pathlib

import numpy as np
import scipy.special
import scipy.stats
import sklearn
import statsmodels
import statsmodels.api as sm
from sklearn.calibration import calibration_curve
from sklearn.metrics import (
    average_precision_score,
    balanced_accuracy_score,
    brier_score_loss,
    cohen_kappa_score,
    f1_score,
    precision_recall_curve,
    precision_score,
    recall_score,
    roc_auc_score,
    roc_curve,
)
from statsmodels.stats.multitest import multipletests

rng = np.random.default_rng(2022)


def probabilities(n, digits):
    """Labels and miscalibrated probabilities strictly between 0 and 1; fewer digits, more ties."""
    labels = rng.integers(0, 2, n)
    labels[:2] = [0, 1]
    p = scipy.special.expit(0.4 + 1.3 * (rng.normal(size=n) + labels - 0.5))
    return labels, np.clip(np.round(p, digits), 0.1**digits, 1 - 0.1**digits)


def expected_error(labels, p, weights, edges):
    """Naeini et al. 2015 with bins (low, high], the first one closed."""
    bins = np.searchsorted(edges[1:-1], p)
    error = 0
    for b in range(len(edges) - 1):
        own = bins == b
        error += abs((weights[own] * (labels[own] - p[own])).sum())
    return error / weights.sum()


def recalibration(labels, p, weights):
    logit = np.log(p) - np.log1p(-p)
    family = sm.families.Binomial()
    both = sm.GLM(labels, sm.add_constant(logit), family=family, freq_weights=weights).fit(tol=1e-14)
    large = sm.GLM(labels, np.ones(len(p)), family=family, offset=logit, freq_weights=weights).fit(tol=1e-14)
    return both.params[1], large.params[0]


def binary_values(labels, p, weights):
    called = (p > 0.5).astype(int)
    slope, intercept = recalibration(labels, p, weights)
    weighted = {"sample_weight": weights}
    return {
        "auc": roc_auc_score(labels, p, **weighted),
        "averagePrecision": average_precision_score(labels, p, **weighted),
        "accuracy": np.average(called == labels, weights=weights),
        "macroRecall": balanced_accuracy_score(labels, called, **weighted),
        "f1": f1_score(labels, called, **weighted),
        "precision": precision_score(labels, called, **weighted),
        "recall": recall_score(labels, called, **weighted),
        "specificity": recall_score(labels, called, pos_label=0, **weighted),
        "macroF1": f1_score(labels, called, average="macro", **weighted),
        "macroPrecision": precision_score(labels, called, average="macro", **weighted),
        "kappa": cohen_kappa_score(labels, called, **weighted),
        "brier": brier_score_loss(labels, p, **weighted),
        "calibrationError": expected_error(labels, p, weights, np.linspace(0, 1, 11)),
        "calibrationSlope": slope,
        "calibrationIntercept": intercept,
    }


def binary_case(n, digits):
    labels, p = probabilities(n, digits)
    weights = rng.integers(0, 4, n).astype(float)
    fpr, tpr, roc_thresholds = roc_curve(labels, p, drop_intermediate=False)
    precision, recall, pr_thresholds = precision_recall_curve(labels, p)
    diagrams = {}
    for ours, theirs in [("equal-width", "uniform"), ("equal-mass", "quantile")]:
        observed, predicted = calibration_curve(labels, p, n_bins=5, strategy=theirs)
        edges = np.linspace(0, 1, 6) if theirs == "uniform" else np.percentile(p, np.linspace(0, 1, 6) * 100)
        diagrams[ours] = {
            "observed": observed,
            "predicted": predicted,
            "error": expected_error(labels, p, np.ones(n), edges),
        }
    return {
        "labels": labels,
        "probabilities": p,
        "weights": weights,
        "plain": binary_values(labels, p, np.ones(n)),
        "weighted": binary_values(labels, p, weights),
        "roc": {"fpr": fpr, "tpr": tpr, "thresholds": roc_thresholds[1:]},
        "pr": {"precision": precision, "recall": recall, "thresholds": pr_thresholds},
        "diagrams": diagrams,
    }


def three_class_values(labels, p, weights):
    called = p.argmax(1)
    weighted = {"sample_weight": weights}
    onehot = np.eye(3)[labels]
    precisions = [average_precision_score(onehot[:, c], p[:, c], **weighted) for c in range(3)]
    areas = [roc_auc_score(onehot[:, c], p[:, c], **weighted) for c in range(3)]
    return {
        "macroAuc": np.mean(areas),
        "macroAveragePrecision": np.mean(precisions),
        "accuracy": np.average(called == labels, weights=weights),
        "macroRecall": balanced_accuracy_score(labels, called, **weighted),
        "macroF1": f1_score(labels, called, average="macro", **weighted),
        "macroPrecision": precision_score(labels, called, average="macro", **weighted),
        "kappa": cohen_kappa_score(labels, called, **weighted),
        "brier": np.average(((p - onehot) ** 2).sum(1), weights=weights),
        "calibrationError": expected_error(
            (called == labels).astype(int), p.max(1), weights, np.linspace(0, 1, 11)
        ),
    }


def three_class_case(n):
    labels = rng.integers(0, 3, n)
    labels[:3] = [0, 1, 2]
    logits = rng.normal(size=(n, 3)) + np.eye(3)[labels]
    # Sixteenths sum to 1 exactly and tie often.
    draws = [rng.choice(3, 16, p=np.exp(z) / np.exp(z).sum()) for z in logits]
    p = np.stack([np.bincount(draw, minlength=3) for draw in draws]) / 16
    weights = rng.integers(0, 4, n).astype(float)
    return {
        "labels": labels,
        "probabilities": p.ravel(),
        "weights": weights,
        "plain": three_class_values(labels, p, np.ones(n)),
        "weighted": three_class_values(labels, p, weights),
    }


def rank_case(n, digits):
    x = np.round(rng.normal(size=n), digits)
    y = np.round(0.6 * x + rng.normal(size=n), digits)
    return {"x": x, "y": y, "rho": scipy.stats.spearmanr(x, y)[0]}


def normal_case():
    z = np.array([-6, -1, 0, 0.3, 1, 1.9, 2, 2.5, 4, 9, 20, 37])
    confidences = np.array([0.01, 0.5, 0.9, 0.95, 0.99, 0.999999])
    return {
        "z": z,
        "tail": scipy.stats.norm.sf(z),
        "confidences": confidences,
        "halfWidths": scipy.stats.norm.ppf((1 + confidences) / 2),
    }


def two_scores(n, digits):
    """Inputs of delong.R: two correlated scores of the same samples."""
    labels, p = probabilities(n, digits)
    other = np.round(0.5 * p + 0.5 * rng.uniform(size=n) + 0.1 * labels, digits)
    return {"labels": labels, "first": p, "second": other}


def holm_case():
    p = np.array([0.01, 0.04, 0.03, 0.005, 0.9, 0.03, 0.0004])
    return {"p": p, "adjusted": multipletests(p, method="holm")[1]}


def plain(value):
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if isinstance(value, (np.ndarray, np.generic)):
        return value.tolist()
    return value


golden = {
    "made": f"scikit-learn {sklearn.__version__}, scipy {scipy.__version__}, statsmodels {statsmodels.__version__}",
    "binary": [binary_case(60, 3), binary_case(80, 1)],
    "threeClasses": three_class_case(70),
    "ranks": [rank_case(12, 3), rank_case(40, 0)],
    "normal": normal_case(),
    "holm": holm_case(),
    "twoScores": [two_scores(40, 3), two_scores(90, 1)],
}
path = pathlib.Path(__file__).with_name("metrics.json")
path.write_text(json.dumps(plain(golden)) + "\n")
print(f"{path.name}: {path.stat().st_size} bytes")
