"""What a fit or a transform has used is given back when it ends, be it well or badly."""

import gc
import sys

import numpy as np
import pytest
from builders import pixels
from PIL import Image
from skorch.callbacks import Callback

from sklearn_twins.networks import ConvNetEncoder
from sklearn_twins.preprocessing import ImagePreprocessor

pytestmark = [
    pytest.mark.slow,
    pytest.mark.usefixtures("one_thread"),
    pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc"),
]
BOUND = 7e6  # bytes; what the fits or transforms of a test use one after another is more than twice as much
N_FITS, N_TRANSFORMS = 20, 100


def resident():
    """Bytes of this process that are in memory."""
    with open("/proc/self/statm", encoding="ascii") as statm:
        return int(statm.read().split()[1]) * 4096


def growth(call, n, first=10):
    """Bytes by which the process grows over n calls, after a few that load what is kept once."""
    for _ in range(first):
        call()
    gc.collect()
    before = resident()
    for _ in range(n):
        call()
    gc.collect()
    return resident() - before


class Trip(Callback):
    """Raises an error in the second batch."""

    def __init__(self, error):
        self.error, self.n = error, 0

    def on_batch_begin(self, net, **kwargs):
        self.n += 1
        if self.n == 2:
            raise self.error


def fails(call, error, *args):
    """Does something that fails."""
    with pytest.raises(error):
        call(*args)


@pytest.fixture(scope="module")
def table():
    """0.8 MB of samples, float32; those of all fits would be 16."""
    return np.random.default_rng(0).normal(size=(2_000, 100)).astype(np.float32)


@pytest.fixture(scope="module")
def images():
    """0.8 MB of bytes; those of all fits would be 16."""
    return pixels(100, 52, 52, 3)


@pytest.fixture(scope="module")
def paths(images, tmp_path_factory):
    directory = tmp_path_factory.mktemp("images")
    for i, image in enumerate(images):
        Image.fromarray(image).save(directory / f"{i}.bmp")
    return [directory / f"{i}.bmp" for i in range(len(images))]


@pytest.fixture
def of_images(make):
    def of_images(**params):
        few = {"encoder": ConvNetEncoder(widths=(4,)), "augmentation": "identity", "max_epochs": 1, "batch_size": 50}
        return make(modality="image", **{**few, **params})

    return of_images


@pytest.mark.parametrize("storage", ["device", "host"])
def test_fits_of_a_table(make, table, storage):
    embedder = make(max_epochs=1, batch_size=1_000, storage=storage)
    assert growth(lambda: embedder.fit(table), N_FITS) < BOUND


def test_fits_that_go_on(make, table):
    embedder = make(warm_start=True, max_epochs=1, batch_size=1_000)

    def go_on():
        embedder.set_params(max_epochs=getattr(embedder, "n_iter_", 0) + 1).fit(table)

    assert growth(go_on, N_FITS) < BOUND


def test_fits_that_fail(make, table):
    def fit():
        fails(make(batch_size=1_000, callbacks=[Trip(KeyboardInterrupt)]).fit, KeyboardInterrupt, table)

    assert growth(fit, N_FITS) < BOUND


def test_fits_that_are_refused(make, table):
    infinite = table.copy()
    infinite[-1, -1] = np.inf
    assert growth(lambda: fails(make().fit, ValueError, infinite), N_FITS) < BOUND


@pytest.mark.parametrize(("decoded", "storage"), [(0, "host"), (2**30, "device")])
def test_fits_of_files(of_images, paths, storage, decoded):
    embedder = of_images(preprocessor=ImagePreprocessor(max_decoded_bytes=decoded, n_jobs=1), storage=storage)
    assert growth(lambda: embedder.fit(paths), N_FITS, first=5) < BOUND


def test_fits_of_files_that_fail(of_images, paths):
    preprocessor = ImagePreprocessor(max_decoded_bytes=0, n_jobs=1)

    def fit():
        fails(of_images(preprocessor=preprocessor, callbacks=[Trip(KeyboardInterrupt)]).fit, KeyboardInterrupt, paths)

    assert growth(fit, N_FITS, first=5) < BOUND


def test_transforms_of_a_table(make, table):
    embedder = make(max_epochs=1, batch_size=1_000).fit(table)
    assert growth(lambda: embedder.transform(table[:500]), N_TRANSFORMS) < BOUND


def test_transforms_that_are_refused(make, table):
    embedder, infinite = make(max_epochs=1, batch_size=1_000).fit(table), np.full((500, 100), np.inf)
    assert growth(lambda: fails(embedder.transform, ValueError, infinite), N_TRANSFORMS) < BOUND


def test_transforms_of_images(of_images, images):
    embedder = of_images().fit(images)
    assert growth(lambda: embedder.transform(images[:15]), N_TRANSFORMS) < BOUND


def test_transforms_of_files(of_images, paths):
    embedder = of_images(preprocessor=ImagePreprocessor(max_decoded_bytes=0, n_jobs=1)).fit(paths)
    assert growth(lambda: embedder.transform(paths[:15]), N_TRANSFORMS) < BOUND


def test_one_embedder_after_another(make, table):
    """An encoder's folded network goes with it."""
    X = table[:1_000]
    assert growth(lambda: make(max_epochs=1, batch_size=1_000).fit(X).transform(X), N_FITS) < BOUND
