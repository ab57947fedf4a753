"""Images in files: every kind of colour, upright, resized in their proportions; broken ones named or left out."""

import io
import os
import struct
import sys
import threading
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pytest
from builders import pixels, save_images
from PIL import Image, ImageOps

from sklearn_twins import BarlowTwinsEmbedder
from sklearn_twins._image import _pillow
from sklearn_twins._image._pillow import Target, decode, find_target
from sklearn_twins._image._sources import find_sources, unwrap
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
    "index": pd.Index,
    "categories": lambda paths: pd.Series(paths, dtype="category"),
    "rows of one path": lambda paths: [[path] for path in paths],
    "shuffled index": lambda paths: pd.Series(paths, index=range(len(paths))[::-1]),
    "frame": lambda paths: pd.DataFrame({"path": paths}),
    "polars series": lambda paths: pl.Series(paths),
    "polars frame": lambda paths: pl.DataFrame({"path": paths}),
}


@pytest.mark.parametrize("container", CONTAINERS)
def test_paths_in_any_sequence(photos, container):
    X, paths = photos
    given = CONTAINERS[container](paths)
    assert find_sources(unwrap(given)) == paths
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
    "LA": ((100, 50), [123], [123] * 3, [100, 100, 100, 50]),  # laid on mid-grey
    "RGB": ((200, 100, 50), [124], [200, 100, 50], [200, 100, 50, 255]),
    "RGBA": ((200, 100, 50, 0), [128], [128] * 3, [200, 100, 50, 0]),
    "RGBA, opaque": ((200, 100, 50, 255), [124], [200, 100, 50], [200, 100, 50, 255]),
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
        Image.new(mode.split(",")[0], (3, 2), shade).save(path)
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
    before = set(threading.enumerate())
    samples = ImagePreprocessor(n_jobs=n_jobs).fit_transform(photos[1])
    np.testing.assert_array_equal(samples, photos[0].transpose(0, 3, 1, 2))
    assert set(threading.enumerate()) <= before


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


GREYS = np.arange(12 * 63, dtype=np.uint16).reshape(12, 9, 7)
DEEP = {  # grey values that need more than 8 bits, or might; suffix of the files
    "16 bits": (GREYS * 86, "png"),
    "12 bits": (GREYS * 5, "png"),
    "12 bits in a TIFF": (GREYS * 5, "tiff"),
    "8 bits in 16": (GREYS % 256, "png"),
    "two grey levels": (GREYS % 2, "png"),
    "signed": (GREYS.astype(np.int32) * 60 - 9_000, "tiff"),
    "32 bits": (GREYS.astype(np.int32) * 2_000_000, "tiff"),
    "floats": ((GREYS / 50 - 3).astype(np.float32), "tiff"),
    "fractions": ((GREYS / 756).astype(np.float32), "tiff"),
    "16 bits in a PGM": (GREYS * 86, "pgm"),
}


@pytest.mark.slow
@pytest.mark.parametrize("max_decoded_bytes", [0, 2**31])
@pytest.mark.parametrize("name", DEEP)
def test_grey_values_are_those_of_an_array(tmp_path, name, max_decoded_bytes):
    """Files of more than 8 bits have the range of their values, and no grey level is lost."""
    values, suffix = DEEP[name]
    paths = [tmp_path / f"{i}.{suffix}" for i in range(12)]
    for path, image in zip(paths, values, strict=True):
        Image.fromarray(image).save(path)
    of_array, of_files = ImagePreprocessor(), ImagePreprocessor(max_decoded_bytes=max_decoded_bytes)
    expected = of_array.fit_transform(values)
    np.testing.assert_array_equal(of_files.fit_transform(paths)[slice(None)], expected)
    assert of_files.spec_ == of_array.spec_ and of_files.value_range_ == of_array.value_range_
    pictures = [Image.open(path) for path in paths]
    for preprocessor in (of_array, of_files):
        for given in (values, paths, pictures):
            np.testing.assert_array_equal(preprocessor.transform(given)[slice(None)], expected)
    colored = ImagePreprocessor(color="rgb").fit_transform(paths)
    np.testing.assert_array_equal(colored, np.repeat(expected, 3, axis=1))
    in_a_range = ImagePreprocessor(value_range=(0, 4095)).fit_transform(paths)
    np.testing.assert_allclose(in_a_range[:, 0], values / 4095, rtol=1e-6)
    assert ImagePreprocessor(image_size=5).fit_transform(paths).shape == (12, 1, 5, 5)


@pytest.mark.parametrize(
    ("odd", "words"),
    [
        (np.uint8, "8 bits per channel, the other images integers of more than 8 bits"),
        (np.float32, "floating-point numbers, the other images integers"),
    ],
)
@pytest.mark.parametrize("skip", [False, True])
def test_files_of_another_depth(tmp_path, odd, words, skip):
    """Their scale cannot be known: the message names the file."""
    paths = [tmp_path / f"{i}.tiff" for i in range(6)]
    for i, path in enumerate(paths):
        Image.fromarray((GREYS[i] % 256).astype(odd if i == 4 else np.uint16)).save(path)
    preprocessor = ImagePreprocessor(on_broken="skip" if skip else "raise")
    if skip:
        with pytest.warns(UserWarning, match=rf"X\[4\]=.*4\.tiff': it holds {words}"):
            assert len(preprocessor.fit_transform(paths)) == 5
        with pytest.warns(UserWarning, match=r"X\[4\]=.*blank image"):
            blank = preprocessor.transform(paths)[4]
        np.testing.assert_allclose(blank, np.full_like(blank, preprocessor.mean_[0]), atol=1 / 255)
        return
    with pytest.raises(ValueError, match=rf"X\[4\]=.*4\.tiff': it holds {words}"):
        preprocessor.fit(paths)
    with pytest.raises(ValueError, match="it holds integers of more than 8 bits, the other images 8 bits"):
        ImagePreprocessor().fit([str(paths[4])] * 2).transform(paths[:2]) if odd == np.uint8 else preprocessor.fit(
            [*paths[:1], *[Image.new("L", (7, 9), i) for i in range(4)]]
        )


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_floats_that_are_not_finite(tmp_path, bad):
    values = np.ones((9, 7), dtype=np.float32)
    Image.fromarray(values).save(tmp_path / "a.tiff")
    values[3, 3] = bad
    Image.fromarray(values).save(tmp_path / "b.tiff")
    with pytest.raises(ValueError, match=r"X\[1\]=.*b\.tiff': it holds infinity or NaN"):
        ImagePreprocessor().fit([tmp_path / "a.tiff", tmp_path / "b.tiff"])


DRAWING = pixels(9, 7)
TRANSPARENT = {  # pictures whose drawing is in their alpha channel; the colour of the drawing
    "black": lambda alpha: with_alpha(Image.new("RGB", alpha.size, 0), alpha),
    "white": lambda alpha: with_alpha(Image.new("RGB", alpha.size, (255, 255, 255)), alpha),
    "red": lambda alpha: with_alpha(Image.new("RGB", alpha.size, (255, 0, 0)), alpha),
    "LA": lambda alpha: with_alpha(Image.new("L", alpha.size, 0), alpha),
    "palette": lambda alpha: with_entries(alpha.quantize(16), bytes(range(0, 256, 16))),
    "one entry of a palette": lambda alpha: with_entries(alpha.quantize(2), 0),
    "one grey": lambda alpha: with_entries(alpha.point(lambda v: 9 if v < 128 else 0), 9),
    "one colour": lambda alpha: with_entries(Image.merge("RGB", [alpha.point(lambda v: 9 * (v < 99))] * 3), (9, 9, 9)),
}


def with_alpha(image, alpha):
    image.putalpha(alpha)
    return image


def with_entries(image, transparency):
    if image.mode == "P":
        image.putpalette([0, 0, 0] * 256)
    image.info["transparency"] = transparency
    return image


@pytest.mark.parametrize("color", ["auto", "grey", "rgb"])
@pytest.mark.parametrize("name", TRANSPARENT)
def test_drawings_in_the_alpha_channel(tmp_path, name, color):
    """They are laid on mid-grey, on which black and white show, in files and as PIL images; not with color="rgba"."""
    image = TRANSPARENT[name](Image.fromarray(DRAWING))
    path = tmp_path / "icon.png"
    image.save(path, transparency=image.info.get("transparency"))
    for given in (path, image):
        found = np.asarray(ImagePreprocessor(color=color).fit_transform([given] * 2))[0]
        rgba = np.asarray(Image.open(path).convert("RGBA")).astype(int)
        alpha = rgba[..., 3:]
        expected = (rgba[..., :3] * alpha + 128 * (255 - alpha)) / 255
        if len(found) == 1:
            expected = expected @ [[0.299], [0.587], [0.114]]
        np.testing.assert_allclose(found.transpose(1, 2, 0), expected, atol=1.5)
        assert found.std() > 10
        kept = ImagePreprocessor(color="rgba").fit_transform([given] * 2)[0]
        np.testing.assert_array_equal(kept.transpose(1, 2, 0), rgba)


def test_opaque_pictures_keep_their_bytes(tmp_path):
    """An alpha channel that hides nothing changes nothing."""
    rgb = Image.fromarray(pixels(9, 7, 3))
    for mode in ("L", "RGB"):
        plain = rgb.convert(mode)
        opaque = with_alpha(plain.copy(), Image.new("L", plain.size, 255))
        for color in ("grey", "rgb"):
            expected = ImagePreprocessor(color=color).fit_transform([plain] * 2)
            np.testing.assert_array_equal(ImagePreprocessor(color=color).fit_transform([opaque] * 2), expected)


def spoil(path, start, content):
    path.write_bytes(path.read_bytes()[:start] + content)


def save(path, **options):
    Image.fromarray(pixels(9, 7, 3)).save(path, **options)


BROKEN = {  # how a file is broken, its suffix, words of the message
    "bomb": (lambda path: Image.new("1", (14_000, 14_000)).save(path), "png", "exceeds limit.*MAX_IMAGE_PIXELS"),
    "empty": (lambda path: path.write_bytes(b""), "png", "it is empty"),
    "directory": (lambda path: path.mkdir(), "png", "it is a directory"),
    "pipe": (os.mkfifo, "png", "it is no file"),
    "text": (lambda path: path.write_text("hello"), "jpg", "no image of a format"),
    "cut PNG": (lambda path: (save(path), os.truncate(path, 120)), "png", "truncated"),
    "cut JPEG": (lambda path: (save(path), os.truncate(path, 400)), "jpg", "cannot be decoded"),
    "cut TIFF": (lambda path: (save(path), os.truncate(path, 60)), "tiff", "cannot be decoded"),
    "cut WebP": (lambda path: (save(path), os.truncate(path, 60)), "webp", "cannot be decoded"),
    "cut BMP": (lambda path: (save(path), os.truncate(path, 60)), "bmp", "cannot be decoded"),
    "cut GIF": (lambda path: (save(path), os.truncate(path, 40)), "gif", "cannot be decoded"),
    "PNG with a wrong chunk": (lambda path: (save(path), spoil(path, 40, b"\xff" * 99)), "png", "cannot be decoded"),
    "TIFF of nonsense": (lambda path: (save(path), spoil(path, 8, b"\xff" * 99)), "tiff", "cannot be decoded"),
    "ICO of nonsense": (lambda path: path.write_bytes(b"\0\0\1\0\1\0" + b"\7" * 40), "ico", "cannot be decoded"),
    "DDS of nonsense": (lambda path: (save(path), spoil(path, 60, b"\xff" * 99)), "dds", "cannot be decoded"),
    "AVIF of nonsense": (
        lambda path: path.write_bytes(b"\0\0\0\x20ftypavif\0\0\0\0avifmif1miafMA1B" + b"\0" * 99),
        "avif",
        "cannot be decoded",
    ),
    "another size": (lambda path: Image.new("RGB", (5, 5)).save(path), "png", "it is 5 x 5, the others 9 x 7"),
}


PILLOW_WARNS = pytest.mark.filterwarnings("ignore:Truncated File Read", "ignore:Corrupt EXIF data")


@PILLOW_WARNS
@pytest.mark.parametrize("name", BROKEN)
def test_every_kind_of_broken_file_is_named_or_skipped(tmp_path, photos, name):
    make_broken, suffix, words = BROKEN[name]
    path = tmp_path / f"odd.{suffix}"
    make_broken(path)
    paths = [*photos[1], path]
    with pytest.raises(ValueError, match=rf"X\[12\]=.*odd\.{suffix}': .*{words}.*on_broken='skip'"):
        ImagePreprocessor().fit(paths)
    preprocessor = ImagePreprocessor(on_broken="skip")
    with pytest.warns(UserWarning, match=rf"1 of the 13 .*odd\.{suffix}.*{words}.*left out"):
        assert len(preprocessor.fit_transform(paths)) == 12
    with pytest.warns(UserWarning, match=rf"odd\.{suffix}.*blank image"):
        assert len(preprocessor.transform(paths)) == 13


ERRORS = [SyntaxError, ValueError, ZeroDivisionError, RuntimeError, KeyError, IndexError, TypeError, EOFError]


@pytest.mark.parametrize("error", [*ERRORS, struct.error, NotImplementedError, AttributeError, OverflowError])
def test_whatever_a_decoder_raises_is_the_file_s(photos, monkeypatch, error):
    def fail(image, *args):
        raise error("nonsense")

    monkeypatch.setattr("PIL.PngImagePlugin.PngImageFile.load", fail)
    with pytest.raises(ValueError, match=r"^X\[0\]=.*0\.png': it cannot be decoded \('?nonsense"):
        ImagePreprocessor().fit(photos[1])


@pytest.mark.parametrize(("is_short", "kind"), [(False, ValueError), (True, MemoryError)])
@pytest.mark.parametrize("error", [MemoryError(), OSError("out of memory error when reading image file")])
def test_a_decoder_without_memory(photos, monkeypatch, error, is_short, kind):
    """It is the file's fault if there is memory for an image of its size."""

    def fail(image, *args):
        raise error

    monkeypatch.setattr("PIL.PngImagePlugin.PngImageFile.load", fail)
    monkeypatch.setattr(_pillow, "can_allocate", lambda n_bytes: not is_short)
    with pytest.raises(kind, match=r"^X\[0\]=.*0\.png': "):
        ImagePreprocessor(on_broken="raise").fit(photos[1])
    if is_short:
        with pytest.raises(MemoryError):
            ImagePreprocessor(on_broken="skip").fit(photos[1])


@PILLOW_WARNS
def test_a_damaged_header_of_a_sound_image(tmp_path):
    """An image whose EXIF data cannot be read is taken as it is."""
    path = tmp_path / "photo.jpg"
    save(path, exif=b"Exif\0\0II*\0\xff\xff\xff\xff nonsense", quality=95)
    assert ImagePreprocessor().fit_transform([path, path]).shape == (2, 3, 9, 7)


@pytest.mark.parametrize("orientation", range(10))
def test_every_orientation(orientation):
    image, header = Image.fromarray(pixels(9, 7, 3)), Image.Exif()
    header[0x0112] = orientation
    buffer = io.BytesIO()
    image.save(buffer, "png", exif=header)
    expected = np.asarray(ImageOps.exif_transpose(Image.open(buffer)))
    found = ImagePreprocessor().fit_transform([buffer.getvalue()] * 2)[0]
    np.testing.assert_array_equal(found.transpose(1, 2, 0), expected)
