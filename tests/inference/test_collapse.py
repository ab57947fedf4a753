"""Diagnosis: planted faults are named with cause and remedy, healthy fits are silent, the record reads well."""

import html
import pickle
import re
import warnings

import numpy as np
import pandas as pd
import pytest
import torch
from builders import pixels, small_embedder, table_spec
from sklearn.datasets import load_breast_cancer, load_digits, load_iris, load_wine
from sklearn.exceptions import NotFittedError

from sklearn_twins import BarlowTwinsEmbedder, CollapseWarning
from sklearn_twins._inference._collapse import FitSummary, compute_noise_share, find_constant_columns, find_flaws
from sklearn_twins._roles import ROLES
from sklearn_twins.networks import MLPProjector
from sklearn_twins.objectives import HSIC, BarlowTwins

pytestmark = pytest.mark.usefixtures("one_thread")

BREAST_CANCER, DIGITS, WINE, IRIS = (
    load().data[:300] for load in (load_breast_cancer, load_digits, load_wine, load_iris)
)


def fit(X, **params):
    """An embedder with its own defaults but fewer epochs, and the messages it warned with."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        embedder = BarlowTwinsEmbedder(**{"max_epochs": 10, "random_state": 0, **params}).fit(X)
    assert all(warning.category is CollapseWarning for warning in caught)
    return embedder, [str(warning.message) for warning in caught]


@pytest.mark.slow
@pytest.mark.parametrize("X", [BREAST_CANCER, DIGITS], ids=["breast cancer", "digits"])
def test_healthy_fits_are_silent(X):
    embedder, messages = fit(X)
    assert messages == []
    assert embedder.diagnose(X).healthy
    assert "healthy" in repr(embedder.diagnose(X))


@pytest.mark.slow
@pytest.mark.parametrize("objective", ROLES["objective"].parts())
def test_no_objective_is_suspected(objective):
    assert fit(WINE, objective=objective)[1] == []


@pytest.mark.slow
@pytest.mark.parametrize("n_components", [1, 2, 8])
def test_narrow_embeddings_are_not_suspected(n_components):
    assert fit(IRIS, n_components=n_components)[1] == []


@pytest.mark.slow
@pytest.mark.parametrize(("X", "kind"), [(BREAST_CANCER, BarlowTwins), (DIGITS, HSIC)], ids=["barlow_twins", "hsic"])
def test_no_off_diagonal_weight(X, kind):
    embedder, messages = fit(X, objective=kind(off_diagonal_weight=0), projector=MLPProjector(projection_dim=2))
    assert len(messages) == 1
    assert "Likely cause: off_diagonal_weight=0 is too small for projection_dim=2" in messages[0]
    assert "Remedy: use off_diagonal_weight='auto'" in messages[0]
    assert not embedder.diagnose(X).healthy


@pytest.mark.slow
@pytest.mark.parametrize(("X", "optimizer"), [(DIGITS, "adamw"), (BREAST_CANCER, "sgd")], ids=["adamw", "sgd"])
def test_learning_rate(X, optimizer):
    _, messages = fit(X, learning_rate=10, optimizer=optimizer)
    assert len(messages) == 1
    assert "Likely cause: learning_rate=10 is" in messages[0] and "Remedy: use learning_rate=0.0" in messages[0]


@pytest.mark.slow
def test_constant_columns():
    X = np.ones_like(WINE)
    _, messages = fit(X)
    assert len(messages) == 1 and messages[0].startswith("All 256 coordinates of the embedding are constant. ")
    X[:, 1] = WINE[:, 2]
    _, messages = fit(X, max_epochs=20)
    assert len(messages) == 1
    assert "Likely cause: 12 of 13 columns of X are constant (0, 2, 3, 4, 5, ...)" in messages[0]


def test_batches_far_narrower_than_the_projection():
    embedder, messages = fit(WINE, batch_size=16, projector=MLPProjector(projection_dim=1024), max_epochs=1)
    assert len(messages) == 1
    share = f"{compute_noise_share(embedder.history_):.0%}"
    assert "batch_size=16 with projection_dim=1024" in messages[0] and f"{share} of the redundancy term" in messages[0]
    assert "use a larger batch or a smaller projection (projector__projection_dim)" in messages[0]


def test_a_larger_batch_is_not_advised_without_more_rows():
    _, messages = fit(IRIS[:12], max_epochs=2)
    assert len(messages) == 1 and "Remedy: use a smaller projection" in messages[0]


def test_views_that_do_not_differ(make, X):
    diagnosis = make(augmentation="identity").fit(X).diagnose(X)
    assert "augmentation='identity' changes almost nothing" in repr(diagnosis)
    assert diagnosis.invariance == pytest.approx(0, abs=1e-9)


def test_a_warning_as_an_error_leaves_a_fitted_embedder(make):
    embedder = make()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(CollapseWarning):
            embedder.fit(np.ones((60, 5)))
    assert embedder.transform(np.ones((3, 5))).shape == (3, 8 + 5)


def test_an_embedding_that_is_not_finite(make, X):
    """The encoder is fine in training and not afterwards."""

    class Spoilt(torch.nn.Linear):
        def forward(self, x):
            return super().forward(x) / (1 if self.training else 0)

    embedder = make(encoder=lambda spec: Spoilt(5, 8))
    with pytest.warns(CollapseWarning, match="The embedding or its projection is not finite"):
        embedder.fit(X)
    assert embedder.n_iter_ == 2


def test_partial_fit_does_not_warn(make):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        embedder = make().partial_fit(np.ones((60, 5)))
    assert embedder._fit_summary is None
    assert not embedder.diagnose(np.ones((60, 5))).healthy


def test_record(make, X, fingerprint):
    frame = pd.DataFrame(X, columns=list("vwxyz")).assign(w=7.0)
    embedder = make().fit(frame)
    before, diagnosis = fingerprint(embedder), embedder.diagnose(frame)
    assert fingerprint(embedder) == before
    assert diagnosis.constant_columns == ["w"]
    assert (diagnosis.n_rows, diagnosis.n_components) == (60, 8)
    assert 1 <= diagnosis.effective_rank <= 8
    assert 0 <= diagnosis.noise_share <= 1
    lines = repr(diagnosis).splitlines()
    assert lines[0].startswith("Diagnosis of 60 rows: ") and any("constant columns    w" in line for line in lines)
    again = pickle.loads(pickle.dumps(embedder)).diagnose(frame)
    assert repr(again) == repr(diagnosis)


def test_html(make, X):
    healthy = make(max_epochs=20, n_components=4).fit(X).diagnose(X)
    sick = make(learning_rate=5.0).fit(X).diagnose(np.ones_like(X))
    for diagnosis in (healthy, sick):
        text = html.unescape(re.sub("<[^>]+>", " ", diagnosis._repr_html_()))
        assert diagnosis.headline in text
        for finding in diagnosis.findings:
            assert finding.problem in text and finding.cause in text and finding.remedy in text
        for name, value, note in diagnosis.figures():
            assert name in text and value in text and note in text and name in repr(diagnosis)
    assert "<li>" in sick._repr_html_()


def test_an_objective_without_redundancy_has_no_noise(make, X):
    diagnosis = make(objective="info_nce").fit(X).diagnose(X)
    assert np.isnan(diagnosis.noise_share) and "sampling noise" not in repr(diagnosis)


@pytest.mark.slow
def test_images(make):
    images = pixels(40, 8, 8, 1)
    embedder = make(modality="image", encoder="convnet", n_components=8).fit(images)
    assert embedder.diagnose(images[:20]).constant_columns == []


def test_too_few_rows(make, X):
    with pytest.raises(ValueError, match=r"X has 5 row\(s\), too few for a diagnosis"):
        make().fit(X).diagnose(X[:5])
    with pytest.raises(NotFittedError):
        make().diagnose(X)


def test_flaws():
    rng = np.random.default_rng(0)
    Z = rng.normal(size=(200, 6))
    Z[:, 1], Z[:, 3], Z[:, 5] = 4.0, -2 * Z[:, 0] + 1, Z[:, 0] + 1e-4 * Z[:, 2]
    rank, dead, repeated = find_flaws(Z)
    assert dead.tolist() == [1] and repeated.tolist() == [0, 3, 5]
    assert 2 < rank < 4
    assert find_flaws(np.ones((5, 3)))[0] == 0


@pytest.mark.parametrize(
    ("samples", "expected"),
    [
        ([[1, 2], [1, 3]], [0]),
        ([[np.nan, 2], [np.nan, 2]], [0, 1]),
        ([[np.nan, 2], [1, np.nan]], []),
        ([[0, 1]], [0, 1]),
    ],
)
def test_constant_columns_of_samples(samples, expected):
    samples = np.array(samples, dtype=np.float32)
    assert find_constant_columns(samples, table_spec(2), None) == expected
    assert find_constant_columns(samples, table_spec(2), ["a", "b"]) == [["a", "b"][j] for j in expected]


def test_parts_of_a_date_are_one_column(make):
    frame = pd.DataFrame({"number": np.arange(30.0), "date": pd.date_range("2020-01-01", periods=30)})
    embedder = make().fit(frame)
    assert embedder.diagnose(frame).constant_columns == []
    assert embedder.diagnose(frame.assign(date=frame["date"][0])).constant_columns == ["date"]


@pytest.mark.parametrize(
    ("total", "excess", "share"), [(10.0, 4.0, 0.6), (1.0, -1.0, 1.0), (0.0, -1.0, np.nan), (2.0, 2.0, 0.0)]
)
def test_noise_share(total, excess, share):
    history = {"redundancy": np.array([3.0, total]), "excess_redundancy": np.array([0.0, excess])}
    assert compute_noise_share(history) == pytest.approx(share, nan_ok=True)
    assert np.isnan(compute_noise_share({"loss": np.array([1.0])}))


def test_the_summary_is_kept(X):
    """By warm starts and pickles."""
    embedder = small_embedder(warm_start=True).fit(X)
    assert isinstance(embedder._fit_summary, FitSummary)
    assert embedder.fit(X)._fit_summary == embedder._fit_summary
    assert pickle.loads(pickle.dumps(embedder))._fit_summary == embedder._fit_summary


@pytest.mark.slow
def test_a_single_column_is_a_cause(make):
    X = pd.DataFrame({"c": ["a", "b"] * 30})
    with pytest.warns(CollapseWarning, match=r"X has a single column.*give the embedder more columns"):
        make(max_epochs=30).fit(X)
