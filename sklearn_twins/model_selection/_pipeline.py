"""Where the embedder is in what a search is given."""

from sklearn.base import clone
from sklearn.metrics import check_scoring
from sklearn.model_selection import ParameterGrid
from sklearn.pipeline import Pipeline
from sklearn.utils import get_tags
from sklearn.utils.validation import _num_samples

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


def check_search(search, X, y):
    """Refuse what a search could not do with what it has trained, before it trains anything.

    Parameters
    ----------
    search : GridSearchCV
        Its `estimator` and `scoring` are looked at.
    X : array-like or data frame
        Rows.
    y : array-like or None
        Labels.

    Returns
    -------
    scorer : callable
        Of `scoring`.

    Raises
    ------
    ValueError
        If labels are needed that are not there, or are more or fewer than rows; or if a scorer wants what the estimator
        does not do.
    """
    estimator, scoring = search.estimator, search.scoring
    last = estimator.steps[-1][1] if isinstance(estimator, Pipeline) else estimator
    if y is None and hasattr(last, "fit") and get_tags(last).target_tags.required:
        raise ValueError(f"y=None, but {type(last).__name__} requires y to be passed. Give fit(X, y) the labels.")
    if y is not None and _num_samples(X) != _num_samples(y):
        raise ValueError(
            f"Found input variables with inconsistent numbers of samples: [{_num_samples(X)}, {_num_samples(y)}]. Give "
            "y one label for each row of X."
        )
    scorer = check_scoring(estimator, scoring=scoring)
    scorers = getattr(scorer, "_scorers", {"": scorer})  # of several, a dict
    for one in scorers.values():
        wanted = getattr(one, "_response_method", ())
        wanted = (wanted,) if isinstance(wanted, str) else tuple(wanted)
        if wanted and not any(hasattr(estimator, method) for method in wanted):
            raise ValueError(
                f"scoring={scoring!r} needs {' or '.join(wanted)}, which {type(estimator).__name__} has not. Use None "
                "or another scorer of sklearn_twins.metrics, or put a predictor behind the embedder in a Pipeline."
            )
    return scorer


def candidates_of(grid):
    """The candidates of a grid.

    Raises
    ------
    ValueError, TypeError
        If it is no grid, or holds none.
    """
    candidates = list(ParameterGrid(grid))
    if not candidates:
        raise ValueError(f"param_grid={grid!r} holds no candidates. Give a dict of lists.")
    return candidates


def check_candidates(estimators, name):
    """Refuse candidates whose embedder has a parameter out of range, before any is trained."""
    for estimator in estimators:
        embedder = embedder_of(estimator, name)
        embedder._resolve_parts()


def copied(candidate):
    """A candidate's parameters, so that estimators in it are nobody else's."""
    return {name: clone(value, safe=False) for name, value in candidate.items()}
