"""BarlowTwinsClassifier: what it learns, and what users of scikit-learn expect of a classifier."""

import os
import pickle
import signal
import warnings

import numpy as np
import pandas as pd
import pytest
import sklearn
from builders import few_labels, pixels, small_classifier, small_embedder
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import StackingClassifier, VotingClassifier
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.inspection import permutation_importance
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, TunedThresholdClassifierCV, cross_validate, learning_curve
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.semi_supervised import SelfTrainingClassifier
from skorch.callbacks import Callback

import sklearn_twins
from sklearn_twins import BarlowTwinsClassifier, BarlowTwinsEmbedder, MultiViewEmbedder
from sklearn_twins.networks import ConvNetEncoder
from sklearn_twins.objectives import BarlowTwins

pytestmark = pytest.mark.usefixtures("one_thread")
X, few, y = few_labels()
TIMED = ("seconds", "rows_per_second")


@pytest.fixture(scope="module")
def fitted():
    return small_classifier().fit(X, few)


def same_fit(a, b):
    assert_array_equal(a.predict_proba(X), b.predict_proba(X))
    for name in a.history_.keys() - set(TIMED):
        assert_array_equal(a.history_[name], b.history_[name], err_msg=name)


def test_it_learns():
    params = {"embedder__max_epochs": 10, "max_epochs": 10}
    classifier = small_classifier().set_params(**params).fit(X, few)
    assert classifier.score(X, y) > 0.95
    assert 0.7 < classifier.history_["pseudo_share"][-1] < 0.95
    assert classifier.history_["pseudo_agreement"][-1] > 0.8


def test_attributes(fitted):
    assert_array_equal(fitted.classes_, [0, 1, 2])
    assert fitted.n_features_in_ == 5 and not hasattr(fitted, "feature_names_in_")
    assert fitted.n_iter_ == 2 == len(fitted.history_["loss"])
    assert_array_equal(fitted.transduction_[:12], y[:12])
    assert_array_equal(fitted.label_distributions_[:12], np.eye(3)[y[:12]])
    assert_array_equal(fitted.transduction_[12:], fitted.predict(X)[12:])
    assert_array_equal(fitted.label_distributions_[12:], fitted.predict_proba(X)[12:])
    assert fitted.embedder_.transform(X).shape == fitted.pretrained_embedder_.transform(X).shape
    assert not np.array_equal(fitted.embedder_.transform(X), fitted.pretrained_embedder_.transform(X))
    assert not hasattr(fitted, "_training_state") and not hasattr(fitted.embedder_, "_training_state")


def test_predictions_agree(fitted):
    proba = fitted.predict_proba(X)
    assert_allclose(proba.sum(1), 1)
    assert_array_equal(fitted.predict(X), proba.argmax(1))
    assert_allclose(fitted.predict_log_proba(X), np.log(proba))
    assert_array_equal(fitted.decision_function(X), fitted.predict_log_proba(X))
    assert_array_equal(fitted.predict_proba(X[:0]), np.empty((0, 3)))
    linear = fitted.linear_model_.predict_proba(fitted.pretrained_embedder_.transform(X).astype(float))
    output = fitted.embedder_._output
    Z = fitted.embedder_.transform(X) / np.concatenate([output.scale, output.column_scale])
    logits = Z.astype(float) @ fitted.head_coef_.T + fitted.head_intercept_
    joint = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    share = fitted.head_share_
    assert_allclose(proba, (1 - share) * linear + share * joint, rtol=1e-4, atol=1e-6)


def test_two_classes():
    classifier = small_classifier().fit(X, np.where(few < 0, -1, few > 0))
    proba, scores = classifier.predict_proba(X), classifier.decision_function(X)
    assert scores.shape == (60,) and proba.shape == (60, 2)
    assert_allclose(scores, np.log(proba[:, 1] / proba[:, 0]))


def test_the_pretrained_embedder_is_that_of_the_seed(fitted):
    embedder = small_embedder(random_state=0).fit(X)
    assert_array_equal(fitted.pretrained_embedder_.transform(X), embedder.transform(X))


@pytest.mark.slow
@pytest.mark.parametrize(
    "params",
    [
        {},
        {"early_stopping": True},
        {"embedder__objective": "mixed_barlow_twins"},
        {"embedder__objective": "vicreg", "pseudo_labels": False},
        {"embedder__objective": "ssl_hsic", "embedder__early_stopping": True},
        {"embedder__objective": "info_nce", "class_weight": "balanced"},
        {"embedder__storage": "host", "embedder__optimizer": "sgd"},
        {"embedder__augmentation": "identity", "embedder__passthrough": False, "embedder__n_components": 3},
    ],
    ids=str,
)
def test_same_seed_same_bits(params):
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    a, b = (small_classifier().set_params(**params).fit(X, few) for _ in range(2))
    same_fit(a, b)
    assert_array_equal(np.random.get_state()[1], before)  # noqa: NPY002
    assert ("pseudo" in a.history_) == params.get("pseudo_labels", True)


@pytest.mark.slow
def test_unlabeled_rows_may_come_apart():
    together = small_classifier().fit(X, few)
    apart = small_classifier().fit(X[:12], y[:12], unlabeled=X[12:])
    same_fit(together, apart)
    assert_array_equal(together.transduction_, apart.transduction_)


def test_all_rows_labeled():
    classifier = small_classifier().fit(X, y)
    assert (classifier.history_["pseudo_share"] == 1).all()
    assert_array_equal(classifier.transduction_, y)


@pytest.mark.slow
@pytest.mark.parametrize("labels", [["a", "b", "c"], [10, 20, 30], [0.0, 1.0, 2.0]], ids=str)
def test_kinds_of_labels(labels, fitted):
    named = np.array(labels, dtype=object if isinstance(labels[0], str) else None)[y]
    named = np.where(few < 0, None if isinstance(labels[0], str) else -1, named)
    classifier = small_classifier().fit(X, named)
    assert_array_equal(classifier.classes_, labels)
    assert_array_equal(classifier.predict_proba(X), fitted.predict_proba(X))
    assert classifier.score(X, named) == classifier.score(X[:12], named[:12])


@pytest.mark.slow
def test_booleans_and_one_row_of_a_class():
    assert small_classifier().fit(X, y > 0).classes_.dtype == bool
    one = np.where(np.arange(60) == 2, 2, np.where(few == 2, -1, few))
    assert small_classifier().fit(X, one).predict_proba(X).shape == (60, 3)


@pytest.mark.parametrize(("dtype", "kind"), [("Int64", "i"), ("boolean", "b"), ("string", "O"), ("category", "i")])
def test_columns_with_gaps_keep_their_type(dtype, kind):
    labels = pd.Series(np.minimum(y, 1)).astype(dtype).mask(few < 0)
    classifier = small_classifier(max_epochs=1).fit(X, labels)
    for found in (classifier.classes_, classifier.predict(X), classifier.transduction_):
        assert found.dtype.kind == kind
    assert classifier.score(X, labels) == classifier.score(X[:12], labels[:12])


def test_as_many_classes_as_rows():
    assert len(small_classifier(max_epochs=1).fit(X, np.arange(60)).classes_) == 60


@pytest.mark.slow
def test_weights_change_predictions(fitted):
    weights = np.where(y == 0, 100.0, 1.0)
    heavy = small_classifier().fit(X, few, sample_weight=weights)
    assert heavy.predict_proba(X)[:, 0].mean() > fitted.predict_proba(X)[:, 0].mean()
    by_class = small_classifier(class_weight={0: 100, 1: 1, 2: 1}).fit(X, few)
    assert by_class.predict_proba(X)[:, 0].mean() > fitted.predict_proba(X)[:, 0].mean()


class TestEmbedders:
    @pytest.mark.slow
    def test_a_fitted_one_is_taken_as_it_is(self):
        embedder = small_embedder(warm_start=True).fit(X)
        before = embedder.transform(X)
        same_fit(*(small_classifier(embedder=e).fit(X, few) for e in (embedder, FrozenEstimator(embedder))))
        classifier = small_classifier(embedder=embedder).fit(X[:30], few[:30])
        assert_array_equal(classifier.pretrained_embedder_.transform(X), before)
        assert_array_equal(embedder.transform(X), before)
        assert embedder.n_iter_ == 2 and hasattr(embedder, "_training_state")

    @pytest.mark.slow
    def test_clones_keep_a_frozen_fit_only(self):
        embedder = small_embedder(random_state=None).fit(X)
        for given, is_kept in ((embedder, False), (FrozenEstimator(embedder), True)):
            classifier = clone(small_classifier(embedder=given)).fit(X, few)
            kept = np.array_equal(classifier.pretrained_embedder_.transform(X), embedder.transform(X))
            assert kept is is_kept

    def test_without_its_projector(self):
        assert small_classifier(embedder=small_embedder().fit(X)).fit(X, few).n_iter_ == 2

    def test_images(self):
        images = pixels(40, 8, 8, 3)
        embedder = BarlowTwinsEmbedder(modality="image", encoder=ConvNetEncoder(widths=(8,)), max_epochs=1)
        classifier = small_classifier(embedder=embedder).fit(images, np.arange(40) % 4 - 1)
        assert classifier.predict_proba(images).shape == (40, 3) and classifier.head_share_ == 0.75

    @pytest.mark.slow
    def test_groups(self):
        groups = np.arange(60) // 3
        grouped = small_classifier().fit(X, few, groups=groups)
        embedder = small_embedder(random_state=0).fit(X, groups=groups)
        assert_array_equal(grouped.pretrained_embedder_.transform(X), embedder.transform(X))

    @pytest.mark.slow
    def test_frames_and_names(self):
        frame = pd.DataFrame(X, columns=list("abcde")).assign(kind=np.where(y > 1, "u", "v"))
        classifier = small_classifier().fit(frame, few)
        assert_array_equal(classifier.feature_names_in_, [*"abcde", "kind"])
        with pytest.raises(ValueError, match="feature names"):
            classifier.predict(frame.rename(columns={"a": "z"}))


class TestParameters:
    def test_nested(self):
        classifier = BarlowTwinsClassifier()
        classifier.set_params(embedder__augmentation__corruption_rate=0.4, pseudo_share=0.9)
        assert classifier.embedder.augmentation.corruption_rate == 0.4 and classifier.pseudo_share == 0.9
        assert classifier.get_params()["embedder__augmentation__corruption_rate"] == 0.4

    @pytest.mark.parametrize("name", ["embedder__nonsense", "nonsense", "embedder__augmentation__nonsense"])
    def test_an_unknown_name_sets_nothing(self, name):
        classifier = BarlowTwinsClassifier()
        with pytest.raises(ValueError, match="Invalid parameter"):
            classifier.set_params(**{"pseudo_share": 0.9, "embedder__max_epochs": 3, name: 1})
        assert classifier.pseudo_share == 0.8 and classifier.embedder is None

    @pytest.mark.parametrize(
        ("params", "match"),
        [
            ({"embedder": LogisticRegression()}, "embedder"),
            (
                {"embedder": MultiViewEmbedder([("a", small_embedder(), [0, 1]), ("b", small_embedder(), [2])])},
                "pipeline",
            ),
            ({"embedder": FrozenEstimator(LogisticRegression())}, "must hold a fitted BarlowTwinsEmbedder"),
            ({"embedder": FrozenEstimator(small_embedder())}, "must hold a fitted BarlowTwinsEmbedder"),
            ({"pseudo_share": 1.5}, "pseudo_share"),
            ({"label_weight": -1}, "label_weight"),
            ({"label_weight": True}, "label_weight"),
            ({"pseudo_labels": "yes"}, "pseudo_labels"),
            ({"max_epochs": 0}, "max_epochs"),
            ({"class_weight": "even"}, "class_weight"),
            ({"class_weight": {7: 1.0}}, "class_weight"),
            ({"class_weight": {0: -1.0}}, "class_weight"),
            ({"embedder": small_embedder(max_epochs=0)}, "max_epochs"),
        ],
        ids=str,
    )
    def test_refused(self, params, match):
        with pytest.raises(ValueError, match=match):
            small_classifier(**params).fit(X, few)

    def test_refused_rows(self):
        with pytest.raises(ValueError, match="5 features"):
            small_classifier(embedder=small_embedder().fit(X)).fit(X[:, :3], few)
        with pytest.raises(ValueError, match="2 labels for 60 rows"):
            small_classifier().fit(X, [0, 1])
        with pytest.raises(TypeError, match="unlabeled_label"):
            small_classifier(unlabeled_label=True).fit(X, few)
        with pytest.raises(NotFittedError):
            small_classifier().predict(X)

    def test_nothing_is_lost(self, fitted):
        with pytest.raises(ValueError, match="nothing to score"):
            fitted.score(X, np.full(60, -1))
        classifier = pickle.loads(pickle.dumps(fitted))
        with pytest.raises(ValueError, match="no labels"):
            classifier.fit(X, np.full(60, -1))
        same_fit(classifier, fitted)


class TestContinuing:
    def test_warm_start(self):
        once = small_classifier(warm_start=True).fit(X, few)
        again = pickle.loads(pickle.dumps(once)).fit(X, y)
        assert again.n_iter_ == 4 and once.n_iter_ == 2
        assert_array_equal(again.history_["epoch"], [1, 2, 3, 4])
        assert_array_equal(again.pretrained_embedder_.transform(X), once.pretrained_embedder_.transform(X))
        assert_array_equal(again.transduction_, y)
        with pytest.raises(ValueError, match="Classes cannot change"):
            once.fit(X, y + 1)

    @pytest.mark.slow
    def test_warm_start_with_the_same_labels_counts_all_epochs(self):
        classifier = small_classifier(warm_start=True).fit(X, few)
        proba = classifier.predict_proba(X)
        assert_array_equal(classifier.fit(X, few).predict_proba(X), proba)
        assert classifier.n_iter_ == 2 and classifier.set_params(max_epochs=3).fit(X, few).n_iter_ == 3
        with pytest.raises(ValueError, match="n_iter_=3"):
            classifier.set_params(max_epochs=1).fit(X, few)

    @pytest.mark.slow
    def test_interrupted_warm_start_keeps_the_last_epoch(self):
        class Interrupt(Callback):
            def __init__(self, epoch):
                self.epoch, self.n = epoch, 0

            def on_epoch_begin(self, net, **kwargs):
                self.n += 1
                if self.n == self.epoch:
                    raise KeyboardInterrupt

        embedder = small_embedder(random_state=None, callbacks=[Interrupt(4)])
        for warm_start in (False, True):
            embedder.callbacks[0].n = 0
            classifier = small_classifier(embedder=embedder, warm_start=warm_start)
            with pytest.raises(KeyboardInterrupt):
                classifier.fit(X, few)
            assert hasattr(classifier, "classes_") is warm_start
        assert classifier.n_iter_ == 1 and classifier.score(X, y) > 0

    def test_partial_fit(self):
        classifier = small_classifier()
        for start in range(0, 60, 20):
            rows = slice(start, start + 20)
            classifier.partial_fit(X[rows], few[rows], classes=[0, 1, 2])
        assert classifier.n_iter_ == 3 and classifier.pretrained_embedder_.n_iter_ == 3
        assert classifier.predict_proba(X).shape == (60, 3)
        assert len(classifier._training_state["labeled"][1]) == 12
        again = pickle.loads(pickle.dumps(classifier))
        same_fit(again.partial_fit(X[:20], few[:20]), classifier.partial_fit(X[:20], few[:20]))

    @pytest.mark.slow
    def test_partial_fit_before_all_classes_have_come(self):
        classifier = small_classifier().partial_fit(X[::3], y[::3], classes=[0, 1, 2])
        assert_array_equal(classifier.linear_model_.classes_, [0])
        assert classifier.partial_fit(X[1::3], y[1::3]).predict_proba(X)[:, 2].max() < 1

    def test_refused_chunks(self):
        with pytest.raises(ValueError, match="classes must be passed"):
            small_classifier().partial_fit(X, few)
        with pytest.raises(ValueError, match="no labels in the first call"):
            small_classifier().partial_fit(X, np.full(60, -1), classes=[0, 1])
        classifier = small_classifier().partial_fit(X, few, classes=[0, 1, 2])
        with pytest.raises(ValueError, match="not in classes"):
            classifier.partial_fit(X, y + 1)

    @pytest.mark.slow
    @pytest.mark.parametrize("random_state", [0, None])
    def test_an_interrupted_fit_goes_on_from_its_checkpoint(self, tmp_path, random_state):
        class Fail(Callback):
            left = 5  # epochs of pretraining and joint training

            def on_epoch_begin(self, net, **kwargs):
                Fail.left -= 1
                if not Fail.left:
                    raise InterruptedError

        params = {"checkpoint": tmp_path, "max_epochs": 4, "random_state": random_state}
        embedder = small_embedder(random_state=None, callbacks=[Fail()], checkpoint_minutes=0)
        classifier = small_classifier(embedder=embedder, **params)
        with pytest.raises(InterruptedError):
            classifier.fit(X, few)
        Fail.left, saved = 100, len(list(tmp_path.iterdir()))
        assert saved
        classifier.fit(X, few)
        if random_state == 0:
            same_fit(classifier, small_classifier(max_epochs=4).fit(X, few))
        assert not list(tmp_path.iterdir())


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="starts a process by fork")
def test_a_killed_fit_goes_on_to_the_same_bits(tmp_path):
    class Kill(Callback):
        """Kills the process at an epoch of pretraining or of joint training, counted over both."""

        def __init__(self, epoch):
            self.epoch = epoch

        def on_epoch_end(self, net, **kwargs):
            self.epoch -= 1
            if not self.epoch:
                os.kill(os.getpid(), signal.SIGKILL)

    def fit(epoch):
        embedder = small_embedder(random_state=None, callbacks=[Kill(epoch)], checkpoint_minutes=0)
        return small_classifier(embedder=embedder, checkpoint=tmp_path, max_epochs=4).fit(X, few)

    for epoch in (2, 3, 2, 2):
        child = os.fork()
        if child == 0:
            fit(epoch)
            os._exit(0)
        assert os.waitpid(child, 0)[1] == signal.SIGKILL
    same_fit(fit(99), small_classifier(max_epochs=4).fit(X, few))
    assert not list(tmp_path.iterdir())


class TestScikitLearn:
    META = {
        "pipeline": lambda c: make_pipeline(StandardScaler(), c),
        "self training": lambda c: SelfTrainingClassifier(c, max_iter=1),
        "stacking": lambda c: StackingClassifier([("twins", c), ("linear", LogisticRegression())], cv=2),
        "voting": lambda c: VotingClassifier([("twins", c), ("linear", LogisticRegression())], voting="soft"),
        "one versus rest": OneVsRestClassifier,
        "calibrated": lambda c: CalibratedClassifierCV(c, cv=2),
        "grid": lambda c: GridSearchCV(c, {"embedder__augmentation__corruption_rate": [0.1, 0.4]}, cv=2),
    }

    @pytest.mark.slow
    @pytest.mark.parametrize("name", META)
    def test_meta_estimators(self, name):
        meta = self.META[name](small_classifier(max_epochs=1))
        labels = few if name == "self training" else y
        meta.fit(X, labels)
        assert meta.predict(X).shape == (60,) and meta.score(X, y) > 0.2

    @pytest.mark.slow
    def test_thresholds_importance_and_curves(self):
        classifier = small_classifier(max_epochs=1)
        tuned = TunedThresholdClassifierCV(classifier, cv=2).fit(X, y > 0)
        assert tuned.predict(X).dtype == bool
        assert permutation_importance(tuned.estimator_, X, y > 0, n_repeats=1)["importances"].shape == (5, 1)
        assert learning_curve(classifier, X, y, train_sizes=[0.5, 1.0], cv=2)[2].shape == (2, 2)

    @pytest.mark.slow
    def test_unlabeled_rows_in_every_fold(self):
        found = cross_validate(
            small_classifier(max_epochs=1), X[:12], y[:12], cv=2, params={"unlabeled": X[12:]}, return_estimator=True
        )
        assert [len(classifier.transduction_) for classifier in found["estimator"]] == [54, 54]

    def test_metadata_routing(self):
        with sklearn.config_context(enable_metadata_routing=True):
            classifier = small_classifier(max_epochs=1).set_fit_request(sample_weight=True, unlabeled=True)
            classifier.set_score_request(sample_weight=True)
            pipeline = Pipeline(
                [("scaler", StandardScaler().set_fit_request(sample_weight=False)), ("twins", classifier)]
            )
            search = GridSearchCV(pipeline, {"twins__pseudo_share": [0.5, 0.9]}, cv=2)
            search.fit(X[:12], y[:12], unlabeled=X[12:], sample_weight=np.ones(12))
            assert len(search.best_estimator_["twins"].transduction_) == 60
            assert pickle.loads(pickle.dumps(classifier)).get_metadata_routing().fit.requests["unlabeled"] is True

    @pytest.mark.slow
    def test_callbacks(self):
        callback = pytest.importorskip("sklearn.callback")
        classifier = small_classifier(max_epochs=1).set_callbacks(callback.ProgressBar())
        same_fit(classifier.fit(X, few), small_classifier(max_epochs=1).fit(X, few))

    def test_skops(self, fitted, tmp_path):
        skops = pytest.importorskip("skops.io")
        skops.dump(fitted, tmp_path / "file")
        same_fit(skops.load(tmp_path / "file", trusted=sklearn_twins.trusted_types(tmp_path / "file")), fitted)

    def test_it_says_how_many_rows_are_labeled(self, capsys):
        small_classifier(verbose=1).fit(X, np.where(few < 0, np.nan, few))
        printed = capsys.readouterr().out
        assert "12 of 60 rows are labelled, with 3 classes" in printed
        pretraining, joint = printed.split("pretraining without labels\n")[1].split("joint training with labels\n")
        assert " + redundancy" in pretraining and ", label" in joint  # only terms whose sum is the loss are added

    def test_pickle_and_html(self, fitted):
        copied = pickle.loads(pickle.dumps(fitted))
        same_fit(copied, fitted)
        assert_array_equal(copied.transduction_, fitted.transduction_)
        assert "BarlowTwinsClassifier" in fitted._repr_html_()
        assert not copied.embedder_.encoder_.training

    def test_components_as_parts(self):
        classifier = small_classifier()
        classifier.set_params(embedder__objective=BarlowTwins(), embedder__objective__off_diagonal_weight=0.1)
        assert classifier.fit(X, few).embedder_.objective.off_diagonal_weight == 0.1


@pytest.mark.slow
def test_a_fit_of_the_default_size_warns_of_nothing():
    from sklearn.datasets import load_digits

    X, y = load_digits(return_X_y=True)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        classifier = BarlowTwinsClassifier(BarlowTwinsEmbedder(max_epochs=20), max_epochs=20, random_state=0)
        classifier.fit(X[:900], np.where(np.arange(900) < 60, y[:900], -1))
    assert (classifier.transduction_[60:] == y[60:900]).mean() > 0.8
