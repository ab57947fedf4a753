"""Files that earlier versions wrote are loaded for ever: later versions add files here and never remove any."""

import importlib.util
import warnings
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn.exceptions import InconsistentVersionWarning

from sklearn_twins import BarlowTwinsEmbedder
from sklearn_twins._persistence._save_load import FORMAT_VERSION

pytestmark = pytest.mark.usefixtures("one_thread")

FILES = sorted(Path(__file__).parent.glob("*.safetensors"))
# Every file that was ever put here; a new format, or a new kind of state, adds its own (tests/persistence/make.py).
NAMES = {"image-1", "ranks-1", "table-1"}


@pytest.fixture(scope="module")
def rows():
    """Function that makes the rows, by the kind of embedder."""
    spec = importlib.util.spec_from_file_location("make_files", Path(__file__).with_name("make.py"))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.ROWS


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_file_gives_the_embedding_that_it_gave(path, rows):
    X = rows[path.stem.partition("-")[0]]()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", InconsistentVersionWarning)  # what this is about
        embedder = BarlowTwinsEmbedder.load(path)
    assert_allclose(embedder.transform(X), np.load(path.with_suffix(".npy")), rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_file_is_written_again_as_it_was_read(path, tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", InconsistentVersionWarning)
        embedder = BarlowTwinsEmbedder.load(path)
    embedder.save(tmp_path / "again")
    twin = BarlowTwinsEmbedder.load(tmp_path / "again")
    assert repr(twin) == repr(embedder) and vars(twin).keys() == vars(embedder).keys()


def test_no_file_was_removed():
    assert {path.stem for path in FILES} >= NAMES
    assert any(path.stem.endswith(f"-{FORMAT_VERSION}") for path in FILES), "run tests/persistence/make.py"


def test_training_goes_on_from_a_file(rows):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", InconsistentVersionWarning)
        embedder = BarlowTwinsEmbedder.load(next(path for path in FILES if path.stem == "table-1"))
    X = rows["table"]()
    assert embedder.set_params(max_epochs=4).fit(X).n_iter_ == 4
    assert np.isfinite(embedder.transform(X)).all()
