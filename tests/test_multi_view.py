"""MultiViewEmbedder: several views of the same rows, from one table or from one container each."""

import pickle

import numpy as np
import pandas as pd
import pytest
import sklearn
import torch
from builders import save_images
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.cross_decomposition import CCA
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.utils.estimator_checks import check_estimator
from skorch.callbacks import Callback

from sklearn_twins import BarlowTwinsEmbedder, CollapseWarning, MultiViewEmbedder
from sklearn_twins._multiview._objective import AcrossViews
from sklearn_twins._multiview._retrieval import mean_retrieval
from sklearn_twins.displays import (
    CrossCorrelationDisplay,
    EmbeddingDisplay,
    SpectrumDisplay,
    TrainingCurveDisplay,
    ViewsDisplay,
)
from sklearn_twins.metrics import get_scorer, get_scorer_names
from sklearn_twins.model_selection import BatchedGridSearchCV, EpochHalvingSearchCV
from sklearn_twins.networks import MLPEncoder, MLPProjector
from sklearn_twins.objectives import BarlowTwins, VICReg
from sklearn_twins.preprocessing import ImagePreprocessor, TablePreprocessor

pytestmark = pytest.mark.usefixtures("one_thread")

rng = np.random.default_rng(0)
SHARED = rng.normal(size=(80, 3))
A = SHARED @ rng.normal(size=(3, 4)) + 0.1 * rng.normal(size=(80, 4))
B = SHARED @ rng.normal(size=(3, 5)) + 0.1 * rng.normal(size=(80, 5))
X = np.hstack([A, B])
FRAME = pd.DataFrame(X, columns=[*"abcd", *"vwxyz"], index=range(100, 180))


def view(**params):
    """An embedder of one view."""
    return BarlowTwinsEmbedder(**{"encoder": MLPEncoder((8,)), "projector": MLPProjector((12,), 6), **params})


def make(columns=(slice(0, 4), slice(4, None)), views=None, **params):
    """A small embedder of two views."""
    if views is None:
        views = [("left", view(), columns[0]), ("right", view(n_components=3), columns[1])]
    return MultiViewEmbedder(views, **{"max_epochs": 2, "batch_size": 20, "random_state": 0, **params})


NUMBERED = pd.DataFrame(X, columns=range(10, 19))
CONTAINERS = [("left", view()), ("right", view(n_components=3))]
EXPECTED = make().fit(X)
FROM_CONTAINERS = make(views=CONTAINERS).fit([A, B])


def test_output():
    """Each view's embedding, then its columns; all views with one total variance; a row alone as among others."""
    Z = EXPECTED.transform(X)
    assert Z.shape == (80, 8 + 4 + 3) and Z.dtype == np.float32 and EXPECTED.n_features_in_ == 9
    assert_allclose(Z[:, :8].var(0).sum(), Z[:, 12:].var(0).sum(), rtol=1e-4)
    assert_array_equal(EXPECTED.transform(X[7:9]), Z[7:9])
    names = EXPECTED.get_feature_names_out()
    assert names[7:13].tolist() == ["left__embedding7", *(f"left__x{j}" for j in range(4)), "right__embedding0"]
    frames = make((list("abcd"), list("vwxyz"))).set_output(transform="pandas").fit(FRAME)
    assert frames.transform(FRAME).columns[8:12].tolist() == [f"left__{name}" for name in "abcd"]
    assert frames.transform(FRAME, views=["right"]).shape == (80, 3)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("columns", "rows"),
    [
        (([0, 1, 2, 3], [4, 5, 6, 7, 8]), X),
        ((np.arange(9) < 4, np.arange(9) >= 4), X),
        ((list("abcd"), list("vwxyz")), FRAME),
        ((slice("a", "d"), slice("v", "z")), FRAME),
        ((lambda X: X.columns[:4], lambda X: [c for c in X if c > "d"]), FRAME),
        ((slice(0, 4), [4, -4, -3, -2, -1]), FRAME),
        ((slice(0, 4), slice(4, None)), list(X)),
        ((slice(0, 4), slice(4, None)), FRAME.set_axis(pd.MultiIndex.from_product([["l"], FRAME.columns]), axis=1)),
        ((slice(0, 4), slice(4, None)), pd.DataFrame(X)),
        ((slice(0, 4), slice(4, None)), pd.DataFrame(X, columns=[8, 7, 6, 5, 4, 3, 2, 1, 0])),
    ],
    ids=["indices", "masks", "names", "slices of names", "callables", "mixed", "rows", "levels", "numbers", "others"],
)
def test_columns_are_chosen_as_by_a_column_transformer(columns, rows):
    embedder = make(columns).fit(rows)
    assert_array_equal(embedder.transform(rows), EXPECTED.transform(X))
    if rows is FRAME:
        assert_array_equal(embedder.transform(rows[::-1]), EXPECTED.transform(X)[::-1])


@pytest.mark.slow
@pytest.mark.parametrize(
    "rows",
    [[A, B], (A, B), {"right": B, "left": A}, [FRAME[list("abcd")], FRAME[list("vwxyz")]]],
    ids=["list", "tuple", "dict", "frames"],
)
def test_one_container_for_each_view(rows):
    embedder = make(views=CONTAINERS).fit(rows)
    assert_array_equal(embedder.transform(rows), EXPECTED.transform(X))
    assert embedder.n_features_in_ == 9


def test_frames_and_arrays_are_taken_by_place_with_a_warning():
    """As scikit-learn does, if the other one was in fit."""
    frames = make((list("abcd"), list("vwxyz"))).fit(FRAME)
    for embedder, rows in ((frames, X), (EXPECTED, FRAME)):
        with pytest.warns(UserWarning, match="MultiViewEmbedder was fitted with.* feature names") as caught:
            assert_array_equal(embedder.transform(rows), EXPECTED.transform(X))
        assert len(caught) == 1


@pytest.mark.parametrize(
    ("views", "rows"),
    [
        (None, X),
        ([("left", view(), list("abcd")), ("right", view(), list("vwxyz"))], FRAME),
        (CONTAINERS, [A, B]),
        (CONTAINERS, [FRAME[list("abcd")], FRAME[list("vwxyz")]]),
    ],
    ids=["array", "frame", "list", "list of frames"],
)
def test_no_rows(views, rows):
    embedder = make(views=views, max_epochs=1).fit(rows)
    none = [part[:0] for part in rows] if isinstance(rows, list) else rows[:0]
    assert embedder.transform(none).shape == (0, embedder.transform(rows).shape[1])
    assert len(embedder.project(none[:1] if isinstance(none, list) else none, "left")) == 0
    with pytest.raises(ValueError, match="X has 0 row"):
        embedder.score(none)


def test_lists_of_rows():
    """A list of containers may hold a list, whose items may be None."""
    embedder = make(views=CONTAINERS).fit([[None, *A[1:]], B])
    expected = make(views=CONTAINERS).fit({"left": [None, *A[1:]], "right": B})
    assert_array_equal(embedder.transform([list(A), B]), expected.transform([A, B]))


@pytest.mark.slow
@pytest.mark.parametrize("as_container", [list, lambda pair: dict(zip(["left", "right"], pair, strict=True))])
def test_containers_with_groups_and_more_rows(as_container):
    groups = np.arange(80) // 4
    wanted = make().fit(X[:60], unlabeled=X[60:], groups=groups[:60]).transform(X)
    first, more = as_container([A[:60], B[:60]]), as_container([A[60:], B[60:]])
    embedder = make(views=CONTAINERS).fit(first, unlabeled=more, groups=groups[:60])
    assert_array_equal(embedder.transform(as_container([A, B])), wanted)


@pytest.mark.parametrize(
    "unlabeled", [[A], {"left": A}, {"left": A, "up": B}, X], ids=["list", "dict", "names", "table"]
)
def test_unlabeled_rows_need_all_views(unlabeled):
    with pytest.raises(ValueError, match=r"unlabeled must hold one container for each view of X, \['left', 'right'\]"):
        make(views=CONTAINERS).fit([A, B], unlabeled=unlabeled)


@pytest.mark.slow
def test_frames_of_other_libraries():
    pa, pl = pytest.importorskip("pyarrow"), pytest.importorskip("polars")
    embedder = make((list("abcd"), list("vwxyz"))).fit(FRAME)
    for frame in (pa.Table.from_pandas(FRAME, preserve_index=False), pl.from_pandas(FRAME)):
        assert_array_equal(embedder.transform(frame), EXPECTED.transform(X))
        assert_array_equal(make((list("abcd"), list("vwxyz"))).fit(frame).transform(frame), EXPECTED.transform(X))


def test_some_views_need_their_columns_only():
    Z, frames = EXPECTED.transform(X), make((list("abcd"), list("vwxyz"))).fit(FRAME)
    assert_array_equal(EXPECTED.transform(X, views=["right"]), Z[:, 12:])
    assert_array_equal(frames.transform(FRAME[list("vwxyz")], views=["right"]), Z[:, 12:])
    assert_array_equal(frames.transform(FRAME[list("zyxwv")], views=["right"]), Z[:, 12:])
    lists = make(views=CONTAINERS).fit([A, B])
    assert_array_equal(lists.transform({"left": A}, views=["left"]), Z[:, :12])
    assert_array_equal(frames.project(FRAME[list("abcd")], "left"), EXPECTED.project(X, "left"))


def test_images_beside_a_table():
    """Also a column of paths or arrays would do; the images' values count as features."""
    images = np.random.default_rng(1).integers(0, 256, (40, 8, 8), dtype=np.uint8)
    pictures = BarlowTwinsEmbedder(modality="image", n_components=4, projector=MLPProjector((12,), 6))
    embedder = MultiViewEmbedder([("image", pictures), ("table", view())], max_epochs=1, random_state=0)
    Z = embedder.fit([images, A[:40]]).transform([images, A[:40]])
    assert Z.shape == (40, 4 + 8 + 4) and np.isfinite(Z).all() and embedder.n_features_in_ == 64 + 4
    assert_array_equal(embedder.transform({"image": images}, views=["image"]), Z[:, :4])


@pytest.mark.slow
def test_a_column_of_paths_beside_numbers(tmp_path):
    """By its name alone; where a path is missing, the view is."""
    images = np.random.default_rng(1).integers(0, 256, (20, 8, 8), dtype=np.uint8)
    frame = FRAME[:20].assign(path=[*save_images(tmp_path, images[:19]), None])
    pictures = BarlowTwinsEmbedder(modality="image", n_components=4, projector=MLPProjector((12,), 6))
    embedder = make(views=[("image", pictures, "path"), ("table", view(), list("abcd"))], max_epochs=1).fit(frame)
    other = make(views=[("image", pictures), ("table", view())], max_epochs=1).fit([[*images[:19], None], A[:20]])
    assert_array_equal(embedder.transform(frame), other.transform([[*images[:19], None], A[:20]]))


@pytest.mark.parametrize("rows", [X, X[:2]], ids=["80 rows", "two rows"])
def test_three_views(rows):
    """They come out in their order, whatever the order that is asked for."""
    embedder = make(views=[(name, view(), [i, i + 3, i + 6]) for i, name in enumerate("abc")], max_epochs=1)
    Z = embedder.set_output(transform="pandas").fit_transform(rows)
    pd.testing.assert_frame_equal(embedder.transform(rows, views=["c", "a"]), Z.filter(regex="^[ac]__"))


@pytest.mark.slow
@pytest.mark.parametrize("gap", [None, np.nan, pd.NA, pd.NaT], ids=repr)
def test_items_of_a_list_that_are_missing(gap):
    """Images as arrays, one of them missing."""
    images = [*np.random.default_rng(1).integers(0, 256, (39, 8, 8), dtype=np.uint8), gap]
    pictures = BarlowTwinsEmbedder(modality="image", n_components=4, projector=MLPProjector((12,), 6))
    embedder = MultiViewEmbedder([("image", pictures), ("table", view())], max_epochs=1, random_state=0)
    Z = embedder.fit([images, A[:40]]).transform([images, A[:40]])
    assert_allclose(Z[-1, :4], Z[:-1, :4].mean(0), atol=1e-4)


def with_gaps(rows, share=0.3):
    """The table with the left view missing in some rows and the right one in others."""
    u, rows = np.random.default_rng(2).random(len(rows)), rows.copy()
    rows[u < share, :4] = np.nan
    rows[u > 1 - share, 4:] = np.nan
    return rows, u < share, u > 1 - share


@pytest.mark.slow
@pytest.mark.parametrize("params", [{}, {"storage": "host"}, {"early_stopping": True}, {"within": 0.5}], ids=str)
def test_missing_views(params):
    """They get the mean over training rows, and training takes the pairs that are there."""
    gaps, left, right = with_gaps(X)
    embedder = make(**params).fit(gaps)
    Z = embedder.transform(gaps)
    assert np.isfinite(Z).all() and np.isfinite(embedder.history_["loss"]).all()
    if "early_stopping" in params:
        return  # which rows are held out is the fit's secret
    assert_allclose(Z[left, :12], np.broadcast_to(Z[~left, :12].mean(0), (left.sum(), 12)), atol=1e-4)
    assert_allclose(Z[right, 12:], np.broadcast_to(Z[~right, 12:].mean(0), (right.sum(), 3)), atol=1e-4)
    assert np.isnan(embedder.project(gaps, "left")[left]).all()
    assert_array_equal(embedder.transform(gaps[left][:1]), Z[left][:1])
    assert 0 <= embedder.score(gaps) <= 1


@pytest.mark.parametrize("objective", [BarlowTwins(), VICReg()], ids=lambda o: type(o).__name__)
@pytest.mark.parametrize("within", [0.0, 0.5])
def test_the_loss_is_the_mean_over_pairs(objective, within):
    """Written out for three views, the second of which is missing in some rows."""
    generator = torch.Generator().manual_seed(0)
    a, b = torch.randn(2, 3, 20, 4, generator=generator)
    a[1, :5] = b[1, :5] = torch.nan
    have = lambda v, w: slice(5, None) if 1 in (v, w) else slice(None)  # noqa: E731
    loss = sum(objective(a[v][have(v, w)], b[w][have(v, w)]) for v in range(3) for w in range(3) if v != w) / 6
    loss += within * sum(objective(a[v][have(v, v)], b[v][have(v, v)]) for v in range(3)) / 3
    terms = AcrossViews(objective, 3, within, has_missing=True).terms(torch.cat([*a], 1), torch.cat([*b], 1))
    assert_allclose(sum(terms.values()), loss, rtol=1e-5)


@pytest.mark.slow
def test_linear_views_have_the_canonical_correlations():
    n = 2_000
    shared = rng.normal(size=(n, 3))
    left = shared @ rng.normal(size=(3, 6)) + 0.7 * rng.normal(size=(n, 6)) @ rng.normal(size=(6, 6))
    right = shared @ rng.normal(size=(3, 5)) + 0.7 * rng.normal(size=(n, 5)) @ rng.normal(size=(5, 5))

    def linear():
        return BarlowTwinsEmbedder(
            preprocessor=TablePreprocessor(clip=1e3),
            augmentation="identity",
            encoder=lambda spec: torch.nn.Linear(spec.n_inputs, 3, bias=False),
            projector="identity",
        )

    embedder = MultiViewEmbedder(
        [("left", linear()), ("right", linear())],
        objective=BarlowTwins(off_diagonal_weight=1.0),
        max_epochs=300,
        batch_size=1_000,
        learning_rate=0.03,
        weight_decay=0.0,
        random_state=0,
    )
    Z = embedder.fit([left, right]).transform([left, right])
    assert_allclose(
        correlations(Z[:, :3], Z[:, 3:]), correlations(*CCA(3, max_iter=5_000).fit_transform(left, right)), atol=0.02
    )


def correlations(U, V):
    """Canonical correlations of two sets of columns."""
    (q, _), (r, _) = np.linalg.qr(U - U.mean(0)), np.linalg.qr(V - V.mean(0))
    return np.linalg.svd(q.T @ r)[1]


def test_score_is_the_share_of_rows_farther_away():
    rng = np.random.default_rng(0)
    Z, other = rng.normal(size=(2, 40, 3))
    unit = [A / np.linalg.norm(A, axis=1, keepdims=True) for A in (Z, other)]
    shares = [
        np.mean([sum(a @ b < a @ own for b in B) / 39 for a, own in zip(A, B, strict=True)])
        for A, B in (unit, unit[::-1])
    ]
    assert_allclose(mean_retrieval([Z, other]), np.mean(shares))
    assert mean_retrieval([Z, 2 * Z]) == 1
    assert mean_retrieval([np.zeros_like(Z), Z]) == 0.5  # nothing was learned
    gap = np.where(np.arange(40)[:, None] < 38, Z, np.nan)
    assert mean_retrieval([gap, other]) == mean_retrieval([Z[:38], other[:38]])
    assert np.isnan(mean_retrieval([gap[37:], other[37:]]))


@pytest.mark.slow
def test_views_find_each_other():
    """The score rises with training; halves of digits are found by each other far above chance."""
    digits = load_digits().data[:600]
    untrained, trained = (
        MultiViewEmbedder(
            [("top", BarlowTwinsEmbedder(), slice(0, 32)), ("bottom", BarlowTwinsEmbedder(), slice(32, None))],
            max_epochs=n,
            random_state=0,
        ).fit(digits)
        for n in (1, 40)
    )
    assert trained.score(digits) > 0.9 and 1 - trained.score(digits) < (1 - untrained.score(digits)) / 2


def test_same_seed_same_bits(tmp_path):
    Z = EXPECTED.transform(X)
    for params in ({}, {"storage": "host"}, {"checkpoint": tmp_path, "checkpoint_minutes": 0}):
        assert_array_equal(make(**params).fit_transform(X), Z)
    assert_array_equal(make().fit(X[:50], unlabeled=X[50:]).transform(X), Z)
    copy = pickle.loads(pickle.dumps(EXPECTED))
    assert_array_equal(copy.transform(X), Z)
    assert repr(copy) == repr(EXPECTED) and vars(copy).keys() == vars(EXPECTED).keys()


class Interrupt(Callback):
    """Ends a fit as Ctrl-C does, in its second epoch."""

    def on_epoch_begin(self, net, **kwargs):
        if len(net.history) == 2:
            raise KeyboardInterrupt


@pytest.mark.slow
def test_fits_that_go_on(tmp_path):
    whole = make(max_epochs=4, lr_schedule="constant")
    with pytest.raises(KeyboardInterrupt):
        clone(whole).set_params(checkpoint=tmp_path, checkpoint_minutes=0, callbacks=[Interrupt()]).fit(X)
    Z = clone(whole).fit_transform(X)
    assert_array_equal(clone(whole).set_params(checkpoint=tmp_path, checkpoint_minutes=0).fit(X).transform(X), Z)
    warm = make(warm_start=True, lr_schedule="constant").fit(X)
    assert_array_equal(warm.set_params(max_epochs=4).fit(X).transform(X), Z)


def test_an_interrupted_refit_keeps_the_fit_before():
    embedder = make().fit(X)
    before = dict(vars(embedder))
    with pytest.raises(KeyboardInterrupt):
        embedder.set_params(callbacks=[Interrupt()], max_epochs=3).fit(X[:40])
    assert {name for name, value in before.items() if vars(embedder)[name] is not value} == {"callbacks", "max_epochs"}
    assert_array_equal(embedder.transform(X), EXPECTED.transform(X))


class Fetched(MLPEncoder):
    """An encoder whose weights come from elsewhere."""

    def untrained(self):
        return MLPEncoder((8,))

    def build(self, spec, n_components, generator):
        raise ConnectionError


def test_weights_of_a_loaded_view_are_not_fetched_again():
    copy = pickle.loads(pickle.dumps(EXPECTED))
    copy._recipe.encoder.views[0] = ("left", Fetched())
    assert_array_equal(pickle.loads(pickle.dumps(copy)).transform(X), EXPECTED.transform(X))


@pytest.mark.slow
def test_a_stream_of_chunks():
    """Each call is an epoch; a copy goes on to the same bits."""
    embedder = make().partial_fit(X[:40])
    copy = pickle.loads(pickle.dumps(embedder))
    for each in (embedder, copy):
        each.partial_fit(X[40:]).partial_fit(X)
    assert embedder.n_iter_ == 3 and len(embedder.loss_curve_) == 3
    assert_array_equal(copy.transform(X), embedder.transform(X))
    gaps, *_ = with_gaps(X)
    assert np.isfinite(make().partial_fit(gaps).partial_fit(X).partial_fit(gaps).transform(gaps)).all()


def test_training_goes_on_with_the_views_of_the_first_fit():
    """A network that was built for rows with all views would take a missing one for a row of zeros."""
    gaps, left, _ = with_gaps(X)
    for embedder in (make().partial_fit(X), make(warm_start=True).fit(X).set_params(max_epochs=3)):
        with pytest.raises(ValueError, match=f"View 'left' is missing in {left.sum()} row.*Leave these rows out"):
            (embedder.partial_fit if not embedder.warm_start else embedder.fit)(gaps)
    with pytest.raises(ValueError, match="All views are missing in 1 of 81"):
        make().partial_fit(gaps).partial_fit(np.vstack([X, np.full((1, 9), np.nan)]))


def test_broken_images_that_are_skipped_are_named(tmp_path):
    PIL = pytest.importorskip("PIL.Image")
    paths = [str(tmp_path / f"{i}.png") for i in range(12)]
    for path in paths:
        PIL.fromarray(np.random.default_rng(0).integers(0, 256, (8, 8), dtype=np.uint8)).save(path)
    (tmp_path / "3.png").write_bytes(b"broken")
    image = BarlowTwinsEmbedder(modality="image", preprocessor=ImagePreprocessor(on_broken="skip"))
    with (
        pytest.warns(UserWarning, match="3.png"),
        pytest.raises(ValueError, match="View 'image' has 11 of 12 rows: broken files were skipped"),
    ):
        make(views=[("image", image), ("table", view())]).fit([paths, A[:12]])


@pytest.mark.slow
def test_parameters_of_views_are_reached_by_name():
    embedder = make().set_params(left__augmentation__corruption_rate=0.5, right__n_components=2)
    assert embedder.views[0][1].augmentation.corruption_rate == 0.5 and embedder.views[0][2] == slice(0, 4)
    embedder.set_params(objective__off_diagonal_weight=0.5, right=view(n_components=7))
    assert embedder.objective.off_diagonal_weight == 0.5 and embedder.views[1][1].n_components == 7
    for unknown, words in {"left__n_component": "View 'left': .*n_components", "within_": "within"}.items():
        with pytest.raises(ValueError, match=words):
            embedder.set_params(within=3.0, views=CONTAINERS, **{unknown: 1})
    assert embedder.within == 0.0 and len(embedder.views[0]) == 3
    search = GridSearchCV(make(), {"right__n_components": [2, 4], "within": [0.0, 1.0]}, cv=2).fit(X)
    assert search.best_params_["right__n_components"] in (2, 4)
    pipeline = make_pipeline(make(), LogisticRegression()).fit(X, SHARED[:, 0] > 0)
    assert pipeline.score(X, SHARED[:, 0] > 0) > 0.8


@pytest.mark.parametrize(
    ("unknown", "words"),
    [
        (
            "augmentation__corruption_rate",
            "left__augmentation__corruption_rate or right__augmentation__corruption_rate",
        ),
        ("n_components", "left__n_components or right__n_components, of a view"),
        ("lef__n_components", "left__n_components"),
        ("left__augmentation__corrupted_rate", r"set_params\(left__augmentation__corruption_rate=...\)"),
        ("lr", r"mean learning_rate\?"),
        ("nonsense", "Valid parameters are"),
    ],
)
def test_unknown_parameters_are_looked_for_in_views(unknown, words):
    with pytest.raises(ValueError, match=words):
        make().set_params(**{unknown: 1})
    if not unknown.startswith("lef"):
        with pytest.raises(TypeError, match=words):
            make(**{unknown: 1})


def test_one_embedder_for_two_views():
    """Its parameters are set for one view alone; it stays as it was."""
    shared = view()
    embedder = make(views=[("a", shared, slice(0, 4)), ("b", shared, slice(4, None))]).set_params(a__n_components=5)
    assert [part.n_components for _, part, _ in embedder.views] == [5, None] and shared.n_components is None
    assert embedder.fit(X).transform(X).shape == (80, 5 + 8 + 5) and not hasattr(shared, "encoder_")


@pytest.mark.parametrize("verbose", [0, 1])
def test_shared_columns_are_said_once(verbose, capsys):
    make((["a", "b", "c"], ["b", "v", "c"]), max_epochs=1, verbose=verbose).fit(FRAME)
    assert capsys.readouterr().out.count("views 'left' and 'right' share 2 columns: 'b', 'c'") == verbose


def test_each_view_is_embedded_once_for_the_output(monkeypatch):
    """A pass through the encoder, and one through the projector."""
    from sklearn_twins._multiview import _output

    seen, embed = [], _output.embed
    monkeypatch.setattr(_output, "embed", lambda *args, **kwargs: seen.append(args[0]) or embed(*args, **kwargs))
    make(max_epochs=1).fit(X)
    assert len(seen) == 4


def test_views_of_rows():
    """Also of no rows, and by each modality's default; NaN where a view is missing, whatever `fit` saw."""
    gaps, left, right = with_gaps(X)
    assert EXPECTED.transform_views(X[:0], 3).shape == (0, 3, 11)
    assert not np.array_equal(EXPECTED.transform_views(X, augmentation="identity"), EXPECTED.transform_views(X))
    for embedder in (EXPECTED, make(max_epochs=1).fit(gaps)):
        views = embedder.transform_views(gaps, 1, augmentation="auto")[:, 0]
        assert_array_equal(np.isnan(views), np.hstack([np.tile(left[:, None], 8), np.tile(right[:, None], 3)]))
    with pytest.raises(ValueError, match="View 'left': augmentation='no'"):
        EXPECTED.transform_views(X, augmentation="no")


@pytest.mark.slow
@pytest.mark.parametrize("name", get_scorer_names())
def test_scorers_without_labels(name):
    """They measure the embedding of rows that have all views, in one table or in one container for each view."""
    gaps, _, _ = with_gaps(X)
    score = get_scorer(name)(EXPECTED, X)
    assert score == get_scorer(name)(FROM_CONTAINERS, {"left": A, "right": B})
    assert np.isfinite(get_scorer(name)(EXPECTED, gaps))


@pytest.mark.slow
def test_displays():
    gaps, _, _ = with_gaps(X)
    assert np.isfinite(CrossCorrelationDisplay.from_estimator(EXPECTED, gaps).correlation).all()
    ranks = SpectrumDisplay.from_estimator(EXPECTED, gaps).effective_rank_
    assert ranks.keys() == {"embedding", "random encoder"} and np.isfinite(list(ranks.values())).all()
    TrainingCurveDisplay.from_estimator(EXPECTED)
    with pytest.raises(TypeError, match=r"get_params\(\)\['left'\]"):
        ViewsDisplay.from_estimator(make(), X)
    assert len(ViewsDisplay.from_estimator(make().get_params()["left"], A).samples) == 8
    assert "left" in EXPECTED._repr_html_()


@pytest.mark.slow
def test_dask_collections():
    """They are embedded when they are computed, all views or some."""
    da, dd = pytest.importorskip("dask.array"), pytest.importorskip("dask.dataframe")
    frames = make((list("abcd"), list("vwxyz"))).fit(FRAME)
    found = frames.transform(dd.from_pandas(FRAME[list("vwxyz")], npartitions=3), views=["right"])
    assert isinstance(found, da.Array)
    assert_array_equal(found.compute(), EXPECTED.transform(X)[:, 12:])
    assert_array_equal(EXPECTED.transform(da.from_array(X, chunks=(30, 5))).compute(), EXPECTED.transform(X))
    with pytest.raises(TypeError, match=r"X is a dask data frame.*X\.compute\(\)"):
        make().fit(dd.from_pandas(FRAME, npartitions=2))


def test_lazy_frames_are_refused():
    pl = pytest.importorskip("polars")
    with pytest.raises(TypeError, match=r"X is a LazyFrame.*X\.collect\(\)"):
        make().fit(pl.from_pandas(FRAME).lazy())
    with pytest.raises(TypeError, match=r"X\['left'\] is a LazyFrame.*\.collect\(\)"):
        make(views=CONTAINERS).fit([pl.from_pandas(FRAME).lazy(), B])


@pytest.mark.parametrize(
    ("views", "words"),
    [
        (
            [("top", view(), slice(0, 4)), ("right", view(n_components=3), slice(4, None))],
            r"\['left', 'right'\], and are",
        ),
        ([("left", view(), [0, 1]), ("right", view(n_components=3), slice(4, None))], r"view 'left'.*slice.*\[0, 1\]"),
        (CONTAINERS, r"view 'left'.*None"),
    ],
    ids=["names", "columns", "containers"],
)
def test_views_stay_the_same_when_training_goes_on(views, words):
    embedder = make(warm_start=True, max_epochs=1).fit(X).set_params(views=views, max_epochs=2)
    with pytest.raises(ValueError, match=words):
        embedder.fit([A, B] if views is CONTAINERS else X)


def test_row_labels_of_containers():
    """A frame that comes out has those of a frame that went in."""
    embedder = make(views=CONTAINERS, max_epochs=1).set_output(transform="pandas").fit([A, FRAME[list("vwxyz")]])
    assert embedder.transform([A, FRAME[list("vwxyz")]]).index.equals(FRAME.index)
    with pytest.raises(ValueError, match="groups has the row labels of X in another order"):
        embedder.fit([A, FRAME[list("vwxyz")]], groups=pd.Series(range(80), index=FRAME.index)[::-1] // 2)


def test_few_rows_with_both_views():
    """Batches without such rows count nothing."""
    few = X.copy()
    few[:40, 4:], few[40:78, :4] = np.nan, np.nan
    embedder = make(within=0.5).fit(few)
    assert np.isfinite(embedder.history_["loss"]).all() and np.isfinite(embedder.transform(few)).all()


@pytest.mark.slow
@pytest.mark.parametrize("search", [BatchedGridSearchCV, EpochHalvingSearchCV])
def test_searches_of_the_package(search):
    """They take several views, also as a step; stacks fall back to single fits."""
    embedder, grid = make(lr_schedule="constant"), {"left__augmentation__corruption_rate": [0.2, 0.4]}
    more = {"max_batch": 4} if search is BatchedGridSearchCV else {}
    found = search(embedder, grid, cv=2, **more).fit(X)
    assert found.best_estimator_.transform(X).shape == (80, 15)
    if search is BatchedGridSearchCV:
        assert found.stack_sizes_ == [1] * 4
        expected = GridSearchCV(embedder, grid, cv=2).fit(X)
        assert_allclose(found.cv_results_["mean_test_score"], expected.cv_results_["mean_test_score"])
    pipeline = make_pipeline(embedder, LogisticRegression())
    search(pipeline, {"multiviewembedder__within": [0.0]}, cv=2, **more).fit(X, SHARED[:, 0] > 0)


def test_diagnosis():
    assert EXPECTED.diagnose(X).n_components == 11 and EXPECTED._fit_summary.projection_dim == 6


@pytest.mark.parametrize("augmentation", ["auto", "identity"])
def test_a_diagnosis_knows_several_views(augmentation):
    """A constant view is named; views differ without an augmentation."""
    views = [(name, view(augmentation=augmentation), columns) for name, columns in (("a", slice(0, 4)), ("b", [4, 5]))]
    assert "augmentation" not in str(make(views=views).fit(X).diagnose(X))
    constant = np.hstack([np.ones((80, 4)), B])
    with pytest.warns(CollapseWarning, match="all columns of view 'a' are constant"):
        embedder = make(views=views, max_epochs=1).fit(constant)
    assert embedder.diagnose(constant).constant_columns == ["view 'a'"]


@pytest.mark.parametrize("container", ["pandas", "polars"])
def test_the_global_output_container(container):
    """It is that of `transform`, whatever the views' preprocessors would make of it."""
    with sklearn.config_context(transform_output=container):
        Z = make().fit(X).transform(X)
    assert type(Z).__module__.startswith(container)
    assert_array_equal(Z.to_numpy(), EXPECTED.transform(X))


@pytest.mark.parametrize(
    ("change", "rows", "error", "words"),
    [
        ({"views": [("one", view(), slice(0, 3))]}, X, ValueError, "two or more views. Got \\['one'\\]"),
        ({"views": [("a", view(), [0]), ("a", view(), [1])]}, X, ValueError, "Names provided are not unique"),
        ({"views": [("a", view(), [0]), ("b__c", view(), [1])]}, X, ValueError, "must not contain __"),
        ({"views": [("a", view(), [0]), ("b", TablePreprocessor(), [1])]}, X, TypeError, "View 'b' must have a Barlow"),
        ({"views": [("a", view(), [0]), view()]}, X, TypeError, "must be a tuple"),
        ({"views": [("a", view(), [0]), ("b", view(max_epochs=3), [1])]}, X, ValueError, "sets max_epochs=3"),
        ({"views": [("a", view(n_components=0), [0]), ("b", view(), [1])]}, X, ValueError, "View 'a': The 'n_comp"),
        ({"views": [("a", view(encoder="no"), [0]), ("b", view(), [1])]}, X, ValueError, "View 'a': .*'encoder'"),
        ({"views": [("a", view(), [0]), ("b", view(), [])]}, X, ValueError, "View 'b' has no columns"),
        ({"views": [("a", view(), [0]), ("b", view())]}, X, ValueError, "View 'b' has none"),
        ({"views": [("a", view(), [0]), ("b", view(), [12])]}, X, ValueError, "The columns of view 'b'"),
        ({"views": [("a", view(), ["q"]), ("b", view(), ["a"])]}, FRAME, ValueError, "columns of view 'a', \\['q'\\]"),
        ({"views": CONTAINERS}, X, ValueError, "Each view of one table needs columns"),
        ({}, [A, B], ValueError, "Leave the columns out"),
        ({"views": CONTAINERS}, [A, B, B], ValueError, "3 containers for 2 views"),
        ({"views": CONTAINERS}, [A, B[1:]], ValueError, "must have the same rows"),
        ({"views": CONTAINERS}, {"left": A}, ValueError, "lacks the view 'right'"),
        ({"views": CONTAINERS}, {"left": A, "right": B, "up": A}, ValueError, "unknown view 'up'"),
        (
            {"views": CONTAINERS},
            [FRAME[list("abcd")], FRAME[list("vwxyz")][::-1]],
            ValueError,
            "row labels of views 'left' and 'right' differ",
        ),
        ({}, np.full((20, 9), np.nan), ValueError, "View 'left' is present in 0 of 20 rows"),
        ({}, np.vstack([X, np.full((1, 9), np.nan)]), ValueError, "All views are missing in 1 of 81 rows.*row 80"),
        (
            {},
            np.vstack([*[np.r_[A[0], [np.nan] * 5]] * 9, *[np.r_[[np.nan] * 4, B[0]]] * 9]),
            ValueError,
            "0 of 18 rows",
        ),
        ({"views": dict(CONTAINERS)}, [A, B], TypeError, r"of type dict\. Give list\(views\.items\(\)\)"),
        ({"views": "left"}, X, TypeError, "views must be a list"),
        ({"views": [view(), view()]}, [A, B], TypeError, "must be a tuple"),
        ({"views": [("a_", view(), [0]), ("b", view(), [1])]}, X, ValueError, "end with an underscore. Got 'a_'"),
        ({"views": [("", view(), [0]), ("b", view(), [1])]}, X, ValueError, "must not be empty"),
        ({"views": [("within", view(), [0]), ("b", view(), [1])]}, X, ValueError, "conflict .*'within'"),
        ({"views": [("a", view(random_state=3), [0]), ("b", view(), [1])]}, X, ValueError, "Set random_state of Multi"),
        ({"views": [("a", view(device="cpu"), [0]), ("b", view(), [1])]}, X, ValueError, "Set device of MultiView"),
        ({"views": [("a", make(), [0]), ("b", view(), [1])]}, X, TypeError, "View 'a' must have a BarlowTwins"),
        ({"views": [("a", view(), [10]), ("b", view(), [11])]}, NUMBERED, ValueError, "positions, not labels"),
        ({"objective": "mixed_barlow_twins"}, X, ValueError, "mixes rows"),
        ({"within": -1.0}, X, ValueError, "'within' parameter"),
        (
            {"views": [("a", view(), "a"), ("b", view(), ["v"])]},
            FRAME,
            ValueError,
            r"View 'a': .* into a list, \[name\]",
        ),
        ({"views": CONTAINERS}, [A, B[:, 0]], ValueError, r"View 'right': .* the shape \(n, 1\)"),
        (
            {"views": [("a", view(projector=MLPProjector((4,), 3)), [0]), ("b", view(), [1])]},
            X,
            ValueError,
            "projections of all views must have one width",
        ),
    ],
)
def test_bad_input_is_named_before_training(change, rows, error, words):
    with pytest.raises(error, match=words):
        make(**change).fit(rows)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda e: e.transform(FRAME[list("abcd")]), r"now missing(.|\n)*transform\(X, views=\['left'\]\)"),
        (lambda e: e.transform(FRAME[list("zyxwvdcba")]), "in the same order as they were in fit.\n$"),
        (lambda e: e.transform(FRAME, views=["up"]), "views=\\['up'\\] must list some of \\['left', 'right'\\]"),
        (lambda e: e.transform(FRAME, views=[]), "must list some"),
        (lambda e: e.transform(FRAME, views="left"), "must list some"),
        (lambda e: e.transform(FRAME[["a"]], views=["left"]), "lacks the columns 'b', 'c', 'd' of view 'left'"),
        (lambda e: e.transform(FRAME, views=3), "views=3 must list some"),
        (lambda e: e.transform(FRAME, views=[["left"]]), "must list some"),
        (lambda e: e.project(X[:, :4], "left"), "X has 4 features, but view 'left' was fitted on columns"),
        (lambda e: make(views=CONTAINERS).fit([A, B]).project(A, "left"), "one container for each view"),
        (lambda e: make(views=CONTAINERS).fit([A, B]).transform(X), "one container for each view"),
        (lambda e: e.project(FRAME, "up"), "view='up' must be one of"),
        (
            lambda e: EXPECTED.transform(B, views=["left"]),
            r"5 features, but \['left'\] .*\[0, 1, 2, 3\] of 9. Give all",
        ),
        (lambda e: EXPECTED.transform(B, views=["right"]), r"5 features, but \['right'\] were fitted on"),
        (lambda e: e.score(FRAME[:1]), "2 rows or more"),
    ],
)
def test_bad_input_after_the_fit(call, words):
    with pytest.raises(ValueError, match=words):
        call(make((list("abcd"), list("vwxyz"))).fit(FRAME))


def test_errors_of_a_view_name_it():
    """Also errors of a class of their own, and selections of thousands of columns."""
    pictures = np.random.default_rng(0).random((20, 8, 8))
    image = BarlowTwinsEmbedder(modality="image", n_components=4, projector=MLPProjector((12,), 6))
    embedder = make(views=[("image", image), ("table", view())], max_epochs=1).fit([pictures, A[:20]])
    with pytest.raises(ValueError, match=r"View 'image': .*0 .*255"):
        embedder.transform({"image": np.round(255 * pictures)}, views=["image"])
    with pytest.raises(ValueError, match="columns of view 'left'") as caught:
        make((list(range(5_000)), [0])).fit(X)
    assert len(str(caught.value)) < 1_000


def test_the_embedding_display_leaves_columns_out():
    learnt = [name for name in EXPECTED.get_feature_names_out() if "__embedding" in name]
    Z = EXPECTED.transform(X)[:, np.isin(EXPECTED.get_feature_names_out(), learnt)]
    display = EmbeddingDisplay.from_estimator(EXPECTED, X)
    expected = EmbeddingDisplay.from_estimator(FunctionTransformer(lambda rows: Z).fit(X), X)
    assert_allclose(display.points, expected.points, atol=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("params", [{}, {"early_stopping": True, "within": 1.0, "warm_start": True}], ids=str)
def test_estimator_checks(params):
    """Columns may be in both views, and are if there is one only."""
    embedder = make((slice(0, 1), slice(-1, None)), **params)
    results = check_estimator(embedder, on_fail=None, on_skip=None)
    bad = [(r["check_name"], r["status"], r["exception"]) for r in results if r["status"] == "failed"]
    assert not bad and sum(r["status"] == "passed" for r in results) >= 40


@pytest.mark.parametrize(
    "modalities, optimizer",
    [(["tabular", "image"], "muon"), (["audio", "image"], "adamw"), (["series", "tabular"], "adamw")],
)
def test_auto_is_the_optimizer_of_the_first_view_with_convolutions(modalities, optimizer):
    views = [(name, BarlowTwinsEmbedder(modality=name)) for name in modalities]
    assert MultiViewEmbedder(views)._settings().optimizer == optimizer
