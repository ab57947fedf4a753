"""Pictures as people hold them: PIL images, encoded images and paths, in any container, are read as files are."""

import io
import sys

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import torch
from builders import pixels
from PIL import Image

from sklearn_twins import BarlowTwinsEmbedder
from sklearn_twins._image._sources import find_sources
from sklearn_twins.networks import ConvNetEncoder, MLPProjector
from sklearn_twins.preprocessing import ImagePreprocessor

X = pixels(6, 9, 7, 3)
SIDEWAYS = Image.Exif()
SIDEWAYS[0x0112] = 6


def encode(image, suffix="png", **options):
    buffer = io.BytesIO()
    image.save(buffer, suffix, **options)
    return buffer.getvalue()


rgb = Image.fromarray(X[0])
PICTURES = {
    "RGB": (rgb, {}),
    "palette": (rgb.quantize(8), {}),
    "CMYK": (rgb.convert("CMYK"), {"suffix": "tiff"}),
    "one bit": (rgb.convert("1"), {}),
    "grey": (rgb.convert("L"), {}),
    "grey and alpha": (rgb.convert("LA"), {}),
    "RGBA": (rgb.convert("RGBA"), {}),
    "16 bits": (Image.fromarray(X[0, ..., 0].astype(np.uint16) * 9), {}),
    "32 bits": (Image.fromarray(X[0, ..., 0].astype(np.int32) - 99), {"suffix": "tiff"}),
    "floats": (Image.fromarray(X[0, ..., 0] / np.float32(7)), {"suffix": "tiff"}),
    "sideways": (rgb, {"suffix": "jpeg", "exif": SIDEWAYS}),
    "HSV": (rgb.convert("HSV"), {}),
}
FORMS = {
    "PIL image": lambda content, path: Image.open(io.BytesIO(content)),
    "bytes": lambda content, path: content,
    "bytearray": lambda content, path: bytearray(content),
    "buffer": lambda content, path: io.BytesIO(content),
    "dict with bytes": lambda content, path: {"bytes": content, "path": None},
    "dict with a path": lambda content, path: {"bytes": None, "path": str(path)},
    "dict with both": lambda content, path: {"bytes": content, "path": "elsewhere.png"},
    "text": lambda content, path: str(path),
    "path": lambda content, path: path,
}


@pytest.mark.slow
@pytest.mark.parametrize("params", [{}, {"image_size": (5, 4)}, {"color": "grey"}], ids=str)
@pytest.mark.parametrize("kind", PICTURES)
def test_every_form_of_a_picture_is_read_alike(tmp_path, kind, params):
    image, options = PICTURES[kind]
    image = image.convert("RGB") if kind == "HSV" else image
    content, path = encode(image, **options), tmp_path / "image"
    path.write_bytes(content)
    expected = ImagePreprocessor(**params).fit_transform([path] * 2)
    assert expected.shape[2:] == (params.get("image_size") or ((7, 9) if kind == "sideways" else (9, 7)))
    for form in FORMS.values():
        preprocessor = ImagePreprocessor(**params)
        np.testing.assert_array_equal(preprocessor.fit_transform([form(content, path)] * 2), expected)
        np.testing.assert_array_equal(preprocessor.transform([form(content, path)]), expected[:1])
    mixed = [form(content, path) for form in FORMS.values()]
    assert (ImagePreprocessor(**params).fit_transform(mixed) == expected[0]).all()


def objects(items):
    array = np.empty(len(items), dtype=object)
    array[:] = items
    return array


class Sequence:
    """A data set: items by number, and a length."""

    def __init__(self, items):
        self.items = items

    def __len__(self):
        return len(self.items)

    def __getitem__(self, i):
        return self.items[i % len(self.items)]  # like many, without an end


CONTAINERS = {
    "list": list,
    "tuple": tuple,
    "object array": objects,
    "column": lambda items: objects(items)[:, None],
    "series": pd.Series,
    "frame": lambda items: pd.DataFrame({"image": items}),
    "rows of one picture": lambda items: [[item] for item in items],
    "polars series": lambda items: pl.Series(items, dtype=None if isinstance(items[0], (bytes, dict)) else pl.Object),
    "polars frame": lambda items: pl.DataFrame({"image": CONTAINERS["polars series"](items)}),
    "data set": Sequence,
}


@pytest.mark.parametrize("container", CONTAINERS)
@pytest.mark.parametrize("form", ["PIL image", "bytes", "dict with bytes"])
def test_pictures_in_any_container(container, form):
    items = [FORMS[form](encode(Image.fromarray(image)), None) for image in X]
    given = CONTAINERS[container](items)
    for samples in (ImagePreprocessor().fit_transform(given), ImagePreprocessor().fit(X).transform(given)):
        np.testing.assert_array_equal(samples, X.transpose(0, 3, 1, 2))


def test_pictures_in_arrow():
    table = pa.table({"image": [{"bytes": encode(Image.fromarray(image)), "path": None} for image in X]})
    for given in (table, table["image"]):
        np.testing.assert_array_equal(ImagePreprocessor().fit_transform(given), X.transpose(0, 3, 1, 2))


@pytest.mark.parametrize(
    "given",
    [
        pd.DataFrame({"image": list(X)}),
        pd.DataFrame({"image": list(X)}).to_numpy(),
        objects(list(X)),
        Sequence(list(torch.from_numpy(X))),
        pl.DataFrame({"image": pl.Series(X, dtype=pl.Array(pl.UInt8, (9, 7, 3)))}),
        pl.Series(X, dtype=pl.Array(pl.UInt8, (9, 7, 3))),
        pd.DataFrame({"image": [objects([objects(list(row)) for row in image]) for image in X]}),
        [list(image) for image in X.transpose(0, 3, 1, 2)],
    ],
    ids=["frame", "column", "objects", "data set", "polars frame", "polars series", "nested", "planes"],
)
def test_arrays_in_one_column(given):
    np.testing.assert_array_equal(ImagePreprocessor().fit_transform(given), X.transpose(0, 3, 1, 2))


def test_two_planes_are_no_pair():
    planes = X.transpose(0, 3, 1, 2)[:, :2]
    found = ImagePreprocessor(channels="first").fit_transform([tuple(image) for image in planes])
    np.testing.assert_array_equal(found, planes)


def test_pictures_are_left_as_they_are():
    image = Image.open(io.BytesIO(encode(rgb, "jpeg")))
    ImagePreprocessor(image_size=3).fit_transform([image] * 20)
    assert image.size == (7, 9) and image.mode == "RGB" and image.getpixel((0, 0))


def test_arrays_need_no_pillow(monkeypatch):
    monkeypatch.delitem(sys.modules, "PIL.Image")
    assert find_sources(list(X)) is None and find_sources([b"\x89PNG"]) == [b"\x89PNG"]


def test_an_embedder_of_pictures(tmp_path):
    """In fit with rows that have no labels, with lazy decoding, and in every method."""
    pictures = [Image.fromarray(image) for image in pixels(24, 8, 8, 3)]
    small = {"encoder": ConvNetEncoder(widths=(4,)), "projector": MLPProjector((8,), 4), "max_epochs": 1}
    embedder = BarlowTwinsEmbedder(modality="image", random_state=0, **small)
    expected = embedder.fit(pictures).transform(pictures)
    array = np.stack([np.asarray(picture) for picture in pictures])
    np.testing.assert_array_equal(embedder.fit(array).transform(array), expected)
    for container in (list, tuple, objects):
        embedder.fit(container(pictures[:20]), unlabeled=container(pictures[20:]))
        np.testing.assert_array_equal(embedder.transform(pictures), expected)
    embedder.set_params(preprocessor__max_decoded_bytes=0, checkpoint=tmp_path).fit(pictures)
    np.testing.assert_array_equal(embedder.transform(pictures), expected)
    rows = [{"bytes": encode(picture), "path": None} for picture in pictures]
    embedder.fit(rows[:20], unlabeled=rows[20:])
    np.testing.assert_array_equal(embedder.transform(rows), expected)
    embedder.partial_fit(pictures)
    assert np.isfinite(embedder.score(pictures))


png = encode(Image.fromarray(pixels(60, 90, 3)))
ERRORS = {
    "pairs": ([(rgb, 1)] * 3, ValueError, "X holds pairs.*for image, _ in X"),
    "pairs of arrays": ([(X[0], 1)] * 3, ValueError, "X holds pairs"),
    "pairs of tensors": (Sequence([(torch.zeros(3, 8, 8), 1)] * 3), ValueError, "X holds pairs"),
    "pairs with tensors": ([(torch.zeros(3, 8, 8), torch.tensor(1))] * 3, ValueError, "X holds pairs"),
    "pairs of paths": ([("a.png", 1)] * 3, ValueError, "X holds pairs"),
    "pairs of bytes": ([(png, "cat")] * 3, ValueError, "X holds pairs"),
    "rows": ([{"image": rgb, "label": 1}] * 3, ValueError, r"\['image', 'label'\].*row\['image'\] for row in X"),
    "rows of a data set": (Sequence([{"pixels": X[0], "y": 1}] * 3), ValueError, r"row\['pixels'\] for row in X"),
    "frame with labels": (pd.DataFrame({"img": list(X), "y": 1}), ValueError, r"'img' holds images.*X\['img'\]"),
    "frame of pictures with labels": (pd.DataFrame({"img": [rgb] * 3, "y": 1}), ValueError, r"X\['img'\]"),
    "frame of bytes with labels": (pl.DataFrame({"y": [1, 2], "img": [png] * 2}), ValueError, r"X\['img'\]"),
    "two pictures each": ([[rgb.convert("L")] * 2] * 3, ValueError, "lists of 2 pictures"),
    "open files": ([io.StringIO("a")] * 2, TypeError, "open.*give its path"),
    "a picture without pixels": ([Image.new("L", (0, 3))] * 2, ValueError, "it has no pixels"),
    "one picture": (rgb, ValueError, "X=<Image RGB 7x9> is one picture"),
    "one grey picture": (rgb.convert("L"), ValueError, "is one picture"),
    "one encoded image": (png, ValueError, r"X=<[\d,]+ bytes> is one picture"),
    "arrays and pictures": ([X[0], rgb], TypeError, r"Got X\[0\]=array"),
    "pictures and arrays": ([rgb, X[0]], TypeError, r"Got X\[1\]=array"),
    "a gap": ([rgb, None], TypeError, r"Got X\[1\]=None"),
    "a gap first": ([None, rgb], TypeError, r"Got X\[0\]=None"),
    "a gap in a series": (pd.Series([np.nan, rgb]), TypeError, r"Got X\[0\]=nan"),
    "an empty dict": ([{"bytes": None, "path": None}, rgb], TypeError, r"Got X\[0\]=\{'bytes'"),
    "bytes that are no image": ([png, b"\0" * 10_000], ValueError, r"X\[1\]=<10,000 bytes>.*no image of a format"),
    "no bytes": ([png, bytearray()], ValueError, r"X\[1\]=.*it is empty"),
    "text that is no path": (["iVBORw0KGgo" * 10**5] * 3, ValueError, r"X\[0\]='iVBOR.*\.\.\..*too long"),
    "other sizes": ([rgb, rgb.resize((5, 6))], ValueError, r"X\[1\]=<Image RGB 5x6>: it is 6 x 5.*image_size"),
    "a long text": (pd.DataFrame({"a": ["x" * 10**6] * 3, "b": 1}), ValueError, "images hold numbers"),
}


@pytest.mark.parametrize("name", ERRORS)
def test_what_cannot_be_read(name):
    """The message fits on a screen and says what to give."""
    given, kind, words = ERRORS[name]
    with pytest.raises(kind, match=words) as caught:
        ImagePreprocessor(sample_shape=(1, 2) if "long" in name else None).fit(given)
    assert len(str(caught.value)) < 1000
