"""Arrays and files that hold no images: the error names place, path and remedy, and nothing is half-fitted."""

import pickle

import numpy as np
import pandas as pd
import polars as pl
import pytest
import scipy.sparse
import torch
from builders import pixels
from PIL import Image

from sklearn_twins import BarlowTwinsEmbedder
from sklearn_twins.networks import ConvNetEncoder, MLPProjector
from sklearn_twins.preprocessing import ImagePreprocessor

nan, inf = float("nan"), float("inf")
images = pixels(12, 8, 8, 3)
rows = images.reshape(12, -1)
SHAPE = {"sample_shape": (8, 8, 3)}


def with_value(value, dtype):
    X = images.astype(dtype)
    X[3, 2, 1, 0] = value
    return X


# X, hyper-parameters of the preprocessor, words of the message
ARRAYS = {
    "flat rows of no shape": (rows, {}, "(12, 192)", "sample_shape=(height, width, channels)"),
    "flat rows of another shape": (rows, {"sample_shape": (7, 8, 3)}, "192 columns", "(7, 8, 3)", "168"),
    "flat rows of no such shape": (rows, {"sample_shape": (7, -1, 3)}, "192 columns", "a multiple of 21"),
    "another shape than said": (images, {"sample_shape": (8, 9, 3)}, "8 x 8 x 3", "(8, 9, 3)"),
    "channels first or last": (images[:, :3, :, :], {}, "(12, 3, 8, 3)", "preprocessor__channels='last' or 'first'"),
    "neither is usual": (np.ones((9, 5, 7, 9)), {}, "(9, 5, 7, 9)", "preprocessor__channels"),
    "one image in colour": (images[0], {}, "(8, 8, 3)", "X[None]", "X[..., None]"),
    "one row": (images[:1], {}, "1 sample(s)", "minimum of 2"),
    "no row": (images[:0], {}, "0 sample(s)"),
    "no pixel": (images[:, :0], {}, "0 x 8 x 3", "hold no value"),
    "no channel": (images[..., :0], {}, "8 x 8 x 0", "hold no value"),
    "one axis": (images.ravel(), {}, "Expected 2D array"),
    "five axes": (images[None], {}, "(1, 12, 8, 8, 3)", "(n, height, width, channels)"),
    "a number": (3, {}, "X is 3", "(n, height, width, channels)"),
    "nothing": (None, {}, "X is None", "a sequence of paths"),
    "a dict": ({"images": images}, {}, "got <class 'dict'> as X"),
    "a set": ({1}, {}, "got <class 'set'> as X", "(n, height, width, channels)"),
    "a generator": ((image for image in images), {}, "got <class 'generator'> as X", "a sequence of paths"),
    "NaN": (with_value(nan, np.float32), {}, "NaN", "X[3]", "fill it"),
    "NaN in flat rows": (with_value(nan, float).reshape(12, -1), SHAPE, "NaN", "X[3]"),
    "infinity": (with_value(inf, np.float64), {}, "infinity", "X[3]", "leave such an image out"),
    "both infinities": (with_value(-inf, np.float32), {}, "infinity", "X[3]"),
    "both ends": (np.where(images > 99, 1.0, -1.0) * np.finfo(float).max, {}, "1.8e+308", "X[0]"),
    "far too large": (with_value(1e300, np.float64), {}, "1e+300", "X[3]", "Divide X"),
    "far from white": (with_value(1e9, np.float32), {"value_range": (0, 1)}, "1e+09", "X[3]", "value_range"),
    "far from black": (with_value(-1e9, np.float32), {"value_range": (0, 255)}, "3.92e+06", "X[3]"),
    "gap in a frame": (pd.DataFrame({"a": pd.array([1, None, 3]), "b": 1.0}), {"sample_shape": (2, 1)}, "NaN", "X[1]"),
    "complex": (images * 1j, {}, "Complex data not supported", "complex128"),
    "complex images": ([image * 1j for image in images], {}, "Complex data not supported", "as channels"),
    "text": (np.full((9, 4, 4, 3), "a"), {}, "<U1", "images hold numbers"),
    "objects": (np.full((9, 4, 4, 3), "a", dtype=object), {}, "object", "'a'", "images hold numbers"),
    "a frame of text": (pd.DataFrame({"a": ["x"] * 9, "b": 1}), {"sample_shape": (2, 1)}, "'x'", "images hold numbers"),
    "dates": (images.astype("M8[s]"), {}, "datetime64", "images hold numbers"),
    "records": (np.zeros((9, 4, 4), dtype=[("r", "u1")]), {}, "records", "Give"),
    "masked": (np.ma.MaskedArray(images, mask=images > 200), {}, "masked array", "values missing", "X.filled"),
    "sparse": (scipy.sparse.csr_array(rows), SHAPE, "Sparse data", "X.toarray()"),
    "a lazy frame": (pl.DataFrame(rows[:, :4]).lazy(), {"sample_shape": (2, 2)}, "LazyFrame", "X.collect()"),
    "images of different shapes": ([images[0], images[1, :4]], {}, "X[0] has (8, 8, 3), X[1] has (4, 8, 3)"),
    "an image that is missing": ([*images, None], {}, "X[12] has None"),
    "nested lists of different lengths": ([[[1, 2], [3, 4]], [[1]]], {}, "different shapes", "Bring them to one"),
    "tensor of bfloat16": (torch.ones(9, 3, 8, 8, dtype=torch.bfloat16), {}, "torch.bfloat16", "float()"),
}
PARAMETERS = {
    "sample_shape": [(8,), (8, 8, 3, 1), (-1, -1), (8, 8.0), (8, -2), (8, "a"), 8, (0, 8), "8x8"],
    "channels": ["middle", 3, None],
    "value_range": [
        (0,),
        (1, 0),
        (1, 1),
        (0, inf),
        (0, nan),
        "bytes",
        ("a", "b"),
        255,
        (None, 1),
        (0, 1j),
        (0, 1e-320),
    ],
    "image_size": [0, -1, (8,), (8, -1), "8", 8.5, (8, 8.0), True, 10**6],
    "color": ["bgr", None],
    "on_broken": ["ignore", None],
    "max_decoded_bytes": [-1, 1.5, None],
    "n_jobs": [0, 1.5, "a", True],
}
VALUES = [(name, value) for name, values in PARAMETERS.items() for value in values]

# X, made of a directory and the paths of six files in it; hyper-parameters of the preprocessor; words of the message
FILES = {
    "missing": (lambda d, paths: [*paths, d / "none.png"], {}, "X[6]", "none.png", "no such file", "Remove it"),
    "all missing": (lambda d, paths: [d / "none.png"] * 3, {}, "None of the 3 files", "none.png", "no such file"),
    "all missing, skipped": (lambda d, paths: [d / "no"] * 3, {"on_broken": "skip"}, "None of the 3 files", "X[0]"),
    "a directory": (lambda d, paths: [*paths, d], {}, "X[6]", "cannot be decoded", "on_broken='skip'"),
    "no image": (lambda d, paths: [*paths, wrote(d, b"hello")], {}, "X[6]", "file.png", "cannot be decoded"),
    "empty": (lambda d, paths: [*paths, wrote(d, b"")], {}, "X[6]", "file.png", "cannot be decoded"),
    "truncated": (lambda d, paths: [*paths, cut(d, paths[0])], {}, "X[6]", "file.png", "truncated"),
    "truncated JPEG": (lambda d, paths: [*paths, cut(d, drawn(d / "a.jpg"))], {}, "X[6]", "file.png", "cannot be"),
    "another size": (lambda d, paths: [*paths, drawn(d / "b.png", (9, 8))], {}, "X[6]", "8 x 9", "image_size"),
    "floats": (lambda d, paths: [*paths, drawn(d / "f.tif", mode="F")], {}, "X[6]", "floating-point", "convert it"),
    "NUL in a name": (lambda d, paths: [*paths, "a\0.png"], {}, "X[6]", "null byte"),
    "no name": (lambda d, paths: [*paths, ""], {}, "X[6]", "no such file"),
    "an endless name": (lambda d, paths: [*paths, "x" * 5_000], {}, "X[6]", "too long"),
    "a number": (lambda d, paths: [*paths, 3], {}, "X[6]=3", "must hold paths only"),
    "a gap": (lambda d, paths: [*paths, None], {}, "X[6]=None", "must hold paths only"),
    "a gap first": (lambda d, paths: [None, *paths], {}, "X[0]=None", "must hold paths only"),
    "a gap in a series": (lambda d, paths: pd.Series([*paths, nan]), {}, "X[6]=nan", "must hold paths only"),
    "bytes as names": (lambda d, paths: [str(path).encode() for path in paths], {}, "X[0]=b'", "os.fsdecode"),
    "one path": (lambda d, paths: paths[0], {}, "is one path", "Give a sequence"),
    "one path as text": (lambda d, paths: str(paths[0]), {}, "is one path", "Give a sequence"),
    "one path as bytes": (lambda d, paths: b"image.png", {}, "is one path", "Give a sequence"),
    "no path": (lambda d, paths: [], {}, "Expected 2D array"),
    "one file": (lambda d, paths: paths[:1], {}, "1 sample(s)"),
    "two columns": (lambda d, paths: pd.DataFrame({"a": map(str, paths), "b": 1}), {}, "images hold numbers", "paths"),
    "an address": (lambda d, paths: ["http://localhost/a.png"] * 3, {}, "http://localhost/a.png", "no such file"),
    "a shape of files": (lambda d, paths: paths, {"sample_shape": (9, 9)}, "8 x 8 x 3", "(9, 9)", "image_size"),
    "a range of files": (lambda d, paths: paths, {"value_range": (0, 1)}, "value_range", "(0, 1)", "'auto'"),
    "a huge size": (lambda d, paths: paths, {"image_size": 10**6}, "image_size=1000000", "smaller"),
}
TRANSFORM = {
    "another height": (images[:, :7], "7 x 8 x 3", "8 x 8 x 3"),
    "grey": (images[..., 0], "8 x 8 x 1", "8 x 8 x 3"),
    "one image": (images[0], "X[None]"),
    "fractions of white": (images / 255, "float64", "0 and 255", "went from 0 to 1", "Bring X"),
    "NaN": (with_value(nan, np.float32), "NaN", "X[3]"),
    "far from white": (with_value(1e30, np.float32), "3.92e+27", "X[3]", "value_range"),
    "no rows": (images[:0], "0 sample(s)"),
    "five axes": (images[None], "(1, 12, 8, 8, 3)"),
    "shorter rows": (rows[:, :100], "100", "192"),
    "None": (None, "X is None"),
    "a missing file": (["none.png"], "X[0]='none.png'", "no such file"),
}
CASES = [*ARRAYS, *VALUES, *FILES, *TRANSFORM]


def drawn(path, size=(8, 8), mode="RGB"):
    """The path of an image file."""
    Image.fromarray(pixels(size[1], size[0], 3)).convert(mode).save(path)
    return path


def wrote(directory, content):
    path = directory / "file.png"
    path.write_bytes(content)
    return path


def cut(directory, path):
    """The first half of a file."""
    content = path.read_bytes()
    return wrote(directory, content[: len(content) // 2])


@pytest.fixture
def paths(tmp_path):
    return [drawn(tmp_path / f"{i}.png") for i in range(6)]


def make_embedder(preprocessor="auto", **params):
    return BarlowTwinsEmbedder(
        modality="image",
        preprocessor=preprocessor,
        projector=MLPProjector((12,), 8),
        max_epochs=2,
        batch_size=16,
        random_state=0,
        **{"encoder": ConvNetEncoder(widths=(8,)), **params},
    )


@pytest.fixture(scope="module")
def pickled():
    return pickle.dumps(make_embedder().fit(images))


@pytest.fixture
def fitted(pickled):
    """An embedder fitted to `images`."""
    return pickle.loads(pickled)


@pytest.fixture
def refuses_to_fit(refuses):
    """``refuses_to_fit(words, X, **params)``: `fit` of X is refused in such words, and leaves no attribute."""

    def refuses_to_fit(words, X, **params):
        embedder = make_embedder(ImagePreprocessor(**params))
        before = dict(vars(embedder))
        refuses(words, embedder.fit, X)
        assert vars(embedder) == before

    return refuses_to_fit


@pytest.mark.parametrize("name", ARRAYS)
def test_array(refuses_to_fit, refuses, fitted, fingerprint, name):
    """In a first fit and in a refit, after which the embedder is as it was."""
    X, params, *words = ARRAYS[name]
    refuses_to_fit(words, X, **params)
    own, before = fitted.get_params(deep=False), fingerprint(fitted)
    refuses(words, fitted.set_params(preprocessor=ImagePreprocessor(**params)).fit, X)
    assert fingerprint(fitted.set_params(**own)) == before


@pytest.mark.parametrize("case", VALUES, ids=[f"{name}={value!r}" for name, value in VALUES])
def test_hyper_parameter(refuses_to_fit, paths, case):
    name, value = case
    of_files = name in ("image_size", "color", "on_broken", "max_decoded_bytes", "n_jobs")
    refuses_to_fit([name, repr(value)], paths if of_files else images, **{name: value})


@pytest.mark.parametrize("name", FILES)
def test_files(refuses_to_fit, tmp_path, paths, name):
    """Whether images are kept in memory or left on disk."""
    change, params, *words = FILES[name]
    X = change(tmp_path, paths)
    for max_decoded_bytes in (2**31, 0):
        refuses_to_fit(words, X, max_decoded_bytes=max_decoded_bytes, n_jobs=2, **params)


@pytest.mark.parametrize("name", TRANSFORM)
def test_other_images_later(refuses, fitted, fingerprint, name):
    before = fingerprint(fitted)
    X, *words = TRANSFORM[name]
    for method in (fitted.transform, fitted.partial_fit):
        refuses(words, method, X)
        assert fingerprint(fitted) == before


@pytest.mark.parametrize("part", ["mlp", "resnet"])
def test_encoders_of_tables(refuses, part):
    refuses(["encoder", "(3, 8, 8)", "'convnet'"], make_embedder(encoder=part).fit, images)


def test_columns_beside_an_image(refuses):
    refuses(["passthrough=True", "(3, 8, 8)", "'auto' or False"], make_embedder(passthrough=True).fit, images)
