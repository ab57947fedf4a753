"""Groups of rows: what is accepted, and what is refused by name."""

import numpy as np
import pandas as pd
import pytest

from sklearn_twins._inputs._groups import encode_groups

X = np.zeros((4, 2))


@pytest.mark.parametrize(
    "groups",
    [
        ["b", "a", "b", "c"],
        [1, 0, 1, 5],
        np.array([1.5, 0.0, 1.5, 2.0]),
        np.array(["b", "a", "b", "c"]),
        pd.Series(["b", "a", "b", "c"], index=[3, 2, 1, 0]),
        pd.Series(pd.Categorical(["b", "a", "b", "c"])),
        pd.Series(pd.to_datetime(["2024-01-02", "2024-01-01", "2024-01-02", "2024-01-03"])),
        [(1, "x"), (1, "y"), (1, "x"), (2, "x")],
        ["b", 1, "b", 2.5],
    ],
    ids=lambda groups: type(groups).__name__,
)
def test_groups_of_any_type(groups):
    assert encode_groups(groups, X, unlabeled=np.zeros((2, 2))).tolist() == [0, 1, 0, 2, 3, 4]


@pytest.mark.parametrize("groups", ["client", 5, {"a", "b", "c", "d"}, {0: 1, 1: 1, 2: 1}, [[1], [1], [2], [3]]])
def test_what_holds_no_groups(groups):
    with pytest.raises(TypeError, match="groups must"):
        encode_groups(groups, X)


def test_row_labels_in_another_order_are_refused():
    """Other labels are none of groups' business: they may come from another table."""
    frame, groups = pd.DataFrame(X, index=[3, 1, 0, 2]), pd.Series([1, 1, 2, 3])
    with pytest.raises(ValueError, match=r"row labels of X in another order.*groups.loc\[X.index\]"):
        encode_groups(groups, frame)
    for labels in ([3, 1, 0, 2], [5, 6, 7, 8], [0, 0, 1, 1]):
        assert encode_groups(groups.set_axis(labels), frame).tolist() == [0, 0, 1, 2]


def test_no_groups():
    assert encode_groups(None, X) is None


@pytest.mark.parametrize(
    ("groups", "words"),
    [
        ([1, 1, 2], "groups has 3 values for 4 rows of X"),
        ([1, 1, np.nan, 2], "missing in 1 of 4 rows, the first of them row 2"),
        ([None, "a", "a", "b"], "the first of them row 0"),
        (pd.Series(pd.to_datetime(["2024", None, "2024", "2025"])), "the first of them row 1"),
        ([1, 2, 3, 4], "no row has a partner"),
        ([1, 1, 1, 1], "all rows into one group"),
        (np.zeros((4, 2)), "should be a 1d array"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_refused(groups, words):
    with pytest.raises(ValueError, match=words):
        encode_groups(groups, X)
