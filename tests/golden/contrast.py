"""Golden values of the competing methods' losses and their gradients, in float64 PyTorch, written from the papers' formulas
by loops over anchors and candidates. Run: /usr/bin/python3 tests/golden/contrast.py"""
import json
import math
import os

import torch

from formula import values


def unit(v):
    return v / v.norm() if v.norm() > 0 else v / 1e-12


def minus_log_share(positive, negatives):
    """-log( exp(positive) / (exp(positive) + sum of exp(negatives)) )"""
    total = positive.exp()
    for s in negatives:
        total = total + s.exp()
    return -(positive.exp() / total).log()


def average(terms):
    return sum(terms) / len(terms)


# --- Hu et al. 2022, Eqs. 7-11, with false negatives left out ---------------------------------------------------------
def info_nce(f, g, tau, positive, exclude):
    terms = []
    for i in range(len(f)):
        s = [torch.dot(unit(f[i]), unit(g[j])) / tau for j in range(len(g))]
        others = [s[j] for j in range(len(g)) if j != i and not exclude[i][j]]
        terms.append(minus_log_share(s[i], others + [s[i]] * (positive == "twice")))
    return average(terms)


def global_contrastive(a, b, a_hat, b_hat, tau, positive, exclude):
    return sum(info_nce(f, g, tau, positive, exclude) for f, g in [(a, a_hat), (b, b_hat), (a, b), (b, a)])


# --- Chen et al. 2020, Eq. 1; Khosla et al. 2020, Eq. 2 -----------------------------------------------------------------
def nt_xent(views, tau, exclude):
    anchors = [(v, i) for v in range(len(views)) for i in range(len(views[0]))]
    terms = []
    for v, i in anchors:
        s = {(w, j): torch.dot(unit(views[v][i]), unit(views[w][j])) / tau for w, j in anchors if (w, j) != (v, i)}
        candidates = [key for key in s if key[1] == i or not exclude[i][key[1]]]
        denominator = sum(s[key].exp() for key in candidates)
        positives = [key for key in s if key[1] == i]
        terms.append(average([-(s[key].exp() / denominator).log() for key in positives]))
    return average(terms)


# --- Several modalities, of which samples lack some: means over all images, and over all pairs of images of a sample -----
GAPS = [[0, 1, 2, 3, 4, 5], [0, 2, 3, 5], [1, 3, 4, 5]]


def modality_contrastive(clean, augmented, tau, cross_modal, share):
    excluded = mask([6, 6], share)

    def one(f, g, samples, i):
        s = [torch.dot(unit(f[i]), unit(g[j])) / tau for j in range(len(samples))]
        others = [s[j] for j in range(len(samples)) if j != i and not excluded[samples[i]][samples[j]]]
        return minus_log_share(s[i], others)

    alone = [one(clean[m], augmented[m], GAPS[m], i) for m in range(3) for i in range(len(GAPS[m]))]
    crossed = []
    for m in range(3):
        for other in range(m + 1, 3):
            both = [sample for sample in GAPS[m] if sample in GAPS[other]]
            rows = lambda x, which: [x[which][GAPS[which].index(sample)] for sample in both]
            for i in range(len(both)):
                there = one(rows(clean, m), rows(clean, other), both, i)
                if cross_modal == "both-directions":
                    crossed.append(there + one(rows(clean, other), rows(clean, m), both, i))
                else:
                    crossed.append(there + one(rows(augmented, m), rows(augmented, other), both, i))
    return 2 * average(alone) + (average(crossed) if cross_modal != "none" else 0)


# Each pair of modalities has predictions of the second from the first, and of the first from the second, for the samples
# that have both. Embeddings of a modality in `fixed` take no gradient as targets.
PAIRS = [(m, other) for m in range(3) for other in range(m + 1, 3)]


def both_of(m, other):
    return [sample for sample in GAPS[m] if sample in GAPS[other]]


def modality_prediction(clean, augmented, predicted, tau, fixed, beta, share):
    excluded = mask([6, 6], share)

    def one(f, g, samples, i):
        s = [torch.dot(unit(f[i]), unit(g[j])) / tau for j in range(len(samples))]
        others = [s[j] for j in range(len(samples)) if j != i and not excluded[samples[i]][samples[j]]]
        return minus_log_share(s[i], others)

    alone = [one(clean[m], augmented[m], GAPS[m], i) for m in range(3) for i in range(len(GAPS[m]))]
    crossed = []
    for p, (m, other) in enumerate(PAIRS):
        both = both_of(m, other)
        target = lambda which: [
            (clean[which].detach() if which in fixed else clean[which])[GAPS[which].index(sample)] for sample in both
        ]
        for i in range(len(both)):
            there = one(predicted[2 * p], target(other), both, i)
            crossed.append(there + one(predicted[2 * p + 1], target(m), both, i))
    return 2 * average(alone) + beta * average(crossed)


# --- Ours: the mean squared correlation of the components of two embeddings over the batch --------------------------------
def cross_correlation(f, g):
    def standardised(x):
        centred = x - x.mean()
        return centred / ((centred * centred).mean() + 1e-5).sqrt()

    d = f.shape[1]
    return [[(standardised(f[:, i]) * standardised(g[:, j])).mean() for j in range(d)] for i in range(d)]


def decorrelation(f, g):
    return average([c**2 for row in cross_correlation(f, g) for c in row])


# --- Zbontar et al. 2021, Eq. 1; Wang et al. 2024: two views of each modality, and the samples that have it ----------------
def distance_from(diagonal, c, components, lam):
    own = sum((diagonal - c[k][k]) ** 2 for k in components)
    return own + lam * sum(c[k][l] ** 2 for k in components for l in components if k != l)


def decur_terms(views, gaps, lam, common):
    """Means over the images, and over the pairs of images; one sample has no correlation. None: nothing to compare."""
    d = views[0].shape[1]
    intra, commons, uniques = [], [], []
    for m, samples in enumerate(gaps):
        if len(samples) > 1:
            c = cross_correlation(views[2 * m], views[2 * m + 1])
            intra += [distance_from(1, c, range(d), lam)] * len(samples)
    for m in range(len(gaps)):
        for other in range(m + 1, len(gaps)):
            both = [sample for sample in gaps[m] if sample in gaps[other]]
            if len(both) > 1:
                first, second = [
                    torch.stack([views[2 * which][gaps[which].index(sample)] for sample in both]) for which in (m, other)
                ]
                c = cross_correlation(first, second)
                commons += [distance_from(1, c, range(common), lam)] * len(both)
                uniques += [distance_from(0, c, range(common, d), lam)] * len(both)
    return [average(terms) if terms else None for terms in (intra, commons, uniques)]


def decur(views, gaps, lam, common):
    # With two modalities that all samples have: a third of BT(A) + BT(B) + (L_c + L_u) / 2.
    intra, commons, uniques = decur_terms(views, gaps, lam, common)
    return (2 * intra + (0 if commons is None else (commons + uniques) / 2)) / 3


def nt_xent_of_rows(z, samples, groups, tau):
    terms = []
    for i in range(len(samples)):
        others = [j for j in range(len(samples)) if j != i]
        positives = [j for j in others if samples[j] == samples[i]]
        if not positives:
            continue
        s = {j: torch.dot(unit(z[i]), unit(z[j])) / tau for j in others}
        kept = [j for j in others if j in positives or groups is None or groups[j] != groups[i]]
        denominator = sum(s[j].exp() for j in kept)
        terms.append(average([-(s[j].exp() / denominator).log() for j in positives]))
    return average(terms)


# --- Wu et al. 2018, Eqs. 2 and 3-7 ---------------------------------------------------------------------------------------
def bank_softmax(f, bank, rows, tau, exclude):
    terms = []
    for b, row in enumerate(rows):
        s = [torch.dot(v, unit(f[b])) / tau for v in bank]
        terms.append(minus_log_share(s[row], [s[j] for j in range(len(bank)) if j != row and not exclude[b][j]]))
    return average(terms)


def bank_nce(f, bank, rows, negatives, tau, normalizer, exclude):
    n, terms = len(bank), []
    for b, row in enumerate(rows):
        kept = [j for k, j in enumerate(negatives[b]) if not exclude[b][k]]
        p = lambda j: (torch.dot(bank[j], unit(f[b])) / tau).exp() / normalizer
        h = lambda j: p(j) / (p(j) + len(kept) / n)
        terms.append(-h(row).log() - sum((1 - h(j)).log() for j in kept))
    return average(terms)


def normalizer_estimate(f, bank, negatives, tau):
    drawn = [(torch.dot(bank[j], unit(f[b])) / tau).exp() for b, row in enumerate(negatives) for j in row]
    return len(bank) * average(drawn)


# --- He et al. 2020, Eq. 1; Wang et al. 2021, Eqs. 1 and 2 ---------------------------------------------------------------
def queue_contrast(q, k, queue, tau, exclude):
    terms = []
    for b in range(len(q)):
        negatives = [torch.dot(unit(q[b]), key) / tau for j, key in enumerate(queue) if not exclude[b][j]]
        terms.append(minus_log_share(torch.dot(unit(q[b]), unit(k[b])) / tau, negatives))
    return average(terms)


def dense_correspondence(fq, fk):
    match = []
    for b in range(len(fq)):
        row = []
        for p in range(fq.shape[2]):
            cosines = [torch.dot(unit(fq[b, :, p]), unit(fk[b, :, r])).item() for r in range(fk.shape[2])]
            row.append(cosines.index(max(cosines)))
        match.append(row)
    return match


def dense_contrast(q, k, match, queue, tau, exclude):
    images = []
    for b in range(len(q)):
        keys = torch.stack([k[b, :, match[b][p]] for p in range(q.shape[2])])
        images.append(queue_contrast(q[b].t(), keys, queue, tau, [exclude[b]] * q.shape[2]))
    return average(images)


# --- Cases; contrast.test.ts makes the same inputs -------------------------------------------------------------------------
def rounded(x):
    # 14 digits: a hundredth of the tolerance the tests hold (1e-11).
    return float(f"{x:.14g}")


def case(inputs, loss):
    for x in inputs:
        x.requires_grad_()
    value = loss(*inputs)
    gradients = [[0.0] * x.numel() for x in inputs]
    if value.requires_grad:
        value.backward()
        found = [torch.zeros_like(x) if x.grad is None else x.grad for x in inputs]
        gradients = [[rounded(v) for v in x.flatten().tolist()] for x in found]
    return {"loss": rounded(value.item()), "gradients": gradients}


def unit_rows(shape, seed):
    rows = values(shape, seed)
    return rows / rows.norm(dim=1, keepdim=True)


def mask(shape, share):
    """True for a share of the entries and for the whole first row; None: nothing."""
    if share is None:
        return torch.zeros(shape, dtype=torch.bool).tolist()
    excluded = values(shape, 99, 0.0, 1.0) < share
    excluded[0] = True
    return excluded.tolist()


def zero_out(x, rows):
    x = x.clone()
    for row in rows:
        x[row] = 0
    return x


SHARES = (None, 0.4)


def main():
    golden = {name: [] for name in ("infoNce", "global", "modalities", "prediction", "decorrelation", "decur", "ntXent", "ntXentOfRows", "bankSoftmax", "bankNce", "queue", "dense")}
    for n, d, tau, zero in [(1, 4, 0.07, []), (5, 3, 0.07, []), (4, 6, 0.5, [2])]:
        for positive in ("once", "twice"):
            inputs = [zero_out(values([n, d], 3), zero), values([n, d], 4)]
            result = case(inputs, lambda *x: info_nce(*x, tau, positive, mask([n, n], 0.4)))
            golden["infoNce"].append(dict(shape=[n, d], tau=tau, positive=positive, share=0.4, zero=zero, **result))
    for n, d in [(1, 3), (6, 4)]:
        result = case(
            [values([n, d], 20 + view, -0.5, 1.0) for view in range(4)],
            lambda *x: global_contrastive(*x, 0.07, "once", mask([n, n], 0.4)),
        )
        golden["global"].append(dict(shape=[n, d], share=0.4, **result))
    for cross_modal in ("both-directions", "clean-and-augmented", "none"):
        for share in SHARES:
            inputs = [values([len(GAPS[v % 3]), 4], 70 + v, -0.5, 1.0) for v in range(6)]
            result = case(inputs, lambda *x: modality_contrastive(x[:3], x[3:], 0.2, cross_modal, share))
            golden["modalities"].append(dict(crossModal=cross_modal, share=share, **result))
    for fixed, beta, share in (([0, 1, 2], 1, None), ([], 1, 0.3), ([1], 0.1, None)):
        views = [values([len(GAPS[v % 3]), 4], 70 + v, -0.5, 1.0) for v in range(6)]
        sides = [values([len(both_of(*PAIRS[p // 2])), 4], 90 + p, -0.5, 1.0) for p in range(6)]
        loss = lambda *x: modality_prediction(x[:3], x[3:6], x[6:], 0.2, fixed, beta, share)
        golden["prediction"].append(dict(fixed=fixed, beta=beta, share=share, **case(views + sides, loss)))
    for n, d in [(4, 1), (6, 4)]:
        golden["decorrelation"].append(dict(shape=[n, d], **case([values([n, d], 60), values([n, d], 61)], decorrelation)))
    for gaps, d, lam, common in [
        ([list(range(7)), list(range(7))], 5, 0.0051, 3),
        ([list(range(5)), list(range(5))], 4, 0.5, 4),
        ([list(range(5)), list(range(5))], 4, 0.5, 0),
        (GAPS, 5, 0.1, 4),
        ([list(range(6)), [2], [1, 3, 4]], 3, 0.1, 1),
        ([list(range(3))], 3, 0.0051, 2),
    ]:
        views = [values([len(gaps[v // 2]), d], 110 + v, -0.5, 1.0) for v in range(2 * len(gaps))]
        terms = dict(zip(("intra", "common", "unique"), decur_terms(views, gaps, lam, common)))
        terms = {name: None if x is None else rounded(float(x)) for name, x in terms.items()}
        result = case(views, lambda *x: decur(x, gaps, lam, common))
        golden["decur"].append(dict(gaps=gaps, components=d, lam=lam, common=common, terms=terms, **result))
    samples = [sample for gap in GAPS for sample in gap] + [6]
    for groups in (None, [sample // 2 for sample in samples]):
        result = case([values([len(samples), 5], 80)], lambda z: nt_xent_of_rows(z, samples, groups, 0.3))
        golden["ntXentOfRows"].append(dict(samples=samples, groups=groups, **result))
    for count, n, d, tau, zero in [(2, 1, 4, 0.5, []), (2, 5, 3, 0.1, []), (3, 1, 3, 0.5, []), (3, 4, 5, 0.2, [1]), (4, 3, 3, 0.07, [])]:
        for share in SHARES:
            inputs = [zero_out(values([n, d], 30), zero)] + [values([n, d], 30 + view) for view in range(1, count)]
            result = case(inputs, lambda *x: nt_xent(x, tau, mask([n, n], share)))
            golden["ntXent"].append(dict(views=count, shape=[n, d], tau=tau, share=share, zero=zero, **result))
    for batch, n, d, tau, zero in [(1, 1, 3, 0.07, []), (1, 7, 3, 0.07, []), (4, 6, 5, 0.2, [3]), (5, 9, 4, 0.07, [])]:
        bank, rows = unit_rows([n, d], 41), [(3 * b + 1) % n for b in range(batch)]
        for share in SHARES:
            result = case(
                [zero_out(values([batch, d], 40), zero)],
                lambda f: bank_softmax(f, bank, rows, tau, mask([batch, n], share)),
            )
            golden["bankSoftmax"].append(dict(batch=batch, rows=n, dimension=d, tau=tau, share=share, zero=zero, **result))
    for batch, n, d, drawn, tau, normalizer, zero in [
        (1, 5, 3, 4, 0.5, 11.0, []),
        (4, 8, 5, 3, 0.2, 900.0, [3]),
        (3, 6, 4, 5, 0.07, None, []),
        (2, 4, 3, 0, 0.07, 5.0, []),
    ]:
        bank, rows = unit_rows([n, d], 41), [(3 * b + 1) % n for b in range(batch)]
        negatives = [[(row + 1 + k) % n for k in range(drawn)] for row in rows]
        f = zero_out(values([batch, d], 40), zero)
        estimate = normalizer_estimate(f, bank, negatives, tau).item() if drawn > 0 else None
        z = estimate if normalizer is None else normalizer
        for share in SHARES:
            result = case(
                [f.detach().clone()], lambda x: bank_nce(x, bank, rows, negatives, tau, z, mask([batch, drawn], share))
            )
            golden["bankNce"].append(
                dict(batch=batch, rows=n, dimension=d, drawn=drawn, tau=tau, normalizer=z, estimate=estimate, share=share, zero=zero, **result)
            )
    for batch, size, d, tau, zero in [(1, 0, 3, 0.2, []), (3, 0, 3, 0.2, []), (1, 4, 3, 0.2, []), (4, 7, 5, 0.07, [2]), (5, 3, 4, 0.2, [])]:
        k, queue = values([batch, d], 51), unit_rows([size, d], 52)
        for share in SHARES:
            result = case(
                [zero_out(values([batch, d], 50), zero)],
                lambda q: queue_contrast(q, k, queue, tau, mask([batch, size], share)),
            )
            golden["queue"].append(dict(batch=batch, size=size, dimension=d, tau=tau, share=share, zero=zero, **result))
    for batch, channels, d, positions, size, tau, zero in [
        (1, 3, 2, 1, 3, 0.2, []),
        (2, 4, 3, 6, 5, 0.2, []),
        (3, 2, 4, 9, 0, 0.07, []),
        (3, 5, 4, 4, 6, 0.07, [1]),
    ]:
        match = dense_correspondence(values([batch, channels, positions], 60), values([batch, channels, positions], 61))
        k, queue = values([batch, d, positions], 63), unit_rows([size, d], 64)
        for share in SHARES:
            result = case(
                [zero_out(values([batch, d, positions], 62), zero)],
                lambda q: dense_contrast(q, k, match, queue, tau, mask([batch, size], share)),
            )
            golden["dense"].append(
                dict(batch=batch, channels=channels, dimension=d, positions=positions, size=size, tau=tau, share=share, zero=zero, match=match, **result)
            )
    path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "contrast.json")
    with open(path, "w") as file:
        json.dump(golden, file, separators=(",", ":"))
        file.write("\n")
    numbers = [c["loss"] for group in golden.values() for c in group]
    assert all(math.isfinite(x) for x in numbers)


main()
