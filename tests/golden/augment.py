"""Golden values for tests/augment: torch and torchvision in float64. Run: /usr/bin/python3 tests/golden/augment.py"""

import json
import pathlib
import warnings

import torch
import torch.nn.functional as F
import torchvision
from torchvision.transforms import RandomResizedCrop
from torchvision.transforms import functional as V

warnings.filterwarnings("ignore")
torch.manual_seed(0)


def pixels(batch, channels, height, width):
    """The same formula as in the tests: bytes without structure."""
    index = torch.arange(batch * channels * height * width, dtype=torch.int64)
    return torch.remainder(index * index * 31 + index * 17, 256).reshape(batch, channels, height, width)


def flat(x):
    return [round(v, 7) for v in x.reshape(-1).tolist()]


# Crops (top, left, height, width, flip), two per batch, resized up and down to odd and even sides.
CROPS = [[0, 0, 9, 7, False], [2, 1, 6, 5, True]], [[3, 2, 1, 4, True], [0, 3, 8, 3, False]]
resample = []
for channels in (1, 3):
    images = pixels(2, channels, 9, 7).double() / 255
    for crops in CROPS:
        for size in (3, 8) if channels == 3 else (1, 3, 4, 7, 11):
            for antialias in (True, False):
                rows = []
                for image, (top, left, height, width, flip) in zip(images, crops):
                    crop = image[None, :, top : top + height, left : left + width]
                    out = F.interpolate(crop, (size, size), mode="bilinear", align_corners=False, antialias=antialias)
                    rows.append(out.flip(3) if flip else out)
                resample.append(
                    {
                        "channels": channels,
                        "crops": crops,
                        "size": size,
                        "antialias": antialias,
                        "values": flat(torch.cat(rows)),
                    }
                )

# Photometry: noise, with a gray, a black, a white and a pure-colour corner in every image.
FACTORS = {
    "brightness": [0.0, 0.4, 1.0, 1.3, 1.8],
    "contrast": [1.8, 0.0, 0.4, 1.0, 1.3],
    "saturation": [1.3, 1.8, 0.0, 0.4, 1.0],
    "hue": [0.5, -0.2, 0.05, 0.4, -0.5],
}
ADJUST = {name: getattr(V, f"adjust_{name}") for name in FACTORS}
ORDERS = [
    ["brightness", "contrast", "saturation", "hue"],
    ["hue", "saturation", "contrast", "brightness"],
    ["contrast", "hue", "brightness", "saturation"],
    ["saturation", "brightness", "hue", "contrast"],
    ["hue", "contrast", "brightness", "saturation"],
]
photometry = []
for channels in (1, 3):
    images = pixels(5, channels, 4, 5).double() / 255
    images[:, :, 0, 0] = 0.5
    images[:, :, 0, 1] = 0
    images[:, :, 0, 2] = 1
    images[:, 0, 0, 3] = 1
    images[:, 1:, 0, 3] = 0
    case = {"channels": channels}
    for name, factors in FACTORS.items():
        case[name] = flat(torch.stack([ADJUST[name](image, factor) for image, factor in zip(images, factors)]))
    jittered = []
    for b, image in enumerate(images):
        for name in ORDERS[b]:
            image = ADJUST[name](image, FACTORS[name][b])
        jittered.append(image)
    case["jitter"] = flat(torch.stack(jittered))
    case["grayscale"] = flat(torch.stack([V.rgb_to_grayscale(image, channels) for image in images]))
    photometry.append(case)

blur = []
for channels, height, width, kernel in ((1, 7, 6, 5), (3, 4, 5, 7), (1, 3, 9, 1)):
    images = pixels(3, channels, height, width).double() / 255
    sigmas = [0.1, 0.8, 2.0]
    out = [V.gaussian_blur(image, [kernel, kernel], [sigma, sigma]) for image, sigma in zip(images, sigmas)]
    blur.append({"shape": [3, channels, height, width], "kernelSize": kernel, "sigmas": sigmas, "values": flat(torch.stack(out))})

# RandomResizedCrop.get_params: moments of many draws, and what it falls back to when no box fits.
SIDE = 128
image = torch.empty(1, SIDE, SIDE)
crops = []
for scale in ([0.5, 1.0], [0.2, 1.0], [0.08, 1.0]):
    draws = torch.tensor([RandomResizedCrop.get_params(image, scale, [3 / 4, 4 / 3]) for _ in range(40000)]).double()
    top, left, height, width = draws.T
    moments = {
        "area": height * width / SIDE**2,
        "logRatio": torch.log(width / height),
        "top": top / SIDE,
        "left": left / SIDE,
        "height": height / SIDE,
    }
    crops.append({"scale": scale, "moments": {k: [v.mean().item(), v.std().item()] for k, v in moments.items()}})
fallbacks = []
for ratio in ([1.5, 2.0], [0.3, 0.6], [0.999, 1.001]):
    box = RandomResizedCrop.get_params(torch.empty(1, 101, 101), [1.0, 1.0], ratio)
    fallbacks.append({"side": 101, "ratio": ratio, "box": list(box)})

golden = {
    "torch": torch.__version__,
    "torchvision": torchvision.__version__,
    "resample": resample,
    "factors": FACTORS,
    "orders": ORDERS,
    "photometry": photometry,
    "blur": blur,
    "crops": {"side": SIDE, "cases": crops, "fallbacks": fallbacks},
}
path = pathlib.Path(__file__).with_suffix(".json")
path.write_text(json.dumps(golden) + "\n")
print(f"{path}: {path.stat().st_size} bytes")
