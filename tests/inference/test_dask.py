"""Arrays and frames of dask: embedded in blocks, when they are computed, to the bits of an array."""

import warnings

import numpy as np
import pandas as pd
import pytest
from builders import pixels
from numpy.testing import assert_array_equal
from sklearn import config_context
from sklearn.exceptions import NotFittedError

pytest.importorskip("dask.dataframe")
import dask
import dask.array as da
import dask.dataframe as dd

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def here():
    """No threads of dask's: they would outlive the tests."""
    with dask.config.set(scheduler="synchronous"):
        yield


@pytest.mark.parametrize("chunks", [(60, 5), (17, 5), (17, 2), (1, 5)])
def test_array(make, X, chunks):
    embedder = make().fit(X)
    found = embedder.transform(da.from_array(X, chunks=chunks))
    assert isinstance(found, da.Array) and found.dtype == np.float32
    assert found.shape == (60, len(embedder.get_feature_names_out())) and found.chunks[0][0] == chunks[0]
    assert_array_equal(found.compute(), embedder.transform(X))
    assert_array_equal(found[:3].compute(), embedder.transform(X[:3]))


def test_nothing_is_computed_before_it_is_asked_for(make, X):
    embedder, seen = make().fit(X), []

    def noted(block):
        seen.append(len(block))
        return block

    found = embedder.transform(da.from_array(X, chunks=(20, 5)).map_blocks(noted, meta=X[:0]))
    assert seen == []
    found[25:30].compute()
    assert seen == [20]


def test_frame(make, X):
    """Categories and missing values among them; a partition without rows; another index than the rows' numbers."""
    frame = pd.DataFrame(X, columns=list("abcde"), index=np.arange(60) * 2)
    frame["kind"] = pd.Categorical(np.where(X[:, 0] > 0, "x", "y"))
    frame.loc[4, "a"] = np.nan
    embedder = make().fit(frame)
    assert_array_equal(embedder.transform(dd.from_pandas(frame, npartitions=3)).compute(), embedder.transform(frame))
    whole = dd.from_pandas(frame.assign(place=np.arange(60)), npartitions=3)
    some = whole[whole["place"] >= 20].drop(columns="place")
    assert len(some.partitions[0].compute()) == 0
    assert_array_equal(embedder.transform(some).compute(), embedder.transform(some.compute()))
    as_frames = some.map_partitions(embedder.set_output(transform="pandas").transform).compute()
    pd.testing.assert_frame_equal(as_frames, embedder.transform(some.compute()))


def test_partitions_become_frames(make, X):
    frame = pd.DataFrame(X, columns=list("abcde"))
    embedder = make().fit(frame).set_output(transform="pandas")
    whole = dd.from_pandas(frame, npartitions=3)
    with pytest.raises(TypeError, match=r"transform='pandas'.*map_partitions\(embedder\.transform\)"):
        embedder.transform(whole)
    with config_context(transform_output="polars"), pytest.raises(TypeError, match="polars"):
        make().fit(X).transform(da.from_array(X))
    meta = embedder.transform(frame[:1])[:0]
    pd.testing.assert_frame_equal(
        whole.map_partitions(embedder.transform, meta=meta).compute(), embedder.transform(frame)
    )


def test_images(make):
    X = pixels(20, 8, 8, 3)
    embedder = make(modality="image", encoder="convnet", max_epochs=1).fit(X)
    found = embedder.transform(da.from_array(X, chunks=(6, 4, 8, 3)))
    assert_array_equal(found.compute(), embedder.transform(X))


def test_a_later_fit_changes_nothing(make, X):
    embedder = make().fit(X)
    wanted, found = embedder.transform(X), embedder.transform(da.from_array(X, chunks=(20, 5)))
    embedder.set_params(random_state=1).fit(X)
    assert_array_equal(found.compute(), wanted)


def test_threads_and_processes_share_the_work(make, X):
    embedder = make().fit(X)
    found = embedder.transform(da.from_array(X, chunks=(20, 5)))
    assert_array_equal(found.compute(scheduler="threads", num_workers=2), embedder.transform(X))


def test_what_is_wrong_is_said(make, X):
    whole = dd.from_pandas(pd.DataFrame(X, columns=list("abcde")), npartitions=2)
    with pytest.raises(NotFittedError):
        make().transform(whole)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(TypeError, match=r"dask data frame.*X\.compute\(\)"):
            make().fit(whole)
    embedder = make().fit(X)
    with pytest.raises(ValueError, match="4 features"):
        embedder.transform(da.from_array(X[:, :4], chunks=(20, 4))).compute()


def test_fit_takes_arrays(make, X):
    """It needs all rows at once, and gets them."""
    assert_array_equal(make().fit(da.from_array(X, chunks=(20, 5))).transform(X), make().fit(X).transform(X))


def test_a_stream_of_partitions(make, X):
    embedder, wanted = make(), make()
    for block in da.from_array(X, chunks=(30, 5)).blocks:
        embedder.partial_fit(block)
    for block in (X[:30], X[30:]):
        wanted.partial_fit(block)
    assert_array_equal(embedder.transform(X), wanted.transform(X))
