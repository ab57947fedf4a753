"""Measure how many views of images are made per second: the default recipe in batches, and pipelines image by image.

    python benchmarks/views.py [--images 2048] [--side 32] [--batch 256] [--rounds 5] [--threads 1]

All pipelines start with bytes and end with float32: crop, mirror image, colour jitter of 0.4, 0.4, 0.2 and 0.1 in 80 %,
gray in 20 %, blur in 50 % (from 56 pixels on, as in the recipe), solarizing in 10 %. "PIL, image by image" is written
here, with the operations that torchvision's and lightly's transforms call for PIL images; it stands in for them if they
are not installed. The pipelines alternate in one process. Figures are medians over the rounds, with the quartiles of
the ratio.
"""

import argparse
import math
import platform
import random
import time
import warnings

import numpy as np
import PIL
import torch
from PIL import Image, ImageEnhance, ImageFilter, ImageOps

import sklearn_twins
from sklearn_twins._parts._augmentation import bind, compiled_by
from sklearn_twins._runtime._compile import check_compiler, compile_function
from sklearn_twins.augmentations import ImageViews, make_views
from sklearn_twins.preprocessing import ImageSpec

CPU = torch.device("cpu")
LEAST_BLURRED = 56  # pixels
MEAN, STD = torch.full((3, 1, 1), 0.5), torch.full((3, 1, 1), 0.25)
REFERENCE = "PIL, image by image"


def sigmas(side):
    """Return the smallest and largest standard deviation of the blur in pixels; None without blur."""
    return (0.1 * side / 224, 2 * side / 224) if side >= LEAST_BLURRED else None


def blur_size(side):
    """Return the size of the blur's kernel in pixels: four of the largest standard deviations to each side."""
    return 2 * math.ceil(4 * 2 * side / 224) + 1


def random_box(side, rng):
    """Draw the box of a random crop: left, top, right, bottom."""
    for _ in range(10):
        area, ratio = side * side * rng.uniform(0.2, 1), math.exp(rng.uniform(math.log(3 / 4), math.log(4 / 3)))
        width, height = round(math.sqrt(area * ratio)), round(math.sqrt(area / ratio))
        if 0 < width <= side and 0 < height <= side:
            left, top = rng.randint(0, side - width), rng.randint(0, side - height)
            return left, top, left + width, top + height
    return 0, 0, side, side


def turn_hue(image, shift):
    """Shift the hue by a share of the colour circle."""
    h, s, v = image.convert("HSV").split()
    turned = np.asarray(h) + np.array(round(255 * shift) % 256, np.uint8)
    return Image.merge("HSV", (Image.fromarray(turned), s, v)).convert("RGB")


def jitter(image, rng):
    """Change brightness, contrast, saturation and hue, in random order."""
    changes = [
        lambda image: ImageEnhance.Brightness(image).enhance(rng.uniform(0.6, 1.4)),
        lambda image: ImageEnhance.Contrast(image).enhance(rng.uniform(0.6, 1.4)),
        lambda image: ImageEnhance.Color(image).enhance(rng.uniform(0.8, 1.2)),
        lambda image: turn_hue(image, rng.uniform(-0.1, 0.1)),
    ]
    rng.shuffle(changes)
    for change in changes:
        image = change(image)
    return image


def pil_view(image, side, rng):
    """Make one view of one image.  # returns (3, side, side)"""
    image = image.crop(random_box(side, rng)).resize((side, side), Image.Resampling.BILINEAR)
    if rng.random() < 0.5:
        image = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    if rng.random() < 0.8:
        image = jitter(image, rng)
    if rng.random() < 0.2:
        image = image.convert("L").convert("RGB")
    if sigmas(side) and rng.random() < 0.5:
        image = image.filter(ImageFilter.GaussianBlur(rng.uniform(*sigmas(side))))
    if rng.random() < 0.1:
        image = ImageOps.solarize(image, 128)
    x = torch.from_numpy(np.array(image)).permute(2, 0, 1).contiguous()
    return x.to(torch.float32).div(255).sub_(MEAN).div_(STD)


def of_torchvision(side):
    """Return torchvision's transforms: one view of one PIL image."""
    from torchvision import transforms as T

    blur = (
        [T.RandomApply([T.GaussianBlur(2 * math.ceil(4 * side / 112) + 1, sigmas(side))], 0.5)] if sigmas(side) else []
    )
    steps = [
        T.RandomResizedCrop(side),
        T.RandomHorizontalFlip(),
        T.RandomApply([T.ColorJitter(0.4, 0.4, 0.2, 0.1)], 0.8),
        T.RandomGrayscale(0.2),
        *blur,
        T.RandomSolarize(128, 0.1),
        T.ToTensor(),
        T.Normalize([0.5] * 3, [0.25] * 3),
    ]
    return T.Compose(steps)


def of_lightly(side):
    """Return lightly's transform: one view of one PIL image."""
    from lightly.transforms.byol_transform import BYOLView1Transform

    return BYOLView1Transform(
        input_size=side,
        gaussian_blur=0.5 if sigmas(side) else 0,
        sigmas=sigmas(side) or (0.1, 2),
        solarization_prob=0.1,
    )


def of_kornia(side):
    """Return kornia's augmentations: one view of a batch of intensities."""
    import kornia.augmentation as K

    size = blur_size(side)
    blur = [K.RandomGaussianBlur((size, size), sigmas(side), p=0.5)] if sigmas(side) else []
    return K.AugmentationSequential(
        K.RandomResizedCrop((side, side), scale=(0.2, 1.0)),
        K.RandomHorizontalFlip(),
        K.ColorJitter(0.4, 0.4, 0.2, 0.1, p=0.8),
        K.RandomGrayscale(p=0.2),
        *blur,
        K.RandomSolarize(0.0, 0.0, p=0.1),
    )


def pipelines(X, batch):
    """Return for each pipeline a function that makes some views and returns their number, or why it is missing."""
    n, side = X.shape[:2]
    images = [Image.fromarray(x) for x in X]
    x = torch.from_numpy(X).permute(0, 3, 1, 2)
    batches = [x[start : start + batch] for start in range(0, n, batch)]
    spec, generator, rng = ImageSpec((3, side, side)), torch.Generator().manual_seed(0), random.Random(0)
    eager = bind(ImageViews(), spec, CPU)

    def one_by_one(view):
        torch.stack([view(image) for image in images])
        return n

    def batched(augmentation):
        for rows in batches:
            make_views(augmentation, rows, rows, generator)
        return 2 * n

    def with_kornia(augmentation):
        for rows in batches:
            augmentation(rows.float().div_(255))
        return n

    found = {
        REFERENCE: lambda: one_by_one(lambda image: pil_view(image, side, rng)),
        "ImageViews": lambda: batched(eager),
    }
    try:
        check_compiler(CPU)
        compiled_views = compiled_by(eager, compile_function)
        found["ImageViews, compiled"] = lambda: batched(compiled_views)
    except ValueError:
        found["ImageViews, compiled"] = "no compiler"
    peers = {
        "torchvision, image by image": (of_torchvision, one_by_one),
        "lightly, image by image": (of_lightly, one_by_one),
        "kornia, in batches": (of_kornia, with_kornia),
    }
    for name, (make, run) in peers.items():
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # warnings of the other packages
                peer = make(side)
            found[name] = lambda run=run, peer=peer: run(peer)
        except (ImportError, RuntimeError):  # RuntimeError: its binary does not match torch's
            found[name] = "not installed"
    return found


def rates(runs, rounds):
    """Measure the views per second of each pipeline in each round, in turns; skip the first round."""
    found = {name: [] for name in runs}
    for _ in range(rounds + 1):
        for name, run in runs.items():
            start = time.perf_counter()
            n_views = run()
            found[name].append(n_views / (time.perf_counter() - start))
    return {name: values[1:] for name, values in found.items()}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=2048)
    parser.add_argument("--side", type=int, default=32)
    parser.add_argument("--batch", type=int, default=256)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    shape = (options.images, options.side, options.side, 3)
    X = np.random.default_rng(0).integers(0, 256, size=shape, dtype=np.uint8)
    found = pipelines(X, options.batch)
    figures = rates({name: run for name, run in found.items() if callable(run)}, options.rounds)
    versions = f"sklearn_twins {sklearn_twins.__version__}, torch {torch.__version__}, Pillow {PIL.__version__}"
    print(
        f"{versions}, {platform.machine()}; {options.images} images of {options.side} pixels, batches of "
        f"{options.batch}, {options.threads} thread(s)\n"
    )
    print(f"| pipeline | views/s | speed / {REFERENCE} (quartiles) |")
    print("|---|---|---|")
    for name, run in found.items():
        if callable(run):
            low, ratio, high = np.percentile(np.divide(figures[name], figures[REFERENCE]), [25, 50, 75])
            print(f"| {name} | {np.median(figures[name]):,.0f} | {ratio:.2f} ({low:.2f} to {high:.2f}) |")
        else:
            print(f"| {name} | {run} | |")


if __name__ == "__main__":
    main()
