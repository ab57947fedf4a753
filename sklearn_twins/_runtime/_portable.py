"""Arrays in the place of tensors in pickles of users' modules: such pickles need no GPU, and equal ones hash alike."""

import copy
import pickle
import types

import numpy as np
import torch


def make_portable(values):
    """Replace values that hold tensors by `Portable` ones.

    pickle stores a tensor under its place in memory, so that joblib would take two equal modules for different ones.

    Parameters
    ----------
    values : dict
        Anything. Values that cannot be pickled or copied stay as they are.

    Returns
    -------
    values : dict
    """
    memo, storages, portable = {}, {}, {}
    for name, value in values.items():
        try:
            found = find_tensors(value)
            if found:
                memo |= {id(t): StoredTensor(t, storages) for t in found if id(t) not in memo and is_plain(t)}
                portable[name] = Portable(value, copy.deepcopy(value, memo))
        except Exception:  # whoever pickles it learns why that cannot be
            continue
    return {**values, **portable}


def unwrap(values):
    """Undo `make_portable` for values that were not pickled."""
    return {name: value.original if isinstance(value, Portable) else value for name, value in values.items()}


class Portable:
    """A value that pickles with arrays in the place of tensors, and comes back as the value itself.

    Parameters
    ----------
    original : object
        The value.
    stored : object
        A copy of it that holds `StoredTensor` objects.
    """

    def __init__(self, original, stored):
        self.original, self.stored = original, stored

    def __repr__(self):
        return repr(self.original)

    def __reduce__(self):
        return get_itself, (self.stored,)

    def __getstate__(self):
        raise TypeError(f"{self.original!r} can be stored by pickle and joblib only.")


class StoredTensor:
    """Stands for a tensor in a pickle.

    Parameters
    ----------
    tensor : torch.Tensor
        The tensor.
    storages : dict
        Storages of all tensors so far, which tensors may share; its own one is added.
    """

    def __init__(self, tensor, storages):
        storage = tensor.untyped_storage()
        self.storage = storages.setdefault(storage._cdata, StoredBytes(storage))
        self.layout = tensor.storage_offset(), tuple(tensor.shape), tensor.stride()
        self.dtype = str(tensor.dtype).removeprefix("torch.")
        self.requires_grad = tensor.requires_grad
        self.is_parameter, self.attributes = type(tensor) is torch.nn.Parameter, dict(vars(tensor))

    def __reduce__(self):
        about = self.dtype, self.layout, self.requires_grad, self.is_parameter, self.attributes
        return make_tensor, (self.storage, *about)


class StoredBytes:
    """Stands for a tensor's memory in a pickle."""

    def __init__(self, storage):
        self.array = torch.empty(0, dtype=torch.uint8).set_(storage.cpu()).numpy()

    def __reduce__(self):
        return make_storage, (self.array,)


class TensorFinder(pickle.Pickler):
    """A pickler that writes nothing, and collects the tensors that it meets; functions and classes are left out."""

    def __init__(self):
        super().__init__(types.SimpleNamespace(write=len), protocol=5, buffer_callback=lambda buffer: None)
        self.found = {}

    def persistent_id(self, value):
        """Collect a tensor."""
        if isinstance(value, torch.Tensor):
            self.found[id(value)] = value
            return id(value)
        return "code" if isinstance(value, (type, types.FunctionType)) else None


def find_tensors(value):
    """Return all tensors that a pickle of a value would hold."""
    if value is None or isinstance(value, (str, int, float)):
        return []
    finder = TensorFinder()
    finder.dump(value)
    return list(finder.found.values())


def is_plain(tensor):
    """Whether a tensor is made of its storage's numbers alone."""
    is_dense = tensor.layout is torch.strided and not (tensor.is_quantized or tensor.is_meta or tensor.is_conj())
    return is_dense and type(tensor) in (torch.Tensor, torch.nn.Parameter) and tensor.is_leaf


def get_itself(value):
    """Return the value."""
    return value


def make_storage(array):
    """Make a storage of bytes."""
    return torch.from_numpy(np.array(array)).untyped_storage()


def make_tensor(storage, dtype, layout, requires_grad, is_parameter, attributes):
    """Make a tensor on the CPU; the arguments are those of `StoredTensor.__reduce__`."""
    tensor = torch.empty(0, dtype=getattr(torch, dtype), device="cpu").set_(storage, *layout)
    tensor = torch.nn.Parameter(tensor, requires_grad) if is_parameter else tensor.requires_grad_(requires_grad)
    tensor.__dict__.update(attributes)
    return tensor
