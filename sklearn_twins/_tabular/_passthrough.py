"""The columns of a table: those that `transform` puts next to the embedding, and those that are constant."""

import math

import numpy as np

from ._categories import FIRST, embedding_width

# Bound of these numbers, in interquartile ranges. Samples are clipped much closer, which suits an encoder; some classes
# differ only in the tails that this clipping loses.
WIDEST = 10.0
MAX_LABEL = 60  # characters of a category in the name of a column


def write_columns(samples, spec, out):
    """Write samples of a table as finite numbers for a linear model.

    Numbers as before the soft clip, and 0 (the middle of a scaled column) where missing; marks of missing numbers;
    one-hot categories, the 32 most frequent ones of columns with more.

    Parameters
    ----------
    samples : ndarray of shape (n, columns)
        From the preprocessor.
    spec : TableSpec
        Their spec.
    out : ndarray of shape (n, ``spec.n_inputs``), float32
        Where to write.
    """
    first = spec.n_numbers
    numbers = out[:, :first]
    numbers[:] = samples[:, :first]
    if spec.clip is not None:
        undo_soft_clip(numbers, spec.clip)
    np.copyto(numbers, 0.0, where=np.isnan(numbers))
    end = first + len(spec.missing)
    if spec.missing:
        out[:, first:end] = np.isnan(samples[:, list(spec.missing)])
    out[:, end:] = 0.0
    for codes, n_codes in zip(samples[:, first:].T, spec.categories, strict=True):
        width = embedding_width(n_codes)
        places = np.nan_to_num(codes).astype(np.int64) - 2  # codes 0 and 1 are missing and unseen values
        rows = np.flatnonzero((places >= 0) & (places < width))
        out[rows, end + places[rows]] = 1.0
        end += width


def undo_soft_clip(numbers, clip):
    """Undo a soft clip in place, up to `WIDEST`.  # (n, n_numbers), float32"""
    numbers /= np.float32(clip)
    bound = np.float32(WIDEST / math.hypot(clip, WIDEST))
    np.clip(numbers, -bound, bound, out=numbers)
    numbers *= np.float32(clip) / np.sqrt(1 - np.square(numbers))


def count_columns(spec):
    """Number of columns that `write_columns` writes."""
    return spec.n_inputs


def are_numbers(spec):
    """Which of these columns are numbers; marks and one-hot codes keep their variance.  # (n_inputs,), bool"""
    return np.arange(spec.n_inputs) < spec.n_numbers


def name_columns(preprocessor, input_features=None):
    """Names of these columns: "age", "age_missing" for its mark, "month_Nov" for a category.

    Parameters
    ----------
    preprocessor : component
        Fitted preprocessor with a `TableSpec`.
    input_features : array-like of str, default=None
        Names of the columns of X.

    Returns
    -------
    names : list of str
    """
    spec = preprocessor.spec_
    if hasattr(preprocessor, "get_feature_names_out"):
        columns = list(preprocessor.get_feature_names_out(input_features))
    else:
        columns = [f"x{j}" for j in range(spec.shape[0])]
    names = columns[: spec.n_numbers] + [f"{columns[j]}_missing" for j in spec.missing]
    categories = getattr(preprocessor, "categories_", [()] * len(spec.categories))
    for column, own, n_codes in zip(columns[spec.n_numbers :], categories, spec.categories, strict=True):
        labels = [*map(describe_category, own), *(["other"] if 0 < len(own) < n_codes - FIRST else [])]
        labels += range(len(labels), n_codes - FIRST)  # of a preprocessor that does not say its categories
        names += [f"{column}_{label}" for label in labels[: embedding_width(n_codes)]]
    return names


def describe_category(key):
    """A category as a short text; whole numbers without a decimal point."""
    text = str(shorten_numbers(key))
    return text if len(text) <= MAX_LABEL else f"{text[: MAX_LABEL - 3]}..."


def shorten_numbers(key):
    """Replace floats that are whole numbers by integers, in tuples too."""
    if isinstance(key, tuple):
        return tuple(map(shorten_numbers, key))
    return int(key) if isinstance(key, float) and key.is_integer() else key


def find_constant_columns(samples, spec):
    """Columns of X that are constant in all samples; a date is, if all its parts are."""
    first = samples[:1]
    constant = ((samples == first) | ((samples != samples) & (first != first))).all(0)  # (columns,), NaN equals NaN
    sources = np.array(spec.sources or range(samples.shape[1]))
    return [j for j in range(sources.max(initial=-1) + 1) if constant[sources == j].all()]
