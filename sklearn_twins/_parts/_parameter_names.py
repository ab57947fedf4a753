"""Unknown names of parameters: errors that suggest the nearest valid spelling."""

import difflib
import functools
import inspect

SYNONYMS = {  # names that other libraries use
    "alpha": "weight_decay",
    "dim": "n_components",
    "embedding_dim": "n_components",
    "epoch": "max_epochs",
    "epochs": "max_epochs",
    "hidden_layer_sizes": "hidden_dims",
    "lambd": "off_diagonal_weight",
    "lambda_param": "off_diagonal_weight",
    "lr": "learning_rate",
    "max_iter": "max_epochs",
    "n_epochs": "max_epochs",
    "n_iter": "max_epochs",
    "patience": "n_iter_no_change",
    "seed": "random_state",
}


def find_similar(name, valid):
    """Find the valid names that an unknown one probably means.

    Parameters
    ----------
    name : str
        The unknown name, perhaps with double underscores.
    valid : iterable of str
        Valid names.

    Returns
    -------
    names : list of str
        Those with the same last part, else those with a similar spelling; at most 3.
    """
    by_last = {}
    for full in valid:
        by_last.setdefault(full.rpartition("__")[2], []).append(full)
    last = name.rpartition("__")[2]
    last = last if last in by_last else SYNONYMS.get(last, last)
    if last not in by_last:
        close = difflib.get_close_matches(name, valid, 1, cutoff=0.8)
        if close and "__" not in name:  # else the part's name alone would be similar enough
            return close
        last = next(iter(difflib.get_close_matches(last, by_last, 1, cutoff=0.75)), None)
    return by_last.get(last, [])[:3]


def explain_unknown_parameters(cls, describe):
    """Let the constructor of a class say what an unknown keyword may have meant.

    Parameters
    ----------
    cls : type
        A class; nothing is changed if it inherits its constructor.
    describe : callable
        ``describe(name, values) -> str``, the end of the message: a hint, given the unknown name, and the values of
        all parameters.
    """
    init = vars(cls).get("__init__")
    if init is None:
        return

    @functools.wraps(init)
    def __init__(self, *args, **kwargs):
        try:
            init(self, *args, **kwargs)
        except TypeError:
            parameters = dict(list(inspect.signature(init).parameters.items())[1:])
            unknown = [name for name in kwargs if name not in parameters]
            if not unknown or any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters.values()):
                raise
            given = dict(zip(parameters, args, strict=False)) | kwargs
            values = {name: given.get(name, parameter.default) for name, parameter in parameters.items()}
            hint = describe(unknown[0], values)
            raise TypeError(f"{type(self).__name__} has no parameter {unknown[0]!r}. {hint}") from None

    cls.__init__ = __init__


def suggest_own(name, values):
    """Suggest a parameter of the same object, or list all of them."""
    similar = find_similar(name, values)
    if similar:
        return f"Did you mean {' or '.join(similar)}?"
    return f"It has: {', '.join(values)}." if values else "It has none."
