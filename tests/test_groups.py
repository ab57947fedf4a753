"""Groups in `fit`: second views from other rows of a group, in every way of fitting."""

import numpy as np
import pytest
import sklearn
from builders import small_embedder, small_table
from numpy.testing import assert_array_equal
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, GroupKFold, cross_val_score
from sklearn.pipeline import make_pipeline

from sklearn_twins import BarlowTwinsEmbedder
from sklearn_twins._fitting._build import split
from sklearn_twins.augmentations import Identity, Pair
from sklearn_twins.model_selection import BatchedGridSearchCV

pytestmark = pytest.mark.usefixtures("one_thread")
X = small_table()
GROUPS = np.arange(60) // 3


@pytest.fixture(scope="module")
def Z():
    """The embedding of a fit with the groups."""
    return small_embedder().fit(X, groups=GROUPS).transform(X)


def test_groups_matter_and_their_names_do_not(Z):
    assert not np.array_equal(Z, small_embedder().fit_transform(X))
    assert_array_equal(small_embedder().fit(X, groups=[f"client {g}" for g in GROUPS]).transform(X), Z)


def test_no_groups_change_no_bit():
    assert_array_equal(small_embedder().fit(X, groups=None).transform(X), small_embedder().fit_transform(X))


def test_views_are_of_one_group():
    """With unchanged views, what augmentations see: rows, then their partners."""
    seen = []

    def look(x, data, generator):
        seen.append(x.clone())
        return x.clone()

    embedder = small_embedder(augmentation=Pair(look, look), preprocessor="auto")
    samples = embedder.fit(X, groups=GROUPS).preprocessor_.transform(X)
    numbers = {row.tobytes(): i for i, row in enumerate(samples)}
    for first, second in zip(seen[::2], seen[1::2], strict=True):
        a, b = ([numbers[row.tobytes()] for row in rows.numpy()] for rows in (first, second))
        assert (GROUPS[a] == GROUPS[b]).all() and not np.equal(a, b).any()


def test_the_share_of_pairs():
    """The smallest rate leaves rows to themselves."""
    almost_none = small_embedder(pair_rate=1e-12, augmentation=Identity()).fit(X, groups=GROUPS)
    assert almost_none.history_["invariance"][0] < 1e-6
    assert small_embedder(augmentation=Identity()).fit(X, groups=GROUPS).history_["invariance"][0] > 0.01


@pytest.mark.parametrize("params", [{"storage": "host"}, {"checkpoint": True}, {"objective": "hsic"}], ids=str)
def test_ways_to_fit(params, tmp_path, Z):
    if "checkpoint" in params:
        params = {"checkpoint": tmp_path, "checkpoint_minutes": 0}
    once, again = (small_embedder(**params).fit(X, groups=GROUPS).transform(X) for _ in range(2))
    assert_array_equal(once, again)
    assert ("objective" in params) != np.array_equal(once, Z)


def test_early_stopping_and_warm_start():
    """Partners of held-out rows are held out, too."""
    assert np.isfinite(small_embedder(early_stopping=True).fit(X, groups=GROUPS).history_["valid_loss"]).all()
    whole = small_embedder(max_epochs=4, lr_schedule="constant").fit(X, groups=GROUPS)
    warm = small_embedder(warm_start=True, lr_schedule="constant").fit(X, groups=GROUPS)
    warm.set_params(max_epochs=4).fit(X, groups=GROUPS)
    assert_array_equal(warm.transform(X), whole.transform(X))


@pytest.mark.parametrize(
    "sizes", [[2] * 30, [3] * 20, [1] * 20 + [4] * 10, [5, 55], [30, 30], [1, 59], [2, 2, 56]], ids=str
)
def test_whole_groups_are_held_out(sizes):
    """Unless they are few and large; the share of rows is about the one that was asked for."""
    groups = np.repeat(np.arange(len(sizes)), sizes)
    train, valid = split(60, 0.1, 0, groups)
    assert sorted([*train, *valid]) == list(range(60)) and 3 < len(valid) < 9
    assert bool(set(groups[train]) & set(groups[valid])) == (max(sizes) > 6)


def test_rows_that_are_alone_are_counted_once(capsys):
    small_embedder(verbose=1).fit(X, groups=[*GROUPS[:54], *range(100, 106)])
    assert capsys.readouterr().out.count("6 of 60 rows are alone in their group") == 1


def test_rows_without_labels_are_alone():
    joined = small_embedder().fit(X[:48], unlabeled=X[48:], groups=GROUPS[:48])
    assert_array_equal(
        joined.transform(X), small_embedder().fit(X, groups=[*GROUPS[:48], *range(100, 112)]).transform(X)
    )


def test_another_fit_has_another_checkpoint(tmp_path, Z):
    """A fit with groups does not go on from one with others."""
    from skorch.callbacks import Callback

    class Stop(Callback):
        def on_epoch_begin(self, net, **kwargs):
            if len(net.history) == 2:
                raise KeyboardInterrupt

    params = {"checkpoint": tmp_path, "checkpoint_minutes": 0}
    with pytest.raises(KeyboardInterrupt):
        small_embedder(callbacks=[Stop()], **params).fit(X, groups=GROUPS[::-1])
    assert_array_equal(small_embedder(**params).fit(X, groups=GROUPS).transform(X), Z)


@pytest.mark.slow
def test_the_splitter_and_the_embedder_get_them():
    y = np.arange(60) % 2
    with sklearn.config_context(enable_metadata_routing=True):
        pipeline = make_pipeline(small_embedder().set_fit_request(groups=True), LogisticRegression())
        assert len(cross_val_score(pipeline, X, y, cv=GroupKFold(3), params={"groups": GROUPS})) == 3


@pytest.mark.slow
def test_searches():
    grid = {"learning_rate": [0.01, 0.001]}
    plain, batched = (
        search(small_embedder(), grid, cv=GroupKFold(2), refit=True).fit(X, groups=GROUPS)
        for search in (GridSearchCV, BatchedGridSearchCV)
    )
    assert_array_equal(batched.cv_results_["mean_test_score"], plain.cv_results_["mean_test_score"])


@pytest.mark.slow
def test_images():
    images = np.random.default_rng(0).integers(0, 256, (40, 8, 8), dtype=np.uint8)
    embedder = BarlowTwinsEmbedder(modality="image", max_epochs=1, random_state=0)
    assert np.isfinite(embedder.fit(images, groups=np.arange(40) // 2).transform(images)).all()


@pytest.mark.parametrize(
    ("groups", "words"),
    [
        (GROUPS[1:], "59 values for 60 rows"),
        (np.arange(60), "no row has a partner"),
        (np.zeros(60), "one group"),
        ([(g, "a" if g else np.nan) for g in GROUPS], "missing in 3 of 60 rows, the first of them row 0"),
    ],
)
def test_bad_groups(groups, words):
    with pytest.raises(ValueError, match=words):
        small_embedder().fit(X, groups=groups)
    with pytest.raises(ValueError, match="'pair_rate' parameter"):
        small_embedder(pair_rate=0.0).fit(X, groups=GROUPS)
