"""Fit a classifier: pretrain an embedder, fit the linear model, train jointly, and collect the fitted attributes."""

from dataclasses import replace

import numpy as np

from .._fitting._sklearn_callbacks import FitTasks
from .._modalities import MODALITIES
from .._parts._joint_recipe import DENSE
from .._persistence._state import fitted_state
from .._runtime._printing import print_line
from .._runtime._storage import join_samples
from .._training._batches import batch_layout
from .._training._distributed import current_process_group
from ._features import Features
from ._joint import Joint, previous_of, set_joint_parameters, train_jointly
from ._labels import check_class_list, check_weights, read_labels, with_weights
from ._linear import fit_linear, linear_proba
from ._predict import predict_parts, transform_samples
from ._recipe import (
    adapt,
    blend,
    choose_epochs,
    choose_head_share,
    choose_label_weight,
)
from ._rows import Rows, make_samples, take_labeled

# What the jointly trained embedder takes from the joint training; the rest is the pretrained one's.
OF_TUNED = ("encoder_", "_output", "_n_features_out", "_fit_summary")


class JointTasks(FitTasks):
    """Report the joint training to scikit-learn's callbacks, with the classifier's fitted attributes.

    Parameters
    ----------
    estimator : BarlowTwinsClassifier
        The classifier.
    X : container
        Its X.
    finish : callable
        ``finish(attributes) -> attributes`` of the classifier from those of the joint training.
    """

    def __init__(self, estimator, X, finish):
        super().__init__(estimator)
        self.X, self.finish = X, finish

    def begin(self, X, n_epochs):
        """Begin the joint training."""
        super().begin(self.X, n_epochs)

    def on_epoch_end(self, attributes):
        """End an epoch."""
        return super().on_epoch_end(lambda: self.finish(attributes()))

    def end(self, attributes):
        """End the joint training."""
        super().end(lambda: self.finish(attributes()))


def fit_classifier(classifier, fit, embedder, is_fitted, X, labels, unlabeled, sample_weight, groups):
    """Fit a classifier.

    Parameters
    ----------
    classifier : BarlowTwinsClassifier
        Its fitted attributes are replaced at the end.
    fit : BarlowTwinsClassifier
        Its parameters and fitted attributes as they were at the beginning.
    embedder : BarlowTwinsEmbedder
        Given embedder.
    is_fitted : bool
        Whether it is taken as it is.
    X, unlabeled : containers, unlabeled possibly None
        The rows.
    labels : Labels
        Of all rows.
    sample_weight, groups : array-like of shape (n,) or None
        As in `fit`.

    Returns
    -------
    classifier : BarlowTwinsClassifier
    """
    rows = Rows.prepare(X, unlabeled, groups, labels, sample_weight, fit.class_weight)
    n_labeled, n, n_classes = len(rows.labels.rows), len(rows.labels.codes), len(labels.classes)
    report(fit, f"{n_labeled:,} of {n:,} rows are labelled, with {n_classes:,} classes")
    goes_on = fit.warm_start and hasattr(fit, "embedder_")
    if goes_on:
        check_same_classes(fit.classes_, labels.classes)
        embedder, is_fitted = with_parameters(embedder, fit.pretrained_embedder_), True
    pretrained, checkpoint = (with_parameters(embedder, embedder), None) if is_fitted else pretrain(fit, embedder, rows)
    samples = make_samples(pretrained, rows.X, unlabeled, len(rows.labels.codes))
    labeled = take_labeled(samples, rows.labels)
    previous = previous_of_classifier(fit) if goes_on else previous_of(pretrained)
    joint = make_joint(fit, rows.labels, labeled, pretrained, samples)
    params = {
        "max_epochs": count_all_epochs(fit, embedder, samples, previous, goes_on and are_same_labels(fit, labeled)),
        "early_stopping": fit.early_stopping,
        "warm_start": fit.warm_start,
    }

    def finish(trained):
        found = collect(labels.classes, without_training_state(pretrained), joint.model, trained)
        if fit.warm_start:
            found["_training_state"]["labeled"] = labeled
        return found | describe_rows(found, rows, samples)

    tasks = JointTasks(classifier, rows.X, finish)
    is_stored = run(classifier, fit, pretrained, params, samples, joint, previous, rows.group_codes, tasks, False)
    if not is_stored:  # all epochs were trained before
        found = fitted_state(fit)
        classifier._store(found | describe_rows(found, rows, samples))
    if checkpoint is not None:
        checkpoint.remove()
    return classifier


def partial_fit_classifier(classifier, fit, embedder, is_fitted, X, y, classes, sample_weight):
    """Train a classifier for one more epoch, see `fit_classifier`.

    Returns
    -------
    classifier : BarlowTwinsClassifier
    """
    is_new, is_first = not hasattr(fit, "embedder_"), "labeled" not in getattr(fit, "_training_state", {})
    all_classes = fit.classes_ if classes is None and not is_new else check_class_list(classes, fit.unlabeled_label)
    if not is_new:
        check_same_classes(fit.classes_, all_classes)
    labels = read_labels(y, X, None, fit.unlabeled_label, all_classes)
    labels = with_weights(labels, check_weights(sample_weight, X, labels), fit.class_weight)
    if is_first and not len(labels.rows):
        raise ValueError("y has no labels in the first call of partial_fit. Begin with rows of which some have one.")
    if is_fitted:
        pretrained = with_parameters(embedder, embedder)
    else:
        pretrained = embedder._unfitted()
        set_own(pretrained, fit)
        if not is_new:
            pretrained._store(fitted_state(fit.pretrained_embedder_))
        pretrained._fit_chunk(X)
    samples = make_samples(pretrained, X, None, len(labels.codes))
    kept = take_labeled(samples, labels)
    if not is_first:
        kept = tuple(map(join_samples, fit._training_state["labeled"], kept))

    def finish(attributes):
        found = collect(all_classes, pretrained, joint.model, attributes)
        found["_training_state"]["labeled"] = kept
        # A class without label in the first calls is far behind in the head of images too.
        recipe = replace(recipe_of(found["embedder_"]), most_disagreement=DENSE.most_disagreement)
        found["head_share_"], _ = judge_head(found, samples, kept[1], recipe)
        return found

    previous = previous_of(pretrained) if is_first else previous_of_classifier(fit)
    joint = replace(make_joint(fit, labels, kept, pretrained, samples), kept=kept)
    run(classifier, fit, pretrained, {}, samples, joint, previous, None, JointTasks(classifier, X, finish), True)
    return classifier


def report(fit, text):
    """Print a line if the classifier is to report, in one of several processes."""
    if fit.verbose and current_process_group().is_first:
        print_line(text)


def check_same_classes(was, now):
    """Refuse other classes than those of the fit that goes on."""
    if not np.array_equal(was, now):
        raise ValueError(
            f"Classes cannot change when training goes on: they were {was.tolist()}, and are now {now.tolist()}. Clone "
            "the classifier and start anew."
        )


def set_own(embedder, fit):
    """Set the parameters of an embedder that the classifier has too."""
    if fit.random_state is not None:
        embedder.random_state = fit.random_state
    if fit.checkpoint is not None:
        embedder.checkpoint = fit.checkpoint
    embedder.verbose = max(int(embedder.verbose), int(fit.verbose))


def pretrain(fit, embedder, rows):
    """Train a clone of an embedder on all rows; it keeps its projector, from which the joint training goes on.

    Returns
    -------
    pretrained : BarlowTwinsEmbedder
    checkpoint : Checkpoint or None
        Of the finished training, so that a joint training that is killed does not begin with another one.
    """
    trained, kept = embedder._unfitted(), [None]
    set_own(trained, fit)
    trained.warm_start = True
    report(fit, "pretraining without labels")

    def keep(checkpoint):
        checkpoint.save()
        kept.append(checkpoint)

    trained._fit(rows.X, rows.unlabeled, resume=False, stream=False, groups=rows.groups, keep_checkpoint=keep)
    return with_parameters(embedder, trained), kept[-1]


def with_parameters(embedder, fitted):
    """An embedder with the parameters of one and the fit of another; neither is changed by what becomes of it."""
    copy = embedder._unfitted()
    copy._store(fitted_state(fitted))
    return copy


def without_training_state(embedder):
    """A fitted embedder without the state that only further training needs."""
    copy = with_parameters(embedder, embedder)
    vars(copy).pop("_training_state", None)
    return copy


def are_same_labels(fit, labeled):
    """Whether the labelled rows are those of the fit that goes on."""
    before = getattr(fit, "_training_state", {}).get("labeled", ())
    return len(before) == len(labeled) and all(
        np.array_equal(was[:], now[:], equal_nan=True) for was, now in zip(before, labeled, strict=True)
    )


def count_all_epochs(fit, embedder, samples, previous, are_same):
    """Number of epochs that the joint training has in the end, without those of `partial_fit`.

    With the labels of before, `max_epochs` counts the epochs of all fits, as for an embedder; with others, those of
    this one.
    """
    n_epochs, is_auto = fit.max_epochs, fit.max_epochs == "auto"
    if is_auto:
        n_batches, _ = batch_layout(len(samples), embedder.batch_size)
        n_epochs = choose_epochs(n_batches, MODALITIES[embedder.modality])
    n_done = previous.n_epochs - previous.n_streamed
    if not are_same:
        return n_done + n_epochs
    return max(n_done, n_epochs) if is_auto else n_epochs


def make_joint(fit, labels, labeled, pretrained, samples):
    """Fit the linear model on the pretrained embedding, and set up the joint training by the recipe."""
    model = fit_linear(transform_samples(pretrained, labeled[0]), *labeled[1:])
    Z = transform_samples(pretrained, samples)
    n_batches, _ = batch_layout(len(samples), pretrained.batch_size)
    return Joint(
        labels=labels,
        features=Features.of(pretrained),
        model=model,
        first=linear_proba(model, Z, len(labels.classes)),
        mean=Z.mean(axis=0),
        label_weight=choose_label_weight(fit.label_weight),
        share=fit.pseudo_share,
        recipe=adapt(MODALITIES[pretrained.modality].joint, fit.pseudo_labels, n_batches),
        validation_fraction=pretrained.validation_fraction,
    )


def previous_of_classifier(fit):
    """The state of a classifier whose joint training goes on."""
    return replace(
        fit.embedder_._previous(),
        history=fit.history_,
        n_epochs=fit.n_iter_,
        n_streamed=fit._n_streamed,
        training_state=getattr(fit, "_training_state", None),
    )


def run(classifier, fit, pretrained, params, samples, joint, previous, groups, tasks, stream):
    """Train jointly, and store the classifier's fitted attributes.

    Returns
    -------
    is_stored : bool
        False if all epochs were trained before.
    """
    own = pretrained._unfitted()
    set_own(own, fit)
    tuned = set_joint_parameters(own, params, joint.recipe.learning_rate)

    is_stored = []
    report(fit, "joint training with labels")

    def store(attributes):
        classifier._store(tasks.finish(attributes))
        is_stored.append(True)

    train_jointly(tuned, tuned._resolve_parts(), samples, joint, previous, groups, tasks, store, stream)
    return bool(is_stored)


def collect(classes, pretrained, model, attributes):
    """The fitted attributes of a classifier, from those of its joint training."""
    tuned = without_training_state(pretrained)
    tuned._store(fitted_state(tuned) | {name: attributes[name] for name in OF_TUNED})
    names = ("head_coef_", "head_intercept_", "history_", "n_iter_", "_n_streamed", "_training_state")
    columns = {name: value for name, value in vars(tuned).items() if name in ("n_features_in_", "feature_names_in_")}
    return {
        "classes_": classes,
        "pretrained_embedder_": pretrained,
        "linear_model_": model,
        "embedder_": tuned,
        **{name: attributes[name] for name in names if name in attributes},
        **columns,
    }


def recipe_of(embedder):
    """The recipe of joint training for an embedder's modality."""
    return MODALITIES[embedder.modality].joint


def judge_head(found, samples, codes, recipe):
    """Share of the head in predictions, and the probabilities of rows with it.

    Parameters
    ----------
    found : dict
        Fitted attributes.
    samples : ndarray or lazy samples of shape (n, *sample_shape)
        All training rows.
    codes : ndarray of shape (n_labeled,), int64
        Classes of the labelled rows.
    recipe : JointRecipe
        How much the head may disagree with the linear model, and its share if it does not.

    Returns
    -------
    share : float
    proba : ndarray of shape (n, n_classes)
    """
    linear, head = predict_parts(found, samples)
    n_labels = np.median(np.unique(codes, return_counts=True)[1])
    share = choose_head_share(linear, head, n_labels, recipe)
    return share, blend(linear, head, share)


def describe_rows(found, rows, samples):
    """The fitted attributes that need predictions for all training rows."""
    codes = rows.labels.codes[rows.labels.rows]
    share, proba = judge_head(found, samples, codes, recipe_of(found["embedder_"]))
    transduction, proba = rows.transduce(proba)
    return {"head_share_": share, "label_distributions_": proba, "transduction_": transduction}
