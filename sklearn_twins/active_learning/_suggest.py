"""suggest_labels: which rows of X shall be labelled next, by a fitted estimator."""

import numpy as np
from sklearn.pipeline import Pipeline
from sklearn.utils._param_validation import StrOptions, validate_params
from sklearn.utils.validation import check_is_fitted

from .._classification._label_values import SIGNS
from .._classification._labels import UNLABELED, read_column
from .._classification._linear import fit_linear, linear_proba
from .._inputs._containers import as_frame
from .._inputs._messages import short_messages, show
from ._checks import N, check_rows, find_unlabeled
from ._coverage import core_set, probcover
from ._herding import max_herding
from ._sampling import badge, random
from ._typicality import typiclust
from ._uncertainty import entropy, least_confidence, margin

# Strategies by what they get: the embedding, probabilities, or both.
OF_EMBEDDING = {
    **{"core_set": core_set, "max_herding": max_herding, "probcover": probcover, "random": random},
    "typiclust": typiclust,
}
OF_PROBA = {"entropy": entropy, "least_confidence": least_confidence, "margin": margin}
QUERIES = {"badge": badge, **OF_EMBEDDING, **OF_PROBA}
# "auto" begins with the first one, and turns to the second one from this number of labels for each class on; to the
# last one if there is no embedding. docs/active_learning.md has the measurements.
FIRST, THEN, WITHOUT_EMBEDDING, LABELS_PER_CLASS = "max_herding", "badge", "margin", 5


@short_messages()
@validate_params(
    {"n": N, "strategy": [StrOptions({"auto", *QUERIES})], "random_state": ["random_state"]},
    prefer_skip_nested_validation=True,
)
def suggest_labels(estimator, X, y=None, n=20, strategy="auto", *, unlabeled_label="auto", random_state=None):
    """Suggest which rows of X to label next.

    Parameters
    ----------
    estimator : BarlowTwinsEmbedder, MultiViewEmbedder, BarlowTwinsClassifier, Pipeline or search
        Fitted estimator with `transform`, `predict_proba` or both. A pipeline of an embedder and a classifier has both.
    X : data frame, array-like or sparse array of shape (n_rows, n_features); images
        All rows, with and without label, as the estimator's `transform` or `predict_proba` takes them.
    y : array-like of shape (n_rows,) or None, default=None
        Labels of the rows that have one. `unlabeled_label` and missing values mark the others. None if no row of X has
        a label.
    n : int, default=20
        Number of rows to suggest.
    strategy : str, default="auto"
        Name of a function of this module: "max_herding", "typiclust", "probcover", "core_set", "margin", "entropy",
        "least_confidence", "badge" or "random". "auto" is "max_herding" while y has fewer than five labels for each
        class that it names, and "badge" after that; for a classifier without y it is "badge". A classifier that has no
        embedding gets "margin" instead of "badge".
    unlabeled_label : int, float, str or None, default="auto"
        Value of y for rows without label, beside missing values. "auto" is the one of a `BarlowTwinsClassifier`, and
        -1 for other estimators. None if only missing values mark these rows.
    random_state : int, RandomState instance or None, default=None
        Seed of the strategies that draw. An int gives the same rows in each call.

    Returns
    -------
    rows : ndarray of shape (n,), int64; or pandas.Index of length n
        Row numbers of X, the most useful row first; index labels if X is a data frame of pandas.

    Raises
    ------
    ValueError
        If y has another length, another index, or no row without label, `n` is larger than their number, a strategy
        needs probabilities and there are neither a classifier nor labels of two classes, or index labels repeat.
    TypeError
        If the estimator has neither `transform` nor `predict_proba`.
    NotFittedError
        If the estimator is not fitted.

    See Also
    --------
    max_herding : The strategy for the first labels.
    badge : The strategy for further labels.

    Notes
    -----
    Strategies that need probabilities take them from the estimator if it is a classifier, and otherwise from logistic
    regression on the embedding of the labelled rows.

    Fit the estimator again, or a classifier at least, when labels have come: its probabilities are asked for as it
    is. A classifier that lacks `transform` gives the embedding of its `embedder_`, a pipeline that of its other steps.

    Labels chosen in this way are no random sample: measure accuracy on rows that were chosen at random.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn_twins import BarlowTwinsEmbedder
    >>> from sklearn_twins.active_learning import suggest_labels
    >>> X, y = load_digits(return_X_y=True)
    >>> embedder = BarlowTwinsEmbedder(max_epochs=5, random_state=0).fit(X)
    >>> rows = suggest_labels(embedder, X, n=10, random_state=0)  # ask for these labels first
    >>> len(set(y[rows])) >= 8  # of ten digits
    True
    """
    if not hasattr(estimator, "transform") and not hasattr(estimator, "predict_proba"):
        raise TypeError(
            f"estimator={show(estimator)} has neither transform nor predict_proba. Give a fitted BarlowTwinsEmbedder, "
            "BarlowTwinsClassifier, or a pipeline with one of them."
        )
    check_is_fitted(estimator)
    estimator = getattr(estimator, "best_estimator_", estimator)
    names, is_classifier = index_of(X), hasattr(estimator, "predict_proba")
    check_index(y, names)
    if unlabeled_label == "auto":
        last = estimator[-1] if isinstance(estimator, Pipeline) else estimator
        unlabeled_label = getattr(last, "unlabeled_label", UNLABELED)
    labeled, codes, n_classes = read_y(y, unlabeled_label, getattr(estimator, "classes_", None), n)
    if strategy == "auto":
        knows_more = y is None and is_classifier  # labels of other rows
        is_sure = n_classes > 1 and len(codes) >= LABELS_PER_CLASS * n_classes
        strategy = THEN if knows_more or is_sure else FIRST
        strategy = strategy if has_embedding(estimator) else WITHOUT_EMBEDDING
    if strategy not in OF_EMBEDDING and not is_classifier and n_classes < 2:
        raise ValueError(
            f"strategy={strategy!r} needs probabilities. {type(estimator).__name__} has no predict_proba, and y has "
            f"labels of {n_classes} class{'es' * (n_classes != 1)}. Give y with labels of two classes or more, a "
            "fitted classifier, or another strategy, such as 'max_herding'."
        )
    embedding = proba = None
    if strategy not in OF_PROBA or not is_classifier:
        embedding = check_rows(embed(estimator, X), "the embedding of X")
    if strategy not in OF_EMBEDDING:
        proba = estimator.predict_proba(X) if is_classifier else None
    n_rows = len(proba if embedding is None else embedding)
    if labeled is not None and len(labeled) != n_rows:
        raise ValueError(f"y has {len(labeled)} values for {n_rows} rows of X. Give one for each row.")
    if strategy not in OF_EMBEDDING and proba is None:
        linear = fit_linear(embedding[labeled], codes, np.ones(len(codes)))
        proba = linear_proba(linear, embedding, n_classes)
    if strategy in OF_PROBA:
        rows = OF_PROBA[strategy](proba, n, labeled=labeled)
    else:
        given = (embedding, proba) if strategy == "badge" else (embedding,)
        rows = QUERIES[strategy](*given, n=n, labeled=labeled, random_state=random_state)
    return rows if names is None else names[rows]


def read_y(y, unlabeled_label, classes, n):
    """Read the labels, and check that there are enough rows without.

    Returns
    -------
    labeled : ndarray of shape (n_rows,), bool; or None without y
    codes : ndarray of shape (n_labeled,), int64
        Classes of the labelled rows.
    n_classes : int
        Number of classes among them.

    Raises
    ------
    ValueError
        If y holds no labels, all rows have one, or fewer than n have none.
    """
    if y is None:
        return None, np.empty(0, dtype=np.int64), 0
    labeled, found, codes = read_column(y, unlabeled_label, classes)
    if labeled.all():
        hint = f"Rows without label have unlabeled_label={show(unlabeled_label)} or a missing value."
        if tuple(found.tolist()) == SIGNS:
            hint = "-1 and 1 are read as two classes. Mark rows without label by None or NaN instead of -1."
        raise ValueError(f"y has labels for all {len(labeled)} rows, so that none is left to suggest. {hint}")
    find_unlabeled(labeled, len(labeled), n)
    return labeled, codes, len(found)


def index_of(X):
    """The index labels of a data frame of pandas; None for other containers.

    Raises
    ------
    TypeError
        If X is a lazy data frame.
    ValueError
        If labels repeat.
    """
    as_frame(X, "X")
    if not hasattr(X, "iloc"):
        return None
    if not X.index.is_unique:
        twice = X.index[X.index.duplicated()][:1].tolist()[0]
        raise ValueError(
            f"X has several rows with the index label {show(twice)}, so that labels do not tell rows apart. Give "
            "X.reset_index(drop=True)."
        )
    return X.index


def check_index(y, names):
    """Refuse a y of pandas whose index labels are not those of X, row by row."""
    if names is not None and hasattr(y, "iloc") and len(y) == len(names) and not y.index.equals(names):
        i = next((i for i, (a, b) in enumerate(zip(y.index, names, strict=True)) if a != b), 0)
        raise ValueError(
            f"The rows of y and X have other index labels: row {i} is {show(y.index[i])} in y and {show(names[i])} in "
            "X. Give y.loc[X.index], or y.to_numpy() if the rows have the same order."
        )


def has_embedding(estimator):
    """Whether `embed` works with an estimator."""
    is_pipeline = isinstance(estimator, Pipeline) and len(estimator.steps) > 1
    return is_pipeline or hasattr(estimator, "transform") or hasattr(estimator, "embedder_")


def embed(estimator, X):
    """Embed the rows of X by a transformer, a classifier that holds an embedder, or the steps of a pipeline.

    Raises
    ------
    TypeError
        If the estimator has no embedding.
    """
    if not has_embedding(estimator):
        raise TypeError(
            f"estimator={show(estimator)} has no embedding. Give a fitted BarlowTwinsEmbedder, BarlowTwinsClassifier, "
            "or a pipeline with one of them, or a strategy that needs probabilities only, such as 'margin'."
        )
    if hasattr(estimator, "transform"):
        return estimator.transform(X)
    if hasattr(estimator, "embedder_"):
        return estimator.embedder_.transform(X)
    Z = estimator[:-1].transform(X)
    return embed(estimator[-1], Z) if hasattr(estimator[-1], "embedder_") else Z
