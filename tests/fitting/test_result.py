"""Fitted attributes: a fit leaves its own, and none of an earlier one."""

import pandas as pd
from builders import small_embedder, small_table


def test_a_refit_leaves_nothing_of_the_fit_before():
    """Names of columns, and what a warm start or a stream would go on from."""
    X = small_table()
    embedder = small_embedder(warm_start=True).fit(pd.DataFrame(X).add_prefix("column_"))
    assert {"feature_names_in_", "_training_state"} <= vars(embedder).keys()
    embedder.set_params(warm_start=False).fit(X)
    assert vars(embedder).keys() == vars(small_embedder().fit(X)).keys()
