"""Digest values by what they hold and do, alike in every process; refuse values that this cannot tell apart."""

import collections
import copyreg
import dis
import functools
import hashlib
import pickle
import sys
import types
import weakref
from pathlib import Path

import numpy as np
import torch
from sklearn.base import BaseEstimator

SINGLETONS = (type(None), type(Ellipsis), type(NotImplemented))
DESCRIPTORS = (
    types.ClassMethodDescriptorType,
    types.GetSetDescriptorType,
    types.MemberDescriptorType,
    types.MethodDescriptorType,
    types.WrapperDescriptorType,
)
TORCH_NAMES = (torch.dtype, torch.device, torch.layout, torch.memory_format)
# Attributes that do not change what a class's objects do.
NOT_IN_CLASS = {
    *("__annotate__", "__annotate_func__", "__annotations__", "__annotations_cache__", "__conditional_annotations__"),
    *("__dict__", "__doc__", "__firstlineno__", "__module__", "__qualname__", "__static_attributes__", "__weakref__"),
    *("__dataclass_params__", "__match_args__", "__orig_bases__", "__parameters__", "__type_params__", "_abc_impl"),
}
GLOBALS, IMPORTS = ("LOAD_GLOBAL", "LOAD_NAME"), ("IMPORT_NAME",)
PACKAGE = __name__.partition(".")[0]


class IndistinctError(TypeError):
    """A value that cannot be told from others by what it holds."""


def digest(value):
    """Digest a value by its content.

    Functions count by their code, defaults, closures and the globals they refer to; objects by their class and state;
    modules of torch by all attributes, weights included, but not by their device. Functions and classes of installed
    libraries count by name.

    Parameters
    ----------
    value : object
        Anything made of numbers, strings, arrays, containers, functions, classes, modules and picklable objects.

    Returns
    -------
    digest : str
        Hexadecimal; equal in every process that runs the same version of Python.

    Raises
    ------
    IndistinctError
        If the value is or holds something whose content cannot be read, such as a lock, an open file or a generator.
    """
    try:
        return _Digester().of(value).hex()
    except RecursionError as error:
        raise IndistinctError("values that are nested too deeply") from error


def digest_blocks(blocks):
    """Digest an iterable of arrays or bytes, one after another, as if they were one array."""
    found = hashlib.sha256()
    for block in blocks:
        found.update(block if isinstance(block, bytes) else _as_bytes(block))
    return found.hexdigest()


def _as_bytes(array):
    return np.ascontiguousarray(array).reshape(-1).view(np.uint8)


def _combine(tag, *parts):
    found = hashlib.sha256(tag.encode())
    for part in parts:
        content = part.encode("utf-8", "surrogatepass") if isinstance(part, str) else part
        found.update(len(content).to_bytes(8, "little"))
        found.update(content)
    return found.digest()


class _Digester:
    """Visits a value and all that it holds; each object once, and cycles up to their beginning."""

    def __init__(self):
        self._done, self._open, self._kept = {}, {}, []

    def of(self, value):
        """Digest of one value, as bytes."""
        kind = type(value)
        if kind in (bool, int, float, complex):
            return _combine(kind.__name__, hex(value) if kind is int else repr(value))
        if kind in (str, bytes):
            return _combine(kind.__name__, value)
        if kind in SINGLETONS or isinstance(value, TORCH_NAMES):
            return _combine("name", str(value))
        place = id(value)
        if place in self._open:
            return _combine("cycle", str(len(self._open) - self._open[place]))
        if place not in self._done:
            self._open[place] = len(self._open)
            self._kept.append(value)  # so that no other object takes its place
            try:
                self._done[place] = self._visit(value)
            finally:
                del self._open[place]
        return self._done[place]

    def each(self, tag, values):
        """Digest of several values in their order."""
        return _combine(tag, *map(self.of, values))

    def attributes(self, attributes):
        """Digest of attributes by name, in any order."""
        return self.each("attributes", [part for item in sorted(attributes.items()) for part in item])

    def _visit(self, value):
        kind = type(value)
        if isinstance(value, np.generic) and value.dtype.kind in "biufcUS" and not isinstance(value, np.longdouble):
            return self.of(value.item())  # 3 and np.int64(3) are one parameter
        if kind in (np.ndarray, np.memmap) or isinstance(value, np.generic):
            return self._array(np.asarray(value))
        if isinstance(value, torch.Tensor) and value.layout is torch.strided:
            return self._tensor(value)
        if isinstance(value, torch.Generator):
            return self.each("generator", [value.get_state()])
        if kind in (list, tuple, torch.Size):
            return self.each("sequence", value)
        if kind in (dict, collections.OrderedDict, types.MappingProxyType):
            return self.each("dict", [part for item in value.items() for part in item])
        if kind in (set, frozenset):
            return _combine("set", *sorted(map(self.of, value)))
        if isinstance(value, BaseEstimator):  # fits clone components, which keeps nothing else
            return self.each("component", [kind, value.get_params(deep=False)])
        if isinstance(value, torch.jit.ScriptModule):
            parts = [(name, str(getattr(part, "code", ""))) for name, part in value.named_modules()]
            return self.each("script", [parts, dict(value.state_dict())])
        if kind.__name__ == "OptimizedModule" and hasattr(value, "_orig_mod"):
            return self.each("compiled", [value._orig_mod])
        if isinstance(value, torch.nn.Module):
            return _combine("module", self.of(kind), self.attributes(vars(value)))
        return self._code(value) if isinstance(value, CODE) else self._object(value)

    def _array(self, array):
        about = str(array.dtype), str(array.shape)
        if array.dtype.hasobject:
            return _combine("objects", *about, self.of(array.tolist()))
        return _combine("array", *about, digest_blocks([array]))

    def _tensor(self, tensor):
        about = str(tensor.dtype), str(tuple(tensor.shape)), str(tensor.requires_grad)
        if tensor.is_meta or torch.nn.parameter.is_lazy(tensor):
            return _combine("tensor without values", str(tensor.dtype))
        content = tensor.detach().cpu().resolve_conj().resolve_neg().contiguous().reshape(-1).view(torch.uint8)
        return _combine("tensor", *about, digest_blocks([content.numpy()]))

    def _code(self, value):
        """Digest of functions, classes and what they consist of."""
        if isinstance(value, types.ModuleType):
            return _combine("module", value.__name__)
        if isinstance(value, types.MethodType):
            return self.each("method", [value.__func__, value.__self__])
        if isinstance(value, (types.BuiltinFunctionType, types.MethodWrapperType)):
            return self.each("builtin", [value.__qualname__, value.__self__])
        if isinstance(value, DESCRIPTORS):
            return self.each("descriptor", [value.__objclass__, value.__name__])
        if isinstance(value, types.CellType):
            return self.each("cell", contents_of(value))
        if isinstance(value, types.CodeType):
            names = value.co_names, value.co_varnames, value.co_freevars, value.co_cellvars
            counts = value.co_argcount, value.co_kwonlyargcount, value.co_posonlyargcount, value.co_flags
            return self.each("code", [value.co_code, value.co_consts, value.co_exceptiontable, *names, *counts])
        if isinstance(value, (staticmethod, classmethod)):
            return self.each(type(value).__name__, [value.__func__])
        if isinstance(value, functools.cached_property):
            return self.each("property", [value.func])
        if isinstance(value, property):
            return self.each("property", [value.fget, value.fset, value.fdel])
        if isinstance(value, torch.jit.ScriptFunction):
            return self.each("script", [value.name, value.code])
        if isinstance(value, weakref.ref):
            return self.each("reference", [value()])
        if isinstance(value, functools._lru_cache_wrapper):
            return self.each("cached", [value.__wrapped__])
        name = f"{value.__module__}.{value.__qualname__}"
        if is_installed(value.__module__) and find_by_name(value.__module__, value.__qualname__) is value:
            return _combine("name", name)
        return self._class(value) if isinstance(value, type) else self._function(value)

    def _function(self, value):
        if "_torchdynamo_orig_callable" in vars(value):
            return self.each("compiled", [vars(value)["_torchdynamo_orig_callable"]])
        state = vars(value), value.__defaults__, value.__kwdefaults__, value.__closure__
        return self.each("function", [value.__code__, *state, find_globals(value.__code__, value.__globals__)])

    def _class(self, value):
        own = {name: part for name, part in vars(value).items() if name not in NOT_IN_CLASS}
        bases = self.each("bases", (type(value), *value.__bases__))
        return _combine("class", value.__qualname__, bases, self.attributes(own))

    def _object(self, value):
        """Digest of any other object by what a pickle of it would hold."""
        kind = type(value)
        try:
            reduce = copyreg.dispatch_table.get(kind)
            reduced = reduce(value) if reduce else value.__reduce_ex__(4)
        except Exception as error:
            raise IndistinctError(f"an object of type {kind.__module__}.{kind.__qualname__} ({error})") from error
        if isinstance(reduced, str):
            module = pickle.whichmodule(value, reduced)
            if find_by_name(module, reduced) is not value:
                raise IndistinctError(f"{value!r}, of type {kind.__module__}.{kind.__qualname__}")
            return _combine("global", module, reduced)
        make, arguments, state, items, pairs, *_ = *reduced, None, None, None, None
        state = self.attributes(state) if type(state) is dict and all(type(k) is str for k in state) else self.of(state)
        rest = [list(items or ()), [part for pair in pairs or () for part in pair]]
        return _combine("object", self.of(kind), self.of(make), self.of(arguments), state, *map(self.of, rest))


CODE = (
    *(types.ModuleType, types.MethodType, types.BuiltinFunctionType, types.MethodWrapperType, *DESCRIPTORS),
    *(
        types.CellType,
        types.CodeType,
        staticmethod,
        classmethod,
        functools.cached_property,
        property,
        torch.jit.ScriptFunction,
        weakref.ref,
    ),
    *(functools._lru_cache_wrapper, types.FunctionType, type),
)


def contents_of(cell):
    """Return what a closure's cell holds, as a list, which is empty for a name without a value yet."""
    try:
        return [cell.cell_contents]
    except ValueError:
        return []


def is_installed(module):
    """Whether a module belongs to Python, to this package or to an installed one, which counts by its name."""
    top = str(module).partition(".")[0]
    if top == PACKAGE or top in sys.builtin_module_names or top in sys.stdlib_module_names - {"__main__"}:
        return True
    path = getattr(sys.modules.get(top), "__file__", None)
    return path is not None and not {"site-packages", "dist-packages"}.isdisjoint(Path(path).parts)


def find_by_name(module, qualified_name):
    """Return what a name stands for in a module that was imported; None if it stands for nothing."""
    found = sys.modules.get(module)
    for name in qualified_name.split("."):
        found = getattr(found, name, None)
    return found


def find_globals(code, namespace):
    """Return the globals that code refers to, by name, with those attributes that it takes from modules.

    Modules of installed libraries count by name alone.
    """
    found = {}
    for instruction in dis.get_instructions(code):
        name = instruction.argval
        if instruction.opname in GLOBALS and name in namespace:
            found[name] = namespace[name]
        elif instruction.opname in IMPORTS and name in sys.modules:
            found[name] = sys.modules[name]
    for module in [part for part in found.values() if isinstance(part, types.ModuleType)]:
        if not is_installed(module.__name__):
            taken = [name for name in code.co_names if name in vars(module)]
            found |= {f"{module.__name__}.{name}": vars(module)[name] for name in taken}
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            found |= find_globals(constant, namespace)
    return dict(sorted(found.items()))
