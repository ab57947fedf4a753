"""Where the embedder is in what a search is given."""

from sklearn.base import clone
from sklearn.pipeline import Pipeline

from .._embedder import BarlowTwinsEmbedder


def step_of(estimator, search):
    """Name of the step that is the embedder; None if the estimator is one itself.

    Raises
    ------
    TypeError
        If there is no embedder, or more than one.
    """
    if isinstance(estimator, BarlowTwinsEmbedder):
        return None
    steps = estimator.steps if isinstance(estimator, Pipeline) else ()
    names = [name for name, step in steps if isinstance(step, BarlowTwinsEmbedder)]
    if len(names) != 1:
        raise TypeError(
            f"estimator of {search} must be a BarlowTwinsEmbedder, or a Pipeline with one of them among its steps. "
            f"Got {estimator!r}. For others use GridSearchCV."
        )
    return names[0]


def embedder_of(estimator, name):
    """The embedder in an estimator."""
    return estimator if name is None else estimator.named_steps[name]


def copied(candidate):
    """A candidate's parameters, so that estimators in it are nobody else's."""
    return {name: clone(value, safe=False) for name, value in candidate.items()}
