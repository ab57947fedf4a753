"""Convert nested tensors to NumPy arrays and back: state that depends on no device, and can be pickled and hashed."""

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
    """Copy and detach all tensors, each on its device."""
    return map_tensors(tree, lambda leaf: leaf.detach().clone() if isinstance(leaf, torch.Tensor) else leaf)


def to_arrays(tree):
    """Copy all tensors into NumPy arrays."""
    return map_tensors(
        tree, lambda leaf: leaf.detach().cpu().numpy().copy() if isinstance(leaf, torch.Tensor) else leaf
    )


def to_tensors(tree):
    """Copy all NumPy arrays into tensors on the CPU."""
    return map_tensors(tree, lambda leaf: torch.from_numpy(np.array(leaf)) if isinstance(leaf, np.ndarray) else leaf)
