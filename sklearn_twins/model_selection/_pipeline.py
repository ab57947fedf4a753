"""Find the embedder in a search's estimator, and check a search before it trains."""

from sklearn.base import clone
from sklearn.metrics import check_scoring
from sklearn.model_selection import ParameterGrid
from sklearn.pipeline import Pipeline
from sklearn.utils import get_tags
from sklearn.utils.validation import _num_samples

from .._embedder import BarlowTwinsEmbedder
from .._multi_view_embedder import MultiViewEmbedder

EMBEDDERS = (BarlowTwinsEmbedder, MultiViewEmbedder)


def find_embedder_step(estimator, search):
    """Find the name of the step that is the embedder; None if the estimator itself is the embedder.

    Raises
    ------
    TypeError
        If there is no embedder, or more than one.
    """
    if isinstance(estimator, EMBEDDERS):
        return None
    steps = estimator.steps if isinstance(estimator, Pipeline) else ()
    names = [name for name, step in steps if isinstance(step, EMBEDDERS)]
    if len(names) != 1:
        raise TypeError(
            f"estimator of {search} must be a BarlowTwinsEmbedder or MultiViewEmbedder, or a Pipeline with exactly one "
            "among its steps. "
            f"Got {estimator!r}. For other estimators use GridSearchCV."
        )
    return names[0]


def get_embedder(estimator, name):
    """Return the embedder of an estimator."""
    return estimator if name is None else estimator.named_steps[name]


def replace_embedder(estimator, name, embedder):
    """Return the estimator with another embedder in place of its own."""
    return embedder if name is None else estimator.set_params(**{name: embedder})


def check_search(search, X, y):
    """Refuse labels and scorers that would fail after training.

    Parameters
    ----------
    search : GridSearchCV
        Search whose `estimator` and `scoring` are checked.
    X : array-like or data frame
        Rows.
    y : array-like or None
        Labels.

    Returns
    -------
    scorer : callable
        Scorer of the search.

    Raises
    ------
    ValueError
        If required labels are missing, if X and y have different lengths, or if the estimator lacks a method that a
        scorer needs.
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
    scorers = getattr(scorer, "_scorers", {"": scorer})  # a dict if there are several
    for one in scorers.values():
        wanted = getattr(one, "_response_method", ())
        wanted = (wanted,) if isinstance(wanted, str) else tuple(wanted)
        if wanted and not any(hasattr(estimator, method) for method in wanted):
            raise ValueError(
                f"scoring={scoring!r} needs {' or '.join(wanted)}, which {type(estimator).__name__} does not have. Use "
                "None or a scorer of sklearn_twins.metrics, or put a predictor after the embedder in a Pipeline."
            )
    return scorer


def list_candidates(grid):
    """List the candidates of a grid.

    Raises
    ------
    ValueError, TypeError
        If it is not a grid, or has no candidates.
    """
    candidates = list(ParameterGrid(grid))
    if not candidates:
        raise ValueError(f"param_grid={grid!r} has no candidates. Give a dict of lists.")
    return candidates


def check_candidates(estimators, name):
    """Refuse candidates whose embedder has a parameter out of range."""
    for estimator in estimators:
        embedder = get_embedder(estimator, name)
        embedder._resolve_parts()


def clone_parts(candidate):
    """Clone the estimators among a candidate's parameters, so that they are not shared."""
    return {name: clone(value, safe=False) for name, value in candidate.items()}
