"""Digests: what differs in content or in what it does has another one; what is equal has the same, in any process."""

import collections
import dataclasses
import enum
import functools
import logging
import operator
import os
import subprocess
import sys
import threading
import types
import typing
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest
import scipy.special
import torch
from torch import nn

from sklearn_twins._runtime._digest import IndistinctError, digest, digest_blocks
from sklearn_twins.augmentations import Chain, GaussianNoise
from sklearn_twins.objectives import BarlowTwins

SETTINGS, LOCK = types.ModuleType("settings_of_a_user"), threading.Lock()
SCALE = 1.0


def closure(weight):
    return lambda a, b: weight * (a - b).square().mean()


def default(weight):
    def objective(a, b, weight=weight):
        return weight * (a - b).square().mean()

    return objective


def keyword_default(weight):
    def objective(a, b, *, weight=weight):
        return weight * (a - b).square().mean()

    return objective


def compiled(text, **names):
    """A function from source text, with globals of its own: what an edit of a file leaves."""
    namespace = {"torch": torch, "np": np, "__name__": "__main__", **names}
    exec(text, namespace)
    return namespace["f"]


class Weighted:
    """A callable object with state."""

    def __init__(self, weight):
        self.weight = weight

    def __call__(self, a, b):
        return self.weight * (a - b).square().mean()

    def method(self, a, b):
        return self(a, b)


@dataclasses.dataclass(frozen=True)
class Frozen:
    weight: float

    def __call__(self, a, b):
        return self.weight * (a - b).square().mean()


class Slotted:
    __slots__ = ("weight",)

    def __init__(self, weight):
        self.weight = weight


class Network(nn.Module):
    """A module with an attribute, and a buffer that is not in its state_dict."""

    def __init__(self, scale=1.0, buffer=0.0, weight=0.0):
        super().__init__()
        self.linear, self.scale = nn.Linear(2, 2), scale
        nn.init.constant_(self.linear.weight, weight)
        nn.init.zeros_(self.linear.bias)
        self.register_buffer("shift", torch.full((2,), buffer), persistent=False)

    def forward(self, x):
        return self.linear(x) * self.scale + self.shift


class Generic(typing.Generic[typing.TypeVar("T")]):
    def __init__(self, weight):
        self.weight = weight


def class_with(attribute):
    return type("C", (), {"attribute": attribute})


class Kind(enum.Enum):
    A = "a"
    B = "b"


def forward_of(text):
    """A class of modules whose forward is a source text."""
    return type("Network", (nn.Module,), {"forward": compiled(text)})()


def tampered(change):
    module = Network()
    change(module)
    return module


def looked_up(value):
    SETTINGS.weight = value
    found = digest(compiled("def f(a, b): return (a - b) * settings.weight", settings=SETTINGS))
    return found


DIFFERENT = {
    "closure": lambda: map(closure, (0.1, 10)),
    "default": lambda: map(default, (0.1, 10)),
    "keyword default": lambda: map(keyword_default, (0.1, 10)),
    "edited lambda": lambda: (lambda a, b: a + b, lambda a, b: a - b),
    "edited constant": lambda: (lambda a, b: a + 1, lambda a, b: a + 2),
    "edited name": lambda: (lambda a, b: a.sum(), lambda a, b: a.mean()),
    "edited body": lambda: (
        compiled("def f(a): return a if a > 0 else 1"),
        compiled("def f(a): return a if a < 0 else 1"),
    ),
    "edited inner function": lambda: (lambda a: [x + 1 for x in a], lambda a: [x + 2 for x in a]),
    "global": lambda: (compiled("def f(a): return a * S", S=1), compiled("def f(a): return a * S", S=2)),
    "global function": lambda: (
        compiled("def g(a): return a\ndef f(a): return g(a)"),
        compiled("def g(a): return -a\ndef f(a): return g(a)"),
    ),
    "global of an inner function": lambda: (
        compiled("def f(a): return (lambda: a * S)()", S=1),
        compiled("def f(a): return (lambda: a * S)()", S=2),
    ),
    "module's function": lambda: (torch.relu, torch.tanh),
    "partial": lambda: (functools.partial(torch.optim.SGD, momentum=m) for m in (0.9, 0.0)),
    "partial's argument": lambda: (functools.partial(operator.mul, m) for m in (1, 2)),
    "partial of partial": lambda: (functools.partial(functools.partial(max, 1), m) for m in (1, 2)),
    "object": lambda: map(Weighted, (0.1, 10)),
    "frozen dataclass": lambda: map(Frozen, (0.1, 10)),
    "slots": lambda: map(Slotted, (0.1, 10)),
    "bound method": lambda: (Weighted(w).method for w in (0.1, 10)),
    "attribute of a function": lambda: (with_attribute(w) for w in (0.1, 10)),
    "cached function": lambda: (functools.lru_cache(closure(w)) for w in (0.1, 10)),
    "wrapped function": lambda: (torch.no_grad()(closure(w)) for w in (0.1, 10)),
    "itemgetter": lambda: map(operator.itemgetter, (0, 1)),
    "vectorized": lambda: (np.vectorize(closure(w)) for w in (0.1, 10)),
    "ufunc": lambda: (scipy.special.expit, scipy.special.logit),
    "class": lambda: (torch.optim.SGD, torch.optim.Adam),
    "class of one's own": lambda: (type("C", (), {"weight": w}) for w in (0.1, 10)),
    "module's attribute": lambda: map(Network, (1.0, 2.0)),
    "module's buffer": lambda: (Network(buffer=b) for b in (0.0, 1.0)),
    "module's weight": lambda: (Network(weight=w) for w in (0.0, 1.0)),
    "module's forward": lambda: map(forward_of, ("def f(self, x): return x", "def f(self, x): return -x")),
    "frozen weight": lambda: (Network(), tampered(lambda module: module.linear.requires_grad_(False))),
    "module's mode": lambda: (Network(), Network().eval()),
    "forward hook": lambda: (Network(), tampered(lambda module: module.register_forward_hook(lambda *_: None))),
    "order of layers": lambda: (nn.Sequential(nn.ReLU(), nn.Tanh()), nn.Sequential(nn.Tanh(), nn.ReLU())),
    "activation": lambda: (nn.Sequential(nn.ReLU()), nn.Sequential(nn.GELU())),
    "shared weights": lambda: (nn.Dropout(0.1), nn.Dropout(0.2)),
    "module in a list": lambda: ([1, Network(m)] for m in (1.0, 2.0)),
    "compiled function": lambda: (torch.compile(closure(w)) for w in (0.1, 10)),
    "compiled module": lambda: (torch.compile(Network(scale)) for scale in (1.0, 2.0)),
    "property": lambda: (class_with(property(f)) for f in (lambda self: 1, lambda self: 2)),
    "cached property": lambda: (class_with(functools.cached_property(f)) for f in (lambda self: 1, lambda self: 2)),
    "static method": lambda: (class_with(staticmethod(f)) for f in (lambda: 1, lambda: 2)),
    "class attribute of an object": lambda: (class_with(w)() for w in (0.1, 10)),
    "generic class": lambda: map(Generic, (0.1, 10)),
    "method set on an object": lambda: (Network(), tampered(lambda module: setattr(module, "forward", closure(1)))),
    "global list": lambda: (compiled("def f(a): return a * S[0]", S=[s]) for s in (1, 2)),
    "array in a closure": lambda: (closure(np.full(3, w)) for w in (0.1, 10)),
    "tensor in a closure": lambda: (closure(torch.full((3,), w)) for w in (0.1, 10)),
    "frame in a closure": lambda: (closure(pd.DataFrame({"a": [w]})) for w in (0.1, 10)),
    "component": lambda: map(BarlowTwins, (0.1, 10)),
    "callable in a component": lambda: (Chain([("a", GaussianNoise()), ("b", closure(w))]) for w in (0.1, 10)),
    "array": lambda: (np.zeros(3), np.ones(3)),
    "array's type": lambda: (np.zeros(3), np.zeros(3, dtype=np.float32)),
    "array's shape": lambda: (np.zeros((2, 3)), np.zeros((3, 2))),
    "array of objects": lambda: (np.array(["a", None]), np.array(["b", None])),
    "RandomState": lambda: map(np.random.RandomState, (0, 1)),
    "Generator": lambda: map(np.random.default_rng, (0, 1)),
    "torch's generator": lambda: (torch.Generator().manual_seed(s) for s in (0, 1)),
    "bfloat16": lambda: (torch.full((2,), v, dtype=torch.bfloat16) for v in (0.0, 1.0)),
    "sparse tensor": lambda: (torch.eye(2).to_sparse(), 2 * torch.eye(2).to_sparse()),
    "index": lambda: (pd.Index(["a", "b"]), pd.Index(["a", "c"])),
    "string and number": lambda: ("1", 1),
    "bool and number": lambda: (True, 1),
    "zeros": lambda: (0.0, -0.0),
    "nested": lambda: ([[1], 2], [[1, 2]]),
    "default factory": lambda: (collections.defaultdict(f) for f in (int, list)),
    "enum": lambda: (Kind.A, Kind.B),
    "decimal": lambda: map(Decimal, ("1", "1.0")),
}
EQUAL = {
    "closure": lambda: (closure(0.1), closure(0.1)),
    "object": lambda: (Weighted(0.1), Weighted(0.1)),
    "module": lambda: (Network(), Network()),
    "NumPy's numbers": lambda: ([3, 0.5, True, "a"], [np.int64(3), np.float64(0.5), np.bool_(True), np.str_("a")]),
    "list and tuple": lambda: ([1, 2], (1, 2)),
    "set": lambda: ({"a", "b", "c"}, {"c", "b", "a"}),
    "order of attributes": lambda: (types.SimpleNamespace(a=1, b=2), types.SimpleNamespace(b=2, a=1)),
    "shared or not": lambda: ((lambda part: [part, part])([1]), [[1], [1]]),
    "where it stands": lambda: (compiled("def f(a): return a"), compiled("\n\n\ndef f(a):\n    return a")),
    "layout": lambda: (np.ones((2, 3)).T, np.ones((3, 2))),
}


def with_attribute(weight):
    objective = closure(0.1)
    objective.weight = weight
    return objective


def locked(a, b):
    with LOCK:
        return a - b


@pytest.mark.filterwarnings("ignore:.*torch.jit.script_method:DeprecationWarning")  # as torch.compile is imported
@pytest.mark.parametrize(
    "kind", [pytest.param(kind, marks=pytest.mark.slow if "compiled" in kind else ()) for kind in DIFFERENT]
)
def test_what_differs(kind):
    first, second = DIFFERENT[kind]()
    assert digest(first) != digest(second)


@pytest.mark.parametrize("kind", EQUAL)
def test_what_is_equal(kind):
    first, second = EQUAL[kind]()
    assert digest(first) == digest(second)


def test_what_a_function_takes_from_a_user_s_module():
    assert looked_up(1) != looked_up(2) and looked_up(1) == looked_up(1)


@pytest.mark.parametrize(
    ("make", "what"),
    [
        (lambda: locked, "_thread.lock"),
        (lambda: functools.partial(max, LOCK), "_thread.lock"),
        (lambda: (x for x in ()), "builtins.generator"),
        (lambda: [sys.__stderr__], "_io.TextIOWrapper"),
        (lambda: np.frompyfunc(lambda x: x, 1, 1), "numpy.ufunc"),
        (lambda: tampered(lambda module: setattr(module, "lock", LOCK)), "_thread.lock"),
        (lambda: functools.reduce(lambda inner, _: [inner], range(10_000), 0), "nested too deeply"),
    ],
)
def test_what_cannot_be_told_apart_is_refused(make, what):
    with pytest.raises(IndistinctError, match=what):
        digest(make())


def test_cycles_end():
    first, second = [1], [2]
    first.append(first), second.append(second)
    assert digest(first) != digest(second)
    parent = nn.Sequential(nn.Linear(1, 1))
    parent.owner = [parent]
    assert digest(parent) == digest(parent)


def test_loggers_count_by_name():
    assert digest(logging.getLogger("a")) != digest(logging.getLogger("b"))


def test_blocks_are_one_array():
    X = np.arange(12.0).reshape(4, 3)
    assert digest_blocks([X]) == digest_blocks([X[:1], X[1:]]) != digest_blocks([X[::-1]])


EVERYWHERE = """
import sys
sys.path.insert(0, sys.argv[1])
import test_digest as t
torch, parts = t.torch, []
for kind, make in t.DIFFERENT.items():
    parts.append((kind, [t.digest(value) for value in make()]))
print(t.digest(parts))
"""


@pytest.mark.slow
def test_the_same_in_every_process():
    found = {
        subprocess.run(
            [sys.executable, "-c", EVERYWHERE, os.path.dirname(__file__)],
            capture_output=True,
            text=True,
            check=True,
            env={**os.environ, "PYTHONHASHSEED": seed},
        ).stdout
        for seed in ("1", "2")
    }
    assert len(found) == 1
