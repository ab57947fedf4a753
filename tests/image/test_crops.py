"""Crops, mirror images and cut-out squares: against one image at a time, and how they are drawn."""

import math

import numpy as np
import pytest
import torch
from builders import images, seeded
from scipy import stats

from sklearn_twins._image._crops import crop_and_resize, cut_out, draw_boxes, find_fallback_box
from sklearn_twins.augmentations import Cutout, HorizontalFlip, RandomResizedCrop

RATIO = (3 / 4, 4 / 3)


def draw_boxes_one_by_one(n, height, width, scale, ratio, rng):
    """Boxes by the usual rule, image by image: up to ten tries, else the largest one in the middle."""
    boxes = []
    for _ in range(n):
        for _ in range(10):
            area = height * width * rng.uniform(*scale)
            aspect = math.exp(rng.uniform(*np.log(ratio)))
            w, h = round(math.sqrt(area * aspect)), round(math.sqrt(area / aspect))
            if 0 < w <= width and 0 < h <= height:
                boxes.append((rng.integers(0, height - h + 1), rng.integers(0, width - w + 1), h, w))
                break
        else:
            h, w = height, width
            if width / height < ratio[0]:
                h = max(1, round(width / ratio[0]))
            elif width / height > ratio[1]:
                w = max(1, round(height * ratio[1]))
            boxes.append(((height - h) // 2, (width - w) // 2, h, w))
    return np.array(boxes)


def resize_by_pillow(image, top, left, height, width):
    """A part of one channel, resized to the whole by Pillow."""
    PIL_Image = pytest.importorskip("PIL.Image")
    box = PIL_Image.fromarray(image[top : top + height, left : left + width])
    return np.asarray(box.resize(image.shape[::-1], PIL_Image.Resampling.BILINEAR))


@pytest.mark.parametrize("shape", [(3, 32, 32), (3, 9, 14), (2, 5, 7), (1, 1, 9), (1, 1, 1), (4, 40, 24)])
def test_crop_is_what_pillow_makes(shape):
    x = images(40, shape)
    boxes = draw_boxes(40, seeded(), *shape[1:], (0.08, 1.0), RATIO)
    view = crop_and_resize(x, *boxes)
    for i, box in enumerate(zip(*(b.int().tolist() for b in boxes), strict=True)):
        for channel in range(shape[0]):
            expected = resize_by_pillow(x[i, channel].numpy(), *box)
            np.testing.assert_allclose(view[i, channel], expected, atol=1e-5)


@pytest.mark.parametrize("box", [(0, 0, 1, 1), (7, 11, 1, 1), (0, 0, 8, 12), (3, 0, 1, 12), (0, 5, 8, 1), (2, 3, 5, 7)])
def test_crop_of_given_boxes(box):
    """Nothing outside of a box is seen."""
    x = images(1, (1, 8, 12))
    inside = (slice(None), slice(None), slice(box[0], box[0] + box[2]), slice(box[1], box[1] + box[3]))
    given = torch.full_like(x, 1e6)
    given[inside] = x[inside]
    view = crop_and_resize(given, *(torch.tensor([float(v)]) for v in box))
    np.testing.assert_allclose(view[0, 0], resize_by_pillow(x[0, 0].numpy(), *box), atol=1e-6)


def test_crop_of_everything_is_the_image():
    x = images(5, (3, 12, 9))
    view = RandomResizedCrop(scale=(1.0, 1.0), ratio=(9 / 12, 9 / 12))(x, x, seeded())
    assert torch.allclose(view, x, atol=1e-6)


def test_mirrored_crop_is_the_mirror_image_of_the_crop():
    x = images(50, (3, 9, 14))
    boxes = draw_boxes(50, seeded(), 9, 14, (0.08, 1.0), RATIO)
    mirrored = torch.arange(50) % 3 == 0
    expected = crop_and_resize(x, *boxes)
    expected[mirrored] = expected[mirrored].flip(3)
    assert torch.allclose(crop_and_resize(x, *boxes, mirrored), expected, atol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("shape", "scale"),
    [((32, 32), (0.08, 1.0)), ((8, 8), (0.5, 0.6)), ((24, 40), (0.08, 1.0)), ((5, 7), (0.5, 0.6))],
)
def test_boxes_are_distributed_as_one_by_one(shape, scale):
    """Area, aspect and place: two samples of each cannot be told apart."""
    n = 6_000
    found = torch.stack(draw_boxes(n, seeded(3), *shape, scale, RATIO), dim=1).double().numpy()
    expected = draw_boxes_one_by_one(n, *shape, scale, RATIO, np.random.default_rng(5))
    for measure in (
        lambda b: b[:, 2] * b[:, 3],
        lambda b: b[:, 3] / b[:, 2],
        lambda b: b[:, 0],
        lambda b: b[:, 1],
        lambda b: b[:, 0] + b[:, 2] / 2,
    ):
        assert stats.ks_2samp(measure(found), measure(expected), method="asymp").pvalue > 1e-3


@pytest.mark.parametrize("shape", [(32, 32), (1, 1), (1, 9), (9, 1), (2, 3), (224, 17)])
def test_boxes_lie_in_the_image(shape):
    top, left, height, width = draw_boxes(3_000, seeded(), *shape, (0.08, 1.0), RATIO)
    for start, length, size in ((top, height, shape[0]), (left, width, shape[1])):
        assert (start >= 0).all() and (length >= 1).all() and (start + length <= size).all()
        assert torch.equal(start, start.round()) and torch.equal(length, length.round())


def test_places_are_uniform():
    top, left, *_ = draw_boxes(20_000, seeded(), 10, 10, (0.16, 0.16), (1.0, 1.0))
    joint = torch.bincount((7 * top + left).long(), minlength=49).numpy()
    assert len(joint) == 49 and stats.chisquare(joint).pvalue > 1e-3


@pytest.mark.parametrize(
    ("shape", "expected"), [((10, 100), (10, 13)), ((100, 10), (13, 10)), ((10, 10), (10, 10)), ((12, 13), (12, 13))]
)
def test_box_if_none_fits(shape, expected):
    assert find_fallback_box(*shape, RATIO) == expected
    if max(shape) == 100:  # no box has the whole area at a ratio in range
        boxes = draw_boxes(50, seeded(), *shape, (1.0, 1.0), RATIO)
        places = [(side - length) // 2 for side, length in zip(shape, expected, strict=True)]
        assert torch.equal(torch.stack(boxes, 1), torch.tensor([[*places, *expected]]).float().expand(50, -1))


def test_flip_mirrors_left_and_right():
    x = images(200, (3, 4, 5))
    view = HorizontalFlip(0.3)(x, x, seeded())
    flipped = (view == x.flip(3)).flatten(1).all(1)
    assert (flipped | (view == x).flatten(1).all(1)).all()
    assert abs(flipped.double().mean() - 0.3) < 4 * math.sqrt(0.3 * 0.7 / 200)
    assert torch.equal(HorizontalFlip(1.0)(x, x, seeded()), x.flip(3))


@pytest.mark.parametrize(("size", "side"), [(0.5, 4), (0.25, 2), (1.0, 8), (0.7, 6)])
def test_cutout_fills_a_square_with_the_mean(size, side):
    x = torch.rand(100, 3, 8, 13, generator=seeded(1))
    view = Cutout(size)(x, x, seeded())
    heights = set()
    for image, changed in zip(x, view, strict=True):
        cut = (image != changed).all(0)
        rows, columns = np.flatnonzero(cut.any(1)), np.flatnonzero(cut.any(0))
        assert len(rows) <= side and len(columns) <= side
        assert cut[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1].all() and cut.sum() == len(rows) * len(columns)
        assert torch.allclose(changed[:, cut], image.mean((1, 2))[:, None].expand(3, int(cut.sum())), atol=1e-6)
        assert len(rows) == side or rows[0] == 0 or rows[-1] == 7
        heights.add(len(rows))
    assert max(heights) == side and len(heights) > 1


def test_cutout_at_given_places():
    x = images(2, (1, 4, 5))
    view = cut_out(x, torch.tensor([-1.0, 2.0]), torch.tensor([1.0, 4.0]), side=2)
    assert torch.allclose(view[0, 0, 0, 1:3], x[0].mean()) and torch.allclose(view[1, 0, 2:4, 4], x[1].mean())
    assert (view[0] != x[0]).sum() == 2 and (view[1] != x[1]).sum() == 2


def test_cut_centres_are_uniform():
    """A square of one pixel is its centre."""
    x = torch.rand(20_000, 1, 6, 5, generator=seeded(1))
    cut = (Cutout(0.2)(x, x, seeded()) != x).flatten(1)
    assert (cut.sum(1) == 1).all()
    assert stats.chisquare(cut.sum(0).numpy()).pvalue > 1e-3
