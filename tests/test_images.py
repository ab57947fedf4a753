"""Images through the whole embedder: all forms, storages and parts, also in scikit-learn's tools."""

import pickle
import threading
import warnings

import joblib
import numpy as np
import pytest
import torch
from builders import pixels, save_images, small_embedder
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler
from torch import nn

from sklearn_twins import BarlowTwinsEmbedder
from sklearn_twins._image import _preprocessor as _images
from sklearn_twins.augmentations import Chain, GaussianNoise, HorizontalFlip, ImageViews, Mixup, Pair, RandomResizedCrop
from sklearn_twins.networks import ConvNetEncoder, ImageResNetEncoder
from sklearn_twins.preprocessing import ImagePreprocessor

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("one_thread")]


X = pixels(40, 9, 7, 3)


def make(**params):
    return small_embedder(**{"modality": "image", "encoder": ConvNetEncoder(widths=(4, 8)), **params})


@pytest.fixture
def mapped(tmp_path, monkeypatch):
    """Images mapped from a file, as if it were a large one."""
    monkeypatch.setattr(_images, "MIN_MAPPED_BYTES", 1)

    def mapped(array):
        np.save(tmp_path / "images.npy", array)
        return np.load(tmp_path / "images.npy", mmap_mode="r")

    return mapped


@pytest.fixture
def files(tmp_path):
    """PNG files of X."""
    return save_images(tmp_path, X)


FORMS = {
    "channels first": lambda X: X.transpose(0, 3, 1, 2).copy(),
    "flat rows": lambda X: X.reshape(len(X), -1),
    "list": list,
    "reversed": lambda X: X[::-1].copy()[::-1],
    "Fortran order": np.asfortranarray,
}


def test_every_form_gives_the_same_embedding():
    expected = make().fit_transform(X)
    for form in FORMS.values():
        embedder = make(preprocessor=ImagePreprocessor((9, 7, 3), value_range=(0, 255)))
        assert embedder.fit_transform(form(X)).shape == (40, 8)
        np.testing.assert_allclose(embedder.transform(X), expected, rtol=1e-4, atol=1e-5)
        assert embedder.n_features_in_ == 9 * 7 * 3


@pytest.mark.parametrize(
    ("source", "storage", "early_stopping", "augmentation"),
    [
        ("array", "auto", False, "image_views"),
        ("array", "host", True, "mixup"),
        ("array", "device", True, "image_views"),
        ("map", "auto", True, "mixup"),
        ("map", "host", False, "image_views"),
        ("map", "device", False, "mixup"),
        ("files", "auto", False, "mixup"),
        ("files", "host", True, "image_views"),
        ("files", "device", False, "image_views"),
        ("files left on disk", "auto", True, "image_views"),
        ("files left on disk", "host", False, "mixup"),
        ("files left on disk", "device", True, "mixup"),
    ],
)
def test_the_result_does_not_depend_on_where_images_are(mapped, files, source, storage, early_stopping, augmentation):
    parameters = {"early_stopping": early_stopping, "augmentation": augmentation}
    expected = make(**parameters).fit(X)
    given = {"array": X, "map": mapped(X)}.get(source, files)
    embedder = make(storage=storage, **parameters)
    if source == "files left on disk":
        embedder.set_params(preprocessor__max_decoded_bytes=0)
    before = set(threading.enumerate())
    np.testing.assert_array_equal(embedder.fit_transform(given), expected.transform(X))
    assert embedder.loss_curve_ == expected.loss_curve_
    assert set(threading.enumerate()) <= before


def test_floats_on_disk(mapped):
    floats = X / 250 - 3
    expected = make().fit(floats)
    np.testing.assert_array_equal(make().fit_transform(mapped(floats)), expected.transform(floats))


@pytest.mark.parametrize(
    ("channels", "side", "augmentation"),
    [
        (1, 1, "image_views"),
        (1, 8, "barlow_twins_pair"),
        (2, 5, "image_views"),
        (3, 1, "barlow_twins_pair"),
        (3, 5, "barlow_twins_pair"),
        (4, 8, "image_views"),
        (10, 1, "barlow_twins_pair"),
        (10, 8, "image_views"),
    ],
)
def test_any_channels_and_small_sides(channels, side, augmentation):
    embedder = make(augmentation=augmentation, preprocessor=ImagePreprocessor(channels="last"))
    Z = embedder.fit_transform(pixels(20, side, side + 1, channels))
    assert Z.shape == (20, 8) and np.isfinite(Z).all()


def test_defaults_learn_to_recognise_images():
    """The loss falls, and the embedding tells digits apart far better than chance."""
    digits, y = (part[:500] for part in load_digits(return_X_y=True))
    embedder = BarlowTwinsEmbedder(modality="image", max_epochs=4, batch_size=100, random_state=0)
    embedder.set_params(preprocessor__sample_shape=(8, 8))
    Z = embedder.fit_transform(digits)
    assert embedder.loss_curve_[-1] < 0.8 * embedder.loss_curve_[0]
    assert LogisticRegression(max_iter=1000).fit(Z[::2], y[::2]).score(Z[1::2], y[1::2]) > 0.7


def test_pipelines_and_searches():
    digits, y = (part[:120] for part in load_digits(return_X_y=True))
    embedder = make().set_params(preprocessor__sample_shape=(8, 8))
    pipeline = make_pipeline(MinMaxScaler(), embedder, LogisticRegression(max_iter=1000))
    grid = {
        "barlowtwinsembedder__augmentation__min_scale": [0.2, 0.5],
        "barlowtwinsembedder__encoder__widths": [(4, 8), (8,)],
        "barlowtwinsembedder__objective": ["hsic"],
    }
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        search = GridSearchCV(pipeline, grid, cv=2).fit(digits, y)
    assert set(search.best_params_) == set(grid) and np.isfinite(search.cv_results_["mean_test_score"]).all()


def test_read_only_maps_of_joblib(tmp_path):
    """As joblib hands large arrays to its workers."""
    joblib.dump(X, tmp_path / "images.joblib")
    pipeline, y = make_pipeline(make(max_epochs=1), LogisticRegression()), np.arange(40) % 2
    in_memory, in_map = (
        cross_val_score(pipeline, rows, y, cv=2, error_score="raise")
        for rows in (X, joblib.load(tmp_path / "images.joblib", mmap_mode="r"))
    )
    assert in_memory.tolist() == in_map.tolist()


class Brightness(nn.Module):
    """A user's module that draws from torch's global generator and has a tensor."""

    def __init__(self):
        super().__init__()
        self.register_buffer("least", torch.tensor(0.5))
        self.seen = []

    def forward(self, images):
        assert images.dtype == torch.float32 and images.is_contiguous() and 0 <= images.min() <= images.max() <= 1
        return images * (self.least + torch.rand(len(images), 1, 1, 1) / 2)


def darken(x, data, generator):
    return x * torch.rand((len(x), 1, 1, 1), generator=generator)


AUGMENTATIONS = {
    "module": Brightness(),
    "callable": darken,
    "chain with both": Chain([("crop", RandomResizedCrop()), ("module", Brightness()), ("darken", darken)]),
    "pair": Pair(Brightness(), Chain([("flip", HorizontalFlip()), ("noise", GaussianNoise(0.05))])),
    "mixup": Chain([("views", ImageViews()), ("mix", Mixup())]),
    "marginal corruption": "marginal_corruption",
    "masking": "masking",
}


@pytest.mark.parametrize("name", AUGMENTATIONS)
def test_other_augmentations(name):
    embedders = [make(augmentation=AUGMENTATIONS[name]) for _ in range(2)]
    torch.manual_seed(3)
    before = torch.get_rng_state()
    first, second = (embedder.fit_transform(X) for embedder in embedders)
    np.testing.assert_array_equal(first, second)
    assert torch.equal(torch.get_rng_state(), before)
    assert make(augmentation="identity").fit_transform(X).tolist() != first.tolist()


def test_a_pipeline_of_kornia():
    kornia = pytest.importorskip("kornia.augmentation")
    views = kornia.AugmentationSequential(
        kornia.RandomResizedCrop((9, 7), scale=(0.3, 1.0)),
        kornia.RandomHorizontalFlip(),
        kornia.ColorJiggle(0.4, 0.4, 0.2, 0.1),
    )
    first, second = (make(augmentation=views).fit_transform(X) for _ in range(2))
    np.testing.assert_array_equal(first, second)


class Flat(nn.Module):
    """A user's encoder that needs contiguous images."""

    def __init__(self, spec):
        super().__init__()
        self.layer = nn.Linear(int(np.prod(spec.shape)), 6)

    def forward(self, images):
        return self.layer(images.view(len(images), -1))


@pytest.mark.parametrize(
    ("encoder", "width"), [("convnet", 5), (ImageResNetEncoder(width=8), 5), (ConvNetEncoder((4,)), 5), (Flat, 6)]
)
def test_pickles_and_seeds(encoder, width):
    embedder = make(encoder=encoder, max_epochs=1, n_components=None if encoder is Flat else 5)
    Z = embedder.fit_transform(X)
    assert Z.shape == (40, width)
    np.testing.assert_array_equal(clone(embedder).fit_transform(X), Z)
    again = pickle.loads(pickle.dumps(embedder))
    np.testing.assert_array_equal(again.transform(X), Z)
    if encoder is not Flat:  # a matrix product of their own may round rows by their place
        np.testing.assert_array_equal(again.transform(X[7:8]), Z[7:8])
    assert (clone(embedder).set_params(random_state=1).fit_transform(X) != Z).any()


def test_going_on():
    whole = make(max_epochs=4, lr_schedule="constant").fit(X)
    half = make(max_epochs=2, lr_schedule="constant", warm_start=True).fit(X)
    half.set_params(max_epochs=4).fit(X)
    np.testing.assert_array_equal(half.transform(X), whole.transform(X))
    streamed = make().partial_fit(X[:20]).partial_fit(X[20:])
    assert streamed.n_iter_ == 2 and np.isfinite(streamed.transform(X)).all()


def test_images_are_left_as_they_are():
    given = X.copy()
    make().fit(given).transform(given)
    np.testing.assert_array_equal(given, X)
    given.setflags(write=False)
    make().fit(given).transform(given)


def test_encoders_of_images_refuse_tables():
    with pytest.raises(ValueError, match="image"):
        BarlowTwinsEmbedder(encoder="convnet").fit(np.zeros((10, 5)))


def test_broken_files_in_a_fit(files):
    files[3].write_text("no image")
    embedder = make().set_params(preprocessor__on_broken="skip")
    with pytest.warns(UserWarning, match="left out"):
        embedder.fit(files)
    np.testing.assert_array_equal(embedder.transform(X), make().fit(np.delete(X, 3, 0)).transform(X))
    with pytest.warns(UserWarning, match="blank image"):
        assert np.isfinite(embedder.transform(files)).all()


@pytest.mark.parametrize("max_decoded_bytes", [0, 2**31])
def test_broken_files_are_left_out_when_training_goes_on(files, max_decoded_bytes):
    files[3].write_text("no image")
    good = np.delete(X, 3, axis=0)
    skipping = ImagePreprocessor(on_broken="skip", max_decoded_bytes=max_decoded_bytes)
    embedder = make(preprocessor=skipping)
    with pytest.warns(UserWarning, match="left out") as warned:
        embedder.partial_fit(files).partial_fit(files)
    assert len(warned) == 2
    np.testing.assert_array_equal(embedder.transform(good), make().partial_fit(good).partial_fit(good).transform(good))
    embedder = make(preprocessor=skipping, warm_start=True)
    with pytest.warns(UserWarning, match="left out"):
        embedder.fit(files).set_params(max_epochs=3).fit(files)
    expected = make(warm_start=True).fit(good).set_params(max_epochs=3).fit(good)
    np.testing.assert_array_equal(embedder.transform(good), expected.transform(good))


def test_where_images_are_is_said(files, capsys):
    make(verbose=1, storage="host").fit(files)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("40 images decoded in")
    assert lines[1] == "40 samples, 0.0 MiB of uint8, in host memory, to cpu batch by batch"
    assert lines[2].startswith("epoch 1/2")


@pytest.mark.gpu
@pytest.mark.parametrize("storage", ["device", "host"])
@pytest.mark.parametrize("encoder", ["convnet", "resnet18"])
def test_on_a_gpu(mapped, storage, encoder):
    if not torch.cuda.is_available():
        pytest.skip("There is no CUDA device here.")
    embedder = make(device="cuda", encoder=encoder, storage=storage)
    expected = make(device="cuda", encoder=encoder).fit_transform(X)
    np.testing.assert_allclose(embedder.fit_transform(mapped(X)), expected, rtol=0.05, atol=0.05)
    again = pickle.loads(pickle.dumps(embedder))
    np.testing.assert_allclose(again.transform(X), expected, rtol=0.05, atol=0.05)
