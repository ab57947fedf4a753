"""The contents of a file that belong to a table: its preprocessor and its spec, and what these consist of."""

import numpy as np
from sklearn.preprocessing import QuantileTransformer

from .._parts._modality import Stored
from .._parts._stored_state import (
    IS_SHAPE,
    check_component,
    is_array,
    is_finite,
    is_int,
    is_one,
    is_tuple,
    is_word,
    require,
)
from ._categories import CategoryColumns
from ._category_keys import KINDS as CATEGORY_KINDS
from ._numbers import DECODERS, NumberColumns
from ._preprocessor import TablePreprocessor
from ._spec import TableSpec


def is_category(value):
    """Whether a value is a category in its plain form, see `to_plain`."""
    return type(value) in (str, float, int, bool, tuple, *CATEGORY_KINDS)


def is_part(value):
    """Whether a value is a column of X and the name of a part of a date."""
    return type(value) is tuple and len(value) == 2 and is_int()(value[0]) and isinstance(value[1], str)


def is_kinds(value):
    """Whether a value is a dict of columns of X to kinds of numbers."""
    return type(value) is dict and all(is_int()(key) and is_word(DECODERS)(kind) for key, kind in value.items())


def is_clip(value):
    """Whether a value is the bound of a soft clip."""
    return is_finite(value) and value > 0


def is_ranks(value):
    """Whether a value is a list of scales by rank."""
    return type(value) is list and all(rank is None or isinstance(rank, QuantileTransformer) for rank in value)


def is_matrix(value):
    """Whether a value is a float64 array with two axes."""
    return isinstance(value, np.ndarray) and value.dtype == np.float64 and value.ndim == 2


def check_preprocessor(preprocessor):
    """Refuse a preprocessor whose numbers of columns, scales and categories contradict each other."""
    check_component(preprocessor)
    numeric, categorical, spec = preprocessor._numeric, preprocessor._categorical, preprocessor.spec_
    n, n_numbers, n_codes = len(preprocessor.kinds_), len(numeric.parts), len(categorical.columns)
    require(preprocessor.n_features_in_ == n, "the numbers of kinds and of columns differ")
    lengths = {len(a) for a in (numeric.center, numeric.scale, preprocessor.center_, preprocessor.scale_)}
    require(lengths == {n_numbers}, "the numbers of scales and of numeric columns differ")
    require(len(numeric.ranks) in (0, n_numbers), "the numbers of ranks and of numeric columns differ")
    require((not numeric.ranks) == (preprocessor.scaling == "robust"), "its ranks contradict the parameter scaling")
    require({j for j, _ in numeric.parts} == numeric.kinds.keys(), "a number belongs to no column")
    columns = [*numeric.columns, *categorical.columns]
    require(max(columns, default=0) < n, "a column is missing")
    require(max(numeric.missing, default=-1) < n_numbers, "a number is missing")
    require(len(categorical.categories) == len(categorical.pooled) == n_codes, "categories belong to no column")
    require(len(categorical.types) in (0, n_codes) and len(categorical.rare) in (0, n_codes), "its categories differ")
    require(spec.shape == (n_numbers + n_codes,), "its samples have another shape")
    require(
        spec.categories == categorical.n_codes and spec.missing == numeric.missing, "its samples have other columns"
    )
    require(len(spec.edges) == n_numbers and all(len(row) == 33 for row in spec.edges), "edges of bins are missing")
    require(spec.clip is not None and len(spec.sources) in (0, len(columns)), "its samples differ")


def blank_row(preprocessor):
    """One row of X in which every value is missing."""
    return np.full((1, preprocessor.n_features_in_), None, dtype=object)


STORED = Stored(
    preprocessor=TablePreprocessor,
    fitted={
        "kinds_": is_tuple(is_word(("category", *DECODERS))),
        "center_": is_array(np.float64),
        "scale_": is_array(np.float64),
        "_numeric": is_one(NumberColumns),
        "_categorical": is_one(CategoryColumns),
    },
    classes={
        TableSpec: {
            "shape": IS_SHAPE,
            "missing": is_tuple(is_int()),
            "categories": is_tuple(is_int(2)),
            "sources": is_tuple(is_int()),
            "edges": is_tuple(is_tuple(is_finite)),
            "clip": lambda value: value is None or is_clip(value),
        },
        NumberColumns: {
            "kinds": is_kinds,
            "parts": is_tuple(is_part),
            "missing": is_tuple(is_int()),
            "center": is_array(np.float64),
            "scale": is_array(np.float64),
            "ranks": is_ranks,
            "clip": is_clip,
        },
        CategoryColumns: {
            "columns": is_tuple(is_int()),
            "categories": is_tuple(is_tuple(is_category)),
            "pooled": is_tuple(is_one(bool)),
            "types": is_tuple(is_one(str)),
            "rare": is_tuple(is_finite),
        },
        QuantileTransformer: {
            "quantiles_": is_matrix,
            "references_": is_array(np.float64),
            "n_quantiles_": is_int(1),
            "n_features_in_": is_int(1),
            "_sklearn_version": is_one(str),
        },
    },
    check=check_preprocessor,
    blank_row=blank_row,
)
