"""Collections of dask: arrays and frames in blocks of rows, each embedded when it is asked for."""

import copy
import sys

import numpy as np
from sklearn import get_config


def is_collection(X):
    """Whether X is one of dask's collections; who has not imported dask has none."""
    dask = sys.modules.get("dask")
    return dask is not None and dask.is_dask_collection(X)


def embed_block(embedder, block):
    """The rows of one block.  # (rows, ...) -> (rows, n_features_out), float32"""
    if len(block) == 0:  # as a partition is of which a filter has left nothing
        return np.empty((0, embedder._n_features_out), dtype=np.float32)
    return embedder.transform(block)


def transform_blocks(embedder, X):
    """Embed a collection block by block, wherever and whenever dask computes it.

    Parameters
    ----------
    embedder : BarlowTwinsEmbedder
        Fitted. A later fit does not change what is computed.
    X : dask array of shape (n, ...), or dask frame
        Blocks are of rows: an array that is cut along other axes is put together along these.

    Returns
    -------
    embedding : dask array of shape (n, n_features_out), float32
        In the blocks of X.

    Raises
    ------
    TypeError
        If a frame is wanted for output.
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
        lengths, parts = X.chunks[0], X.to_delayed().ravel()
    else:
        parts = X.to_delayed()
        lengths = [np.nan] * len(parts)
    embed = dask.delayed(embed_block, pure=True)
    fitted = dask.delayed(copy.copy(embedder), pure=True)
    width = embedder._n_features_out
    blocks = [
        da.from_delayed(embed(fitted, part), (length, width), np.float32)
        for part, length in zip(parts, lengths, strict=True)
    ]
    return da.concatenate(blocks, allow_unknown_chunksizes=True)
