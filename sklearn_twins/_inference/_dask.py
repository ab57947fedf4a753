"""Dask arrays and data frames: each block of rows is embedded when dask computes it."""

import copy
import sys

import numpy as np
from sklearn import get_config


def is_collection(X):
    """Whether X is a dask collection; False if dask is not imported."""
    dask = sys.modules.get("dask")
    return dask is not None and dask.is_dask_collection(X)


def transform_block(block, embedder, width, params):
    """Embed the rows of one block.  # (rows, ...) -> (rows, width), float32"""
    if len(block) == 0:  # a filter may leave partitions without rows
        return np.empty((0, width), dtype=np.float32)
    return embedder.transform(block, **params)


def transform_collection(embedder, X, width, **params):
    """Embed a dask collection lazily, block by block.

    Parameters
    ----------
    embedder : BarlowTwinsEmbedder
        Fitted. A later fit does not change what is computed.
    X : dask array of shape (n, ...), or dask data frame
        Arrays that are also chunked along other axes than rows are rechunked.
    width : int
        Number of columns of the output.
    **params : dict
        Further parameters of `transform`.

    Returns
    -------
    embedding : dask array of shape (n, width), float32
        Its blocks have the rows of X's blocks.

    Raises
    ------
    TypeError
        If `set_output` asks for a data frame.
    """
    import dask
    import dask.array as da

    wanted = getattr(embedder, "_sklearn_output_config", {}).get("transform", get_config()["transform_output"])
    if wanted != "default":
        raise TypeError(
            f"transform of a dask collection returns a dask array, and set_output(transform={wanted!r}) wants another "
            "container. For a dask frame give X.map_partitions(embedder.transform) the same embedder."
        )
    if isinstance(X, da.Array):
        X = X.rechunk({axis: -1 for axis in range(1, X.ndim)})
        parts, lengths = X.to_delayed().ravel(), X.chunks[0]
    else:
        parts = X.to_delayed()
        lengths = [np.nan] * len(parts)
    # Not map_blocks and map_partitions: at the oldest supported version of dask, the latter takes no delayed embedder,
    # and each task of the graph would hold a copy of it.
    transform, fitted = dask.delayed(transform_block, pure=True), dask.delayed(copy.copy(embedder), pure=True)
    blocks = [
        da.from_delayed(transform(part, fitted, width, params), (length, width), np.float32)
        for part, length in zip(parts, lengths, strict=True)
    ]
    return da.concatenate(blocks, allow_unknown_chunksizes=True)
