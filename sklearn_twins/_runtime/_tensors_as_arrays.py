"""Nested tensors as NumPy arrays and back: state that is free of devices, safe to pickle and to hash."""

import numpy as np
import torch


def map_tensors(tree, convert):
    """Apply `convert` to every leaf of nested dicts, lists and tuples."""
    if isinstance(tree, dict):
        return {key: map_tensors(value, convert) for key, value in tree.items()}
    if isinstance(tree, (list, tuple)):
        return type(tree)(map_tensors(value, convert) for value in tree)
    return convert(tree)


def copy_tensors(tree):
    """Detached copies of all tensors, where they are."""
    return map_tensors(tree, lambda leaf: leaf.detach().clone() if isinstance(leaf, torch.Tensor) else leaf)


def to_arrays(tree):
    """Tensors -> NumPy arrays of their own."""
    return map_tensors(
        tree, lambda leaf: leaf.detach().cpu().numpy().copy() if isinstance(leaf, torch.Tensor) else leaf
    )


def to_tensors(tree):
    """NumPy arrays -> tensors of their own, on the CPU."""
    return map_tensors(tree, lambda leaf: torch.from_numpy(np.array(leaf)) if isinstance(leaf, np.ndarray) else leaf)
