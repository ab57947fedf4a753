"""Files that earlier versions wrote: this format is loaded, an older one is refused by a clear error."""

import importlib.util
import re
import warnings
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn.exceptions import InconsistentVersionWarning

from sklearn_twins import BarlowTwinsEmbedder, MultiViewEmbedder, UnreadableFileError, __version__
from sklearn_twins._persistence._save_load import FORMAT_VERSION

pytestmark = pytest.mark.usefixtures("one_thread")

DIRECTORY = Path(__file__).parent
# Every kind of file that was ever added; a new kind of state adds its own, by tests/persistence/make.py.
KINDS = {
    **dict.fromkeys(("image", "ranks", "table"), BarlowTwinsEmbedder),
    **dict.fromkeys(("columns", "containers"), MultiViewEmbedder),
}


@pytest.fixture(scope="module")
def rows():
    """Functions that make the rows, by the kind of embedder."""
    spec = importlib.util.spec_from_file_location("make_files", DIRECTORY / "make.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.ROWS


def load(kind):
    """The embedder in a file of this format."""
    path = DIRECTORY / f"{kind}-{FORMAT_VERSION}.safetensors"
    assert path.exists(), "run python tests/persistence/make.py"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", InconsistentVersionWarning)
        return KINDS[kind].load(path)


@pytest.mark.parametrize("kind", KINDS)
def test_file_is_loaded_and_saved_again(kind, rows, tmp_path):
    embedder, expected = load(kind), np.load(DIRECTORY / f"{kind}-{FORMAT_VERSION}.npy")
    assert_allclose(embedder.transform(rows[kind]()), expected, rtol=1e-6, atol=1e-6)
    embedder.save(tmp_path / "again")
    copy = KINDS[kind].load(tmp_path / "again")
    assert repr(copy) == repr(embedder) and vars(copy).keys() == vars(embedder).keys()


@pytest.mark.parametrize("kind", ["table", "columns"])
def test_training_continues_from_a_file(kind, rows):
    X, embedder = rows[kind](), load(kind)
    assert embedder.set_params(max_epochs=4).fit(X).n_iter_ == 4
    assert np.isfinite(embedder.transform(X)).all()


def test_older_format_is_refused():
    message = (
        f"is in format '1', written by sklearn_twins {__version__}; sklearn_twins {__version__} reads format "
        f"'{FORMAT_VERSION}' only. To use it, fit the embedder again with this version and save it."
    )
    with pytest.raises(UnreadableFileError, match=re.escape(message)):
        BarlowTwinsEmbedder.load(DIRECTORY / "table-1.safetensors")
