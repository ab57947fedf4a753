"""What the fitted state of a table's preprocessor holds in a file."""

from .._parts._stored_state import check_component, is_int, require
from ._category_keys import KINDS as CATEGORY_KINDS


def is_category(value):
    """Whether something stands for a category: see `to_plain`."""
    return type(value) in (str, float, int, bool, tuple, *CATEGORY_KINDS)


def is_part(value):
    """Whether something is a column of X and a part of a date."""
    return type(value) is tuple and len(value) == 2 and is_int()(value[0]) and isinstance(value[1], str)


def check_table(preprocessor):
    """Refuse a table's preprocessor whose columns and scales are not as many as each other."""
    check_component(preprocessor)
    numeric, categorical, spec = preprocessor._numeric, preprocessor._categorical, preprocessor.spec_
    n, n_numbers, n_codes = len(preprocessor.kinds_), len(numeric.parts), len(categorical.columns)
    require(preprocessor.n_features_in_ == n, "there are not as many kinds as columns")
    lengths = {len(a) for a in (numeric.center, numeric.scale, preprocessor.center_, preprocessor.scale_)}
    require(lengths == {n_numbers}, "there are not as many scales as numbers")
    require(len(numeric.ranks) in (0, n_numbers) and (not numeric.ranks) == (preprocessor.scaling == "robust"), "ranks")
    require({j for j, _ in numeric.parts} == numeric.kinds.keys(), "a number is of no column")
    columns = [*numeric.columns, *categorical.columns]
    require(max(columns, default=0) < n, "a column is not there")
    require(max(numeric.missing, default=-1) < n_numbers, "a number is not there")
    require(len(categorical.categories) == len(categorical.pooled) == n_codes, "categories are of no column")
    require(spec.shape == (n_numbers + n_codes,) and not spec.mean and not spec.std, "samples have another shape")
    require(spec.categories == categorical.n_codes and spec.missing == numeric.missing, "samples are of other columns")
    require(len(spec.edges) == n_numbers and all(len(row) == 33 for row in spec.edges), "edges are not of each number")
    require(spec.clip is not None and len(spec.sources) in (0, len(columns)), "samples are of other columns")
