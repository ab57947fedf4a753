"""Images through the whole embedder: every form, every place to store them, every part, in scikit-learn's tools."""

import pickle
import threading
import warnings

import numpy as np
import pytest
import torch
from PIL import Image
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
from sklearn_twins.networks import ConvNetEncoder, ImageResNetEncoder, MLPProjector
from sklearn_twins.preprocessing import ImagePreprocessor

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("one_thread")]


def pixels(n=40, height=9, width=7, channels=3):
    return np.random.default_rng(0).integers(0, 256, size=(n, height, width, channels), dtype=np.uint8)


def make(**params):
    small = {
        "modality": "image",
        "encoder": ConvNetEncoder(widths=(4, 8)),
        "projector": MLPProjector(hidden_dims=(12,), projection_dim=8),
        "max_epochs": 2,
        "batch_size": 16,
        "random_state": 0,
    }
    return BarlowTwinsEmbedder(**{**small, **params})


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
    """Forty PNG files of `pixels()`."""
    paths = [tmp_path / f"{i}.png" for i in range(40)]
    for path, image in zip(paths, pixels(), strict=True):
        Image.fromarray(image).save(path)
    return paths


FORMS = {
    "channels first": lambda X: X.transpose(0, 3, 1, 2).copy(),
    "flat rows": lambda X: X.reshape(len(X), -1),
    "list": list,
    "reversed": lambda X: X[::-1].copy()[::-1],
    "Fortran order": np.asfortranarray,
}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_gives_the_same_embedding(form):
    X = pixels().astype(np.uint8)
    expected = make().fit_transform(X)
    embedder = make(preprocessor=ImagePreprocessor((9, 7, 3), value_range=(0, 255)))
    assert embedder.fit_transform(FORMS[form](X)).shape == (40, 8)
    np.testing.assert_allclose(embedder.transform(X), expected, rtol=1e-4, atol=1e-5)
    assert embedder.n_features_in_ == 9 * 7 * 3


@pytest.mark.parametrize("storage", ["auto", "device", "host"])
@pytest.mark.parametrize("early_stopping", [False, pytest.param(True, marks=pytest.mark.slow)])
@pytest.mark.parametrize("augmentation", ["image_views", pytest.param("mixup", marks=pytest.mark.slow)])
@pytest.mark.parametrize("source", ["array", "map", "files", "files left on disk"])
def test_the_result_does_not_depend_on_where_images_are(mapped, files, storage, early_stopping, augmentation, source):
    X, parameters = pixels(), {"early_stopping": early_stopping, "augmentation": augmentation}
    expected = make(**parameters).fit(X)
    given = {"array": X, "map": mapped(X)}.get(source, files)
    embedder = make(storage=storage, **parameters)
    if source == "files left on disk":
        embedder.set_params(preprocessor__max_decoded_bytes=0)
    before = threading.active_count()
    np.testing.assert_array_equal(embedder.fit_transform(given), expected.transform(X))
    assert embedder.loss_curve_ == expected.loss_curve_
    assert threading.active_count() == before


def test_floats_on_disk(mapped):
    X = pixels() / 250 - 3
    expected = make().fit(X)
    np.testing.assert_array_equal(make().fit_transform(mapped(X)), expected.transform(X))


@pytest.mark.parametrize("channels", [1, 2, 3, 4, 10])
@pytest.mark.parametrize("side", [1, 5, 8])
@pytest.mark.parametrize("augmentation", ["image_views", "barlow_twins_pair"])
def test_any_channels_and_small_sides(channels, side, augmentation):
    X = pixels(20, side, side + 1, channels)
    embedder = make(augmentation=augmentation, preprocessor=ImagePreprocessor(channels="last"))
    Z = embedder.fit_transform(X)
    assert Z.shape == (20, 8) and np.isfinite(Z).all()


@pytest.mark.slow
def test_defaults_learn_to_know_images_again():
    """Two halves of an epoch's loss: it falls, and the embedding tells digits apart better than chance by far."""
    X, y = load_digits(return_X_y=True)
    embedder = BarlowTwinsEmbedder(modality="image", max_epochs=3, random_state=0)
    embedder.set_params(preprocessor__sample_shape=(8, 8))
    Z = embedder.fit_transform(X)
    assert embedder.loss_curve_[-1] < 0.8 * embedder.loss_curve_[0]
    assert LogisticRegression(max_iter=1000).fit(Z[::2], y[::2]).score(Z[1::2], y[1::2]) > 0.7


@pytest.mark.slow
def test_pipelines_and_searches():
    X, y = load_digits(return_X_y=True)
    X, y = X[:300], y[:300]
    embedder = make().set_params(preprocessor__sample_shape=(8, 8))
    pipeline = make_pipeline(MinMaxScaler(), embedder, LogisticRegression(max_iter=1000))
    grid = {
        "barlowtwinsembedder__augmentation__min_scale": [0.2, 0.5],
        "barlowtwinsembedder__encoder__widths": [(4, 8), (8, 16)],
        "barlowtwinsembedder__objective": ["hsic"],
    }
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        search = GridSearchCV(pipeline, grid, cv=2).fit(X, y)
    assert set(search.best_params_) == set(grid) and np.isfinite(search.cv_results_["mean_test_score"]).all()


@pytest.mark.slow
def test_workers_see_memory_maps():
    """joblib hands large arrays to its workers as read-only memory maps."""
    X = np.random.default_rng(0).integers(0, 256, size=(60, 100, 100, 3), dtype=np.uint8)
    pipeline = make_pipeline(make(max_epochs=1), LogisticRegression())
    scores = [
        cross_val_score(pipeline, X, np.arange(60) % 2, cv=2, n_jobs=n_jobs, error_score="raise") for n_jobs in (1, 2)
    ]
    assert scores[0].tolist() == scores[1].tolist()


class Brightness(nn.Module):
    """A user's module: it draws from torch's global generator, and has a tensor of its own."""

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
def test_augmentations_of_one_s_own(name):
    embedders = [make(augmentation=AUGMENTATIONS[name]) for _ in range(2)]
    torch.manual_seed(3)
    before = torch.get_rng_state()
    first, second = (embedder.fit_transform(pixels()) for embedder in embedders)
    np.testing.assert_array_equal(first, second)
    assert torch.equal(torch.get_rng_state(), before)
    assert make(augmentation="identity").fit_transform(pixels()).tolist() != first.tolist()


def test_a_pipeline_of_kornia_s():
    kornia = pytest.importorskip("kornia.augmentation")
    views = kornia.AugmentationSequential(
        kornia.RandomResizedCrop((9, 7), scale=(0.3, 1.0)),
        kornia.RandomHorizontalFlip(),
        kornia.ColorJiggle(0.4, 0.4, 0.2, 0.1),
    )
    first, second = (make(augmentation=views).fit_transform(pixels()) for _ in range(2))
    np.testing.assert_array_equal(first, second)


class Flat(nn.Module):
    """A user's encoder that needs images as one piece of memory."""

    def __init__(self, spec):
        super().__init__()
        self.layer = nn.Linear(int(np.prod(spec.shape)), 6)

    def forward(self, images):
        return self.layer(images.view(len(images), -1))


def test_encoders_of_one_s_own():
    embedder = make(encoder=Flat)
    Z = embedder.fit_transform(pixels())
    assert Z.shape == (40, 6)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(embedder)).transform(pixels()), Z)


@pytest.mark.parametrize("encoder", ["convnet", ImageResNetEncoder(width=8), ConvNetEncoder(widths=(4,))], ids=str)
def test_pickles_and_seeds(encoder):
    embedder = make(encoder=encoder, max_epochs=1, n_components=5)
    Z = embedder.fit_transform(pixels())
    np.testing.assert_array_equal(clone(embedder).fit_transform(pixels()), Z)
    again = pickle.loads(pickle.dumps(embedder))
    np.testing.assert_array_equal(again.transform(pixels()), Z)
    np.testing.assert_array_equal(again.transform(pixels()[7:8]), Z[7:8])
    assert (clone(embedder).set_params(random_state=1).fit_transform(pixels()) != Z).any()


def test_going_on():
    X = pixels()
    whole = make(max_epochs=4, lr_schedule="constant").fit(X)
    half = make(max_epochs=2, lr_schedule="constant", warm_start=True).fit(X)
    half.set_params(max_epochs=4).fit(X)
    np.testing.assert_array_equal(half.transform(X), whole.transform(X))
    streamed = make().partial_fit(X[:20]).partial_fit(X[20:])
    assert streamed.n_iter_ == 2 and np.isfinite(streamed.transform(X)).all()


def test_images_are_left_as_they_are():
    X = pixels()
    before = X.copy()
    make().fit(X).transform(X)
    np.testing.assert_array_equal(X, before)
    X.setflags(write=False)
    make().fit(X).transform(X)


REFUSED = {
    "an encoder of tables": ({"encoder": "mlp"}, pixels(), "For images use encoder='auto', 'convnet'"),
    "flat rows without a shape": ({}, pixels().reshape(40, -1), "preprocessor__sample_shape"),
    "one image": ({}, pixels(1), "minimum of 2 is required"),
    "an unknown encoder": ({"encoder": "resnet19"}, pixels(), "'timm:NAME'"),
    "an unknown storage": ({"storage": "disk"}, pixels(), "storage"),
    "an unknown modality": ({"modality": "images"}, pixels(), "modality"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused_before_training(case):
    params, X, words = REFUSED[case]
    embedder = make(**params)
    with pytest.raises(ValueError) as error:
        embedder.fit(X)
    assert words in str(error.value) and not hasattr(embedder, "encoder_")


def test_encoders_of_images_refuse_tables():
    with pytest.raises(ValueError, match="image"):
        BarlowTwinsEmbedder(encoder="convnet").fit(np.zeros((10, 5)))


def test_transform_names_what_does_not_match():
    embedder = make().fit(pixels())
    with pytest.raises(ValueError, match=r"8 x 7 x 3 .*but BarlowTwinsEmbedder was fitted on images of 9 x 7 x 3"):
        embedder.transform(pixels(height=8))
    with pytest.raises(ValueError, match="9 x 7 x 10"):
        embedder.transform(pixels(channels=10))


def test_broken_files_in_a_fit(files):
    files[3].write_text("no image")
    with pytest.raises(ValueError, match=r"X\[3\]=.*3\.png.*on_broken='skip'"):
        make().fit(files)
    embedder = make().set_params(preprocessor__on_broken="skip")
    with pytest.warns(UserWarning, match="left out"):
        embedder.fit(files)
    np.testing.assert_array_equal(
        embedder.transform(pixels()), make().fit(np.delete(pixels(), 3, 0)).transform(pixels())
    )
    with pytest.warns(UserWarning, match="blank image"):
        assert np.isfinite(embedder.transform(files)).all()


@pytest.mark.parametrize("max_decoded_bytes", [0, 2**31])
def test_broken_files_are_left_out_when_training_goes_on(files, max_decoded_bytes):
    files[3].write_text("no image")
    good = np.delete(pixels(), 3, axis=0)
    skipping = ImagePreprocessor(on_broken="skip", max_decoded_bytes=max_decoded_bytes)
    embedder = make(preprocessor=skipping)
    with pytest.warns(UserWarning, match="left out") as told:
        embedder.partial_fit(files).partial_fit(files)
    assert len(told) == 2
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
    X = pixels()
    embedder = make(device="cuda", encoder=encoder, storage=storage)
    expected = make(device="cuda", encoder=encoder).fit_transform(X)
    np.testing.assert_allclose(embedder.fit_transform(mapped(X)), expected, rtol=0.05, atol=0.05)
    again = pickle.loads(pickle.dumps(embedder))
    np.testing.assert_allclose(again.transform(X), expected, rtol=0.05, atol=0.05)
