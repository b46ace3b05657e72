"""Golden values of SGD, AdamW and the learning-rate schedules, from torch.optim in float64.
Run: /usr/bin/python3 tests/golden/optim.py"""
import json
import os
import warnings

import torch

from formula import values

SHAPES = {"weight": [2, 3], "bias": [3]}
STEPS = 6
# By step; the bias has no gradient in the first and the fourth.
RATES = [0.1, 0.1, 0.05, 0.3, 0.02, 0.1]
WITHOUT_BIAS = [0, 3]


def trajectory(**options):
    parameters = {n: torch.nn.Parameter(values(s, 1 + i)) for i, (n, s) in enumerate(SHAPES.items())}
    optimizer = torch.optim.SGD(parameters.values(), lr=1.0, **options)
    steps = []
    for step in range(STEPS):
        for i, (name, shape) in enumerate(SHAPES.items()):
            skipped = name == "bias" and step in WITHOUT_BIAS
            parameters[name].grad = None if skipped else values(shape, 100 + 10 * step + i)
        optimizer.param_groups[0]["lr"] = RATES[step]
        optimizer.step()
        steps.append({name: p.detach().flatten().tolist() for name, p in parameters.items()})
    return steps


def adamw_trajectory(groups, **options):
    """`groups`: by parameter, factor on the rate and weight decay."""
    parameters = {n: torch.nn.Parameter(values(s, 1 + i)) for i, (n, s) in enumerate(SHAPES.items())}
    optimizer = torch.optim.AdamW(
        [{"params": [parameters[n]], "weight_decay": g["weightDecay"]} for n, g in groups.items()], lr=1.0, **options
    )
    steps = []
    for step in range(STEPS):
        for i, (name, shape) in enumerate(SHAPES.items()):
            skipped = name == "bias" and step in WITHOUT_BIAS
            parameters[name].grad = None if skipped else values(shape, 100 + 10 * step + i)
        for group, own in zip(optimizer.param_groups, groups.values()):
            group["lr"] = RATES[step] * own["rate"]
        optimizer.step()
        steps.append({name: p.detach().flatten().tolist() for name, p in parameters.items()})
    moments = {n: {k: optimizer.state[p][k].flatten().tolist() for k in ("exp_avg", "exp_avg_sq")}
               for n, p in parameters.items()}
    return {"groups": groups, "options": options, "steps": steps, "moments": moments}


def rates(make, count, base):
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=base)
    scheduler = make(optimizer)
    found = []
    for _ in range(count):
        found.append(optimizer.param_groups[0]["lr"])
        scheduler.step()
    return found


def main():
    warnings.simplefilter("ignore")  # schedulers stepped without the optimiser
    schedulers = torch.optim.lr_scheduler
    options = [
        {},
        {"momentum": 0.9},
        {"weight_decay": 0.1},
        {"momentum": 0.9, "weight_decay": 0.01},
        {"momentum": 0.8, "weight_decay": 0.01, "nesterov": True},
    ]
    alike = {"rate": 1, "weightDecay": 0.05}
    golden = {
        "adamw": [
            adamw_trajectory({"weight": {"rate": 1, "weightDecay": 0}, "bias": {"rate": 1, "weightDecay": 0}}),
            adamw_trajectory({"weight": alike, "bias": alike}, betas=[0.8, 0.95], eps=1e-6),
            adamw_trajectory({"weight": {"rate": 0.65, "weightDecay": 0.05}, "bias": {"rate": 0.4225, "weightDecay": 0}}),
        ],
        "sgd": [{"options": o, "steps": trajectory(**o)} for o in options],
        "multistep": rates(lambda o: schedulers.MultiStepLR(o, [10, 30, 50, 70], 0.5), 80, 0.03),
        "cosine": rates(lambda o: schedulers.CosineAnnealingLR(o, 40, eta_min=0.001), 40, 0.03),
    }
    path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "optim.json")
    with open(path, "w") as file:
        json.dump(golden, file, separators=(",", ":"))
        file.write("\n")


main()
