"""Images in files: every kind of colour, upright, resized in their proportions; broken ones named or left out."""

import sys
import threading
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pytest
from builders import pixels, save_images
from PIL import Image

from sklearn_twins import BarlowTwinsEmbedder
from sklearn_twins._image._pillow import Target, decode, find_target
from sklearn_twins._image._sources import find_sources
from sklearn_twins.preprocessing import ImagePreprocessor


@pytest.fixture
def photos(tmp_path):
    """Twelve PNG files of 9 x 7 in RGB; their pixels and their paths."""
    X = pixels(12, 9, 7, 3)
    return X, [str(path) for path in save_images(tmp_path, X)]


CONTAINERS = {
    "list": list,
    "paths": lambda paths: [Path(path) for path in paths],
    "tuple": tuple,
    "array": np.array,
    "array of objects": lambda paths: np.array(paths, dtype=object),
    "array of paths": lambda paths: np.array([Path(path) for path in paths], dtype=object),
    "column": lambda paths: np.array(paths)[:, None],
    "series": pd.Series,
    "shuffled index": lambda paths: pd.Series(paths, index=range(len(paths))[::-1]),
    "frame": lambda paths: pd.DataFrame({"path": paths}),
    "polars series": lambda paths: pl.Series(paths),
    "polars frame": lambda paths: pl.DataFrame({"path": paths}),
}


@pytest.mark.parametrize("container", CONTAINERS)
def test_paths_in_any_sequence(photos, container):
    X, paths = photos
    given = CONTAINERS[container](paths)
    assert find_sources(given) == paths
    preprocessor = ImagePreprocessor()
    for samples in (preprocessor.fit_transform(given), preprocessor.transform(given)):
        np.testing.assert_array_equal(samples, X.transpose(0, 3, 1, 2))
    assert preprocessor.sample_shape_ == (9, 7, 3) and preprocessor.n_features_in_ == 9 * 7 * 3


@pytest.mark.parametrize(
    "X", [[], [[1, 2]], np.zeros((3, 4)), [["a", "b"]], np.array([["a", "b"]]), pd.DataFrame({"a": []})]
)
def test_what_holds_no_paths(X):
    assert find_sources(X) is None


# Mode and shade of a uniform image -> the shade that it becomes as grey, RGB and RGBA.
MODES = {
    "1": (1, [255], [255] * 3, [255] * 4),
    "L": (100, [100], [100] * 3, [100, 100, 100, 255]),
    "LA": ((100, 50), [100], [100] * 3, [100, 100, 100, 50]),
    "I;16": (100 * 257, [100], [100] * 3, [100, 100, 100, 255]),
    "RGB": ((200, 100, 50), [124], [200, 100, 50], [200, 100, 50, 255]),
    "RGBA": ((200, 100, 50, 0), [124], [200, 100, 50], [200, 100, 50, 0]),
    "P": (None, [124], [200, 100, 50], [200, 100, 50, 255]),
    "CMYK": ((0, 0, 0, 0), [255], [255] * 3, [255] * 4),
}


@pytest.mark.parametrize("mode", MODES)
def test_kinds_of_colour(tmp_path, mode):
    shade, *expected = MODES[mode]
    path = tmp_path / ("image.jpg" if mode == "CMYK" else "image.png")
    if mode == "P":
        Image.new("RGB", (3, 2), (200, 100, 50)).quantize(2).save(path, transparency=bytes([255]))
    else:
        Image.new(mode, (3, 2), shade).save(path)
    for color, shades in zip(["grey", "rgb", "rgba"], expected, strict=True):
        image = decode(str(path), Target((2, 3), color, resize=False))
        assert image.shape == (2, 3, len(shades)) and image.dtype == np.uint8
        np.testing.assert_allclose(image.reshape(-1, len(shades)), np.tile(shades, (6, 1)), atol=1)


@pytest.mark.parametrize("suffix", ["png", "bmp", "tiff", "webp", "gif", "jpg"])
def test_kinds_of_files(tmp_path, suffix):
    path = tmp_path / f"image.{suffix}"
    shade = np.full((6, 8, 3), (200, 100, 50), dtype=np.uint8)
    Image.fromarray(shade).save(path)
    np.testing.assert_allclose(decode(str(path), Target((6, 8), "rgb", resize=False)), shade, atol=3)


def test_colour_is_that_of_the_files(tmp_path):
    grey, colored = str(tmp_path / "grey.png"), str(tmp_path / "colored.png")
    Image.new("L", (3, 3), 9).save(grey)
    Image.new("RGBA", (3, 3), (1, 2, 3, 4)).save(colored)
    for paths, color, n_channels in [([grey], "auto", 1), ([grey, colored], "auto", 3), ([grey, colored], "rgba", 4)]:
        samples = ImagePreprocessor(color=color).fit_transform(paths * 2)
        assert samples.shape == (2 * len(paths), n_channels, 3, 3)


def test_images_are_turned_upright(tmp_path):
    path = tmp_path / "photo.jpg"
    image = np.zeros((8, 16, 3), dtype=np.uint8)
    image[:, :8] = 255  # the left half is white
    header = Image.Exif()
    header[0x0112] = 6  # to be turned to the right: left becomes top
    Image.fromarray(image).save(path, exif=header, quality=95)
    preprocessor = ImagePreprocessor()
    samples = preprocessor.fit_transform([path, path])
    assert preprocessor.sample_shape_ == (16, 8, 3)
    assert samples[0, :, :7].min() > 200 and samples[0, :, 9:].max() < 50
    small = ImagePreprocessor(image_size=(4, 2)).fit_transform([path, path])
    assert small[0, :, 0].min() > 200 and small[0, :, 3].max() < 50


def test_resized_in_their_proportions(tmp_path):
    """A disc stays a disc; the longer side is cut at both ends alike."""
    path = tmp_path / "disc.png"
    y, x = np.mgrid[:100, :300]
    disc = (((y - 49.5) ** 2 + (x - 149.5) ** 2 < 40**2) * 255).astype(np.uint8)
    Image.fromarray(disc).save(path)
    small = ImagePreprocessor(image_size=20).fit_transform([path, path])[0, 0]
    assert small.shape == (20, 20)
    np.testing.assert_allclose(small, small.T, atol=8)
    np.testing.assert_allclose(small, small[::-1, ::-1], atol=8)
    assert small.mean() == pytest.approx(255 * np.pi * 0.4**2, rel=0.02)
    assert ImagePreprocessor(image_size=(6, 4)).fit_transform([path, path]).shape == (2, 1, 6, 4)


def test_size_of_a_large_photograph(tmp_path):
    """JPEG is decoded to a fraction of its size; the picture is the same as when all of it is decoded."""
    path = tmp_path / "photo.jpg"
    y, x = np.mgrid[:600, :800] / 100
    photo = np.stack([np.sin(x) * 100 + 128, np.cos(y) * 100 + 128, x * 20], axis=2).astype(np.uint8)
    Image.fromarray(photo).save(path, quality=95)
    small = decode(str(path), Target((60, 80), "rgb", resize=True))
    expected = Image.fromarray(photo).resize((80, 60), Image.Resampling.BILINEAR)
    assert np.abs(small.astype(int) - np.asarray(expected)).mean() < 2


@pytest.fixture
def broken(photos, tmp_path):
    """The photographs with a missing, a cut and a nonsensical file among them, and the places of these."""
    paths = list(photos[1])
    cut, nonsense = tmp_path / "cut.png", tmp_path / "nonsense.png"
    Image.fromarray(pixels(9, 7, 3)).save(cut)
    cut.write_bytes(cut.read_bytes()[:-60])
    nonsense.write_text("no image")
    for place, path in [(2, tmp_path / "missing.png"), (5, cut), (9, nonsense)]:
        paths.insert(place, str(path))
    return paths, [2, 5, 9]


@pytest.mark.parametrize("max_decoded_bytes", [0, 2**31])
def test_broken_files_are_left_out_of_fit(photos, broken, max_decoded_bytes):
    paths, places = broken
    preprocessor = ImagePreprocessor(on_broken="skip", max_decoded_bytes=max_decoded_bytes)
    with pytest.warns(UserWarning, match=r"3 of the 15 files of X cannot be used.*X\[2\]=.*missing.png.*left out"):
        samples = preprocessor.fit_transform(paths)
    np.testing.assert_array_equal(samples[slice(None)], photos[0].transpose(0, 3, 1, 2))
    assert preprocessor.spec_ == ImagePreprocessor().fit(photos[1]).spec_
    with pytest.raises(ValueError, match=r"X\[2\]=.*missing\.png.*there is no such file.*on_broken='skip'"):
        ImagePreprocessor(max_decoded_bytes=max_decoded_bytes).fit(photos[1]).transform(paths)[slice(None)]
    with pytest.warns(UserWarning, match=r"X\[\d\]=.*png.* A blank image replaces it") as warned:
        again = preprocessor.transform(paths)[slice(None)]
    assert len(warned) == 3 and len(again) == 15
    blank = np.rint(255 * preprocessor.mean_)
    assert (again[places] == blank[:, None, None]).all()
    np.testing.assert_array_equal(np.delete(again, places, axis=0), photos[0].transpose(0, 3, 1, 2))


@pytest.mark.parametrize("n_jobs", [None, 1, 4, -1])
def test_threads_change_nothing(photos, n_jobs):
    before = threading.active_count()
    samples = ImagePreprocessor(n_jobs=n_jobs).fit_transform(photos[1])
    np.testing.assert_array_equal(samples, photos[0].transpose(0, 3, 1, 2))
    assert threading.active_count() == before


def test_files_that_do_not_fit_are_decoded_when_needed(photos):
    X, paths = photos
    preprocessor = ImagePreprocessor(max_decoded_bytes=X.nbytes - 1)
    for samples in (preprocessor.fit_transform(paths), preprocessor.transform(paths)):
        assert not isinstance(samples, np.ndarray) and samples.shape == (12, 3, 9, 7)
        np.testing.assert_array_equal(samples[np.array([3, 0, 3])], X[[3, 0, 3]].transpose(0, 3, 1, 2))
    assert isinstance(ImagePreprocessor(max_decoded_bytes=X.nbytes).fit_transform(paths), np.ndarray)
    assert preprocessor.spec_ == ImagePreprocessor().fit(paths).spec_


def test_statistics_are_those_of_the_pixels(photos):
    X, paths = photos
    preprocessor = ImagePreprocessor().fit(paths)
    np.testing.assert_allclose(preprocessor.mean_, (X / 255).mean(axis=(0, 1, 2)), rtol=1e-12)
    np.testing.assert_allclose(preprocessor.std_, (X / 255).std(axis=(0, 1, 2)), rtol=1e-12)


def test_files_after_arrays_and_arrays_after_files(photos):
    X, paths = photos
    for fitted in (ImagePreprocessor().fit(X), ImagePreprocessor().fit(paths)):
        np.testing.assert_array_equal(fitted.transform(X), fitted.transform(paths))
    with pytest.raises(ValueError, match="1, 3 or 4 channels and the images in fit had 10"):
        ImagePreprocessor().fit(pixels(5, 8, 8, 10)).transform(paths)


def test_without_pillow(photos, monkeypatch):
    monkeypatch.setitem(sys.modules, "PIL.Image", None)
    with pytest.raises(ImportError, match="pip install pillow"):
        ImagePreprocessor().fit(photos[1])


@pytest.mark.parametrize(("verbose", "out", "err"), [(0, "", ""), (1, "12 images decoded in", ""), (2, "", "12/12")])
def test_progress(photos, capsys, verbose, out, err):
    ImagePreprocessor().fit_transform(photos[1], owner=BarlowTwinsEmbedder(modality="image", verbose=verbose))
    captured = capsys.readouterr()
    assert out in captured.out and err in captured.err
    assert bool(captured.out) == bool(out) and bool(captured.err) == bool(err)


def test_target_from_headers_alone(photos, broken):
    """Broken files say nothing of the others."""
    assert find_target(broken[0], None, "auto", 2) == Target((9, 7), "rgb", resize=False)
    assert find_target(broken[0], 5, "auto", 2) == Target((5, 5), "rgb", resize=True)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert find_target(["nowhere"], (5, 4), "grey", 2) == Target((5, 4), "grey", resize=True)
