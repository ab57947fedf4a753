"""Find the embedder that a display draws: in a pipeline, behind a search or a frozen estimator."""

from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted


def find_embedder(estimator, X=None, *, needs_fit=True):
    """Find the embedder in an estimator, and X as it gets there.

    Parameters
    ----------
    estimator : estimator
        An embedder, a pipeline with one, or a search or frozen estimator around these.
    X : array-like or None, default=None
        Rows for the estimator; None if only the embedder is needed.
    needs_fit : bool, default=True
        Whether the embedder must be fitted. If not, earlier steps that are not fitted are fitted to X, as copies.

    Returns
    -------
    embedder : BarlowTwinsEmbedder
    X : array-like or None
        After the steps before the embedder.

    Raises
    ------
    TypeError
        If there is no embedder.
    NotFittedError
        If it must be fitted and is not.
    """
    path = path_to_embedder(estimator)
    if path is None:
        raise TypeError(
            f"This display needs a BarlowTwinsEmbedder, or a pipeline or search that holds one. Got {estimator!r:.200}."
        )
    *before, embedder = path
    if needs_fit:
        check_is_fitted(embedder)
    if X is not None:
        for step in before:
            X = apply_step(step, X, needs_fit)
    return embedder, X


def path_to_embedder(estimator):
    """The steps before an embedder, and the embedder; None if there is none."""
    for attribute in ("best_estimator_", "estimator_", "estimator"):  # searches, meta-estimators, FrozenEstimator
        inner = getattr(estimator, "__dict__", {}).get(attribute)
        if inner is not None:
            return path_to_embedder(inner)
    if isinstance(estimator, Pipeline):
        before = []
        for _, step in estimator.steps:
            inner = path_to_embedder(step)
            if inner is not None:
                return [*before, *inner]
            before += [] if step in (None, "passthrough") else [step]
        return None
    return [estimator] if hasattr(estimator, "transform_views") else None


def apply_step(step, X, needs_fit):
    """Transform X by a step of a pipeline; by a fitted copy, if it is not fitted and need not be."""
    try:
        return step.transform(X)
    except NotFittedError:
        if needs_fit:
            raise
    return clone(step).fit_transform(X)
