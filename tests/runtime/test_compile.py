"""`compile=True`: the same views and as good a fit, compiled once a process, and a kind error where it cannot be."""

import copy
import os
import pickle
import subprocess
import sys
from functools import partial

import joblib
import numpy as np
import pytest
import torch
from builders import seeded, small_embedder
from sklearn.base import clone

from sklearn_twins import BarlowTwinsEmbedder
from sklearn_twins._parts._augmentation import bind, compiled_by
from sklearn_twins._runtime import _compile as _compiling
from sklearn_twins._runtime._compile import OWN_LIMIT, check_compiler, compile_function, compile_module
from sklearn_twins.augmentations import (
    Chain,
    ColorJitter,
    GaussianNoise,
    HorizontalFlip,
    ImageViews,
    barlow_twins_pair,
    make_views,
)
from sklearn_twins.networks import ConvNetEncoder
from sklearn_twins.preprocessing import ImageSpec

CPU = torch.device("cpu")
pytestmark = pytest.mark.usefixtures("one_thread")


def can_compile():
    try:
        check_compiler(CPU)
    except ValueError:
        return False
    return True


@pytest.fixture
def needs_compiler():
    """Skips where torch.compile cannot work. Asked for by each test that compiles, so that others do not pay."""
    if not can_compile():
        pytest.skip("no C++ compiler that torch can use")


def compiles(test):
    """Marks a test that compiles, which takes seconds."""
    return pytest.mark.slow(pytest.mark.usefixtures("needs_compiler")(test))


def n_compiled():
    """Graphs that torch has compiled in this process."""
    from torch._dynamo.utils import counters

    return counters["stats"]["unique_graphs"]


def pixels(n=60, side=8, channels=3):
    shape = (n, side, side, channels) if channels else (n, side, side)
    return np.random.default_rng(0).integers(0, 256, size=shape, dtype=np.uint8)


def small(**params):
    defaults = {"modality": "image", "encoder": ConvNetEncoder(widths=(4, 8)), "compile": True}
    return small_embedder(**{**defaults, **params})


@compiles
@pytest.mark.parametrize(
    ("augmentation", "shape"),
    [
        (ImageViews(), (3, 16, 12)),
        (ImageViews(), (3, 64, 64)),  # with blur between the colours
        (ImageViews(), (1, 16, 12)),
        (barlow_twins_pair(), (4, 16, 12)),
        (Chain([("jitter", ColorJitter()), ("noise", GaussianNoise()), ("flip", HorizontalFlip())]), (2, 9, 8)),
    ],
    ids=["colours", "blur", "grey", "pair and opacity", "chain"],
)
def test_views_are_those_that_are_not_compiled(augmentation, shape):
    x = torch.randint(0, 256, (30, *shape), dtype=torch.uint8, generator=seeded(1))
    plain = bind(augmentation, ImageSpec(shape), CPU)
    ours = compiled_by(plain, compile_function)
    for generators in ((seeded(), seeded()), (seeded(7), seeded(7))):
        before = n_compiled()
        views, expected = (make_views(a, x, x, g) for a, g in zip((ours, plain), generators, strict=True))
        for view, wanted in zip(views, expected, strict=True):
            assert view.dtype == wanted.dtype and torch.allclose(view, wanted, atol=1e-5)
        assert torch.equal(*(torch.rand(3, generator=g) for g in generators)), "as many numbers are drawn"
    assert n_compiled() == before, "the second batch compiles nothing"


@compiles
def test_a_fit_compiles_once_a_process():
    X = pixels()
    before = n_compiled()
    first = small(max_epochs=1).fit(X)
    after_one = n_compiled()
    assert after_one > before
    second = small(max_epochs=5).fit(X)
    clone(second).set_params(random_state=1).fit(X)
    assert n_compiled() == after_one, "neither more epochs nor more fits"
    assert first.history_["loss"].shape == (1,) and np.isfinite(second.transform(X)).all()


@compiles
def test_validation_costs_one_compilation_more_of_each_function():
    X = pixels()
    small(encoder=ConvNetEncoder(widths=(4, 6))).fit(X[:48])
    before = n_compiled()
    small(encoder=ConvNetEncoder(widths=(4, 6)), early_stopping=True).fit(X[:53])  # 48 rows in batches of 16, and 5
    cost = n_compiled() - before
    small(encoder=ConvNetEncoder(widths=(4, 6)), early_stopping=True, max_epochs=4).fit(X[:53])
    assert cost <= 2 and n_compiled() == before + cost


@compiles
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_same_seed_same_bits_and_near_the_plain_fit(precision):
    X = pixels()
    params = {"precision": precision, "encoder": ConvNetEncoder(widths=(4, 5))}
    one, two, plain = (small(compile=c, **params).fit(X) for c in (True, True, False))
    assert np.array_equal(one.transform(X), two.transform(X))
    assert one.history_["loss"].tolist() == two.history_["loss"].tolist()
    tolerance = 1e-3 if precision == "float32" else 0.05
    assert np.allclose(one.history_["loss"], plain.history_["loss"], rtol=tolerance)


@compiles
def test_ambient_state_does_not_matter_and_is_left():
    X = pixels()
    expected = small().fit(X).transform(X)
    config = torch._dynamo.config
    before = (config.recompile_limit, config.suppress_errors, torch.get_num_threads(), torch.get_rng_state())
    with torch.no_grad(), torch.autocast("cpu", dtype=torch.bfloat16):
        found = small().fit(X)
        assert torch.is_autocast_enabled("cpu") and not torch.is_grad_enabled()
    assert np.array_equal(found.transform(X), expected)
    after = (config.recompile_limit, config.suppress_errors, torch.get_num_threads(), torch.get_rng_state())
    assert before[:3] == after[:3] and torch.equal(before[3], after[3])


@compiles
def test_fitted_embedder_holds_nothing_compiled(fingerprint):
    X = pixels()
    embedder = small(warm_start=True).fit(X)
    assert not any("compile" in type(module).__module__ for module in embedder.encoder_.modules())
    for other in (pickle.loads(pickle.dumps(embedder)), copy.deepcopy(embedder)):
        assert fingerprint(other) == fingerprint(embedder)
        assert np.array_equal(other.transform(X), embedder.transform(X))
        assert other.set_params(max_epochs=3).fit(X).n_iter_ == 3
    assert clone(embedder).compile is True
    assert embedder.partial_fit(X).n_iter_ == 3


@compiles
def test_a_worker_process():
    X = pixels()
    expected = small().fit(X).transform(X)
    (found,) = joblib.Parallel(n_jobs=2)([joblib.delayed(small().fit)(X)])
    assert np.array_equal(found.transform(X), expected)


@compiles
@pytest.mark.skipif(not OWN_LIMIT, reason="this release of torch has one limit for all constants")
def test_many_constants_do_not_use_up_torchs_limit():
    """torch compiles a function eight times, then no more."""
    x = torch.ones(4)
    before = n_compiled()
    assert [compile_function(shifted, by)(x)[0].item() for by in range(9)] == [1.0 + by for by in range(9)]
    assert n_compiled() == before + 9
    assert compile_function(shifted, 3).func is compile_function(shifted, 3).func


def shifted(by, x):
    return x + by


@pytest.mark.slow
def test_modules_of_the_same_layers_share_a_function():
    one, two, other = torch.nn.Linear(2, 3), torch.nn.Linear(2, 3), torch.nn.Linear(2, 4)
    functions = [compile_module(module).func for module in (one, two, other)]
    assert functions[0] is functions[1] and functions[0] is not functions[2]


def test_tables_on_a_cpu_gain_nothing_and_compile_nothing(make, X, monkeypatch):
    monkeypatch.setattr(torch, "compile", None)
    plain, asked = make(device="cpu").fit(X), make(device="cpu", compile=True).fit(X)
    assert np.array_equal(plain.transform(X), asked.transform(X))


def test_failure_is_found_before_training(monkeypatch):
    def fail(*args, **kwargs):
        raise RuntimeError("no compiler was found\nand more")

    monkeypatch.setattr(_compiling, "compile_function", lambda function: partial(fail, function))
    check_compiler.cache_clear()
    monkeypatch.setattr(BarlowTwinsEmbedder, "_store", fail)
    with pytest.raises(ValueError, match=r"compile=True cannot be used here.*no compiler was found\).*compile=False"):
        small(device="cpu").fit(pixels())
    check_compiler.cache_clear()


@pytest.mark.slow
def test_no_compiler(tmp_path):
    """With a compiler that does not exist, and nothing compiled before."""
    code = (
        "import numpy as np; from sklearn_twins import BarlowTwinsEmbedder as B\n"
        "B(modality='image', compile=True, device='cpu').fit(np.zeros((20, 8, 8), np.uint8))"
    )
    environment = {**os.environ, "CXX": "no_such_compiler", "TORCHINDUCTOR_CACHE_DIR": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment)
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith("ValueError: compile=True cannot be used here") and "compile=False" in last, done.stderr


@pytest.mark.parametrize("value", [1, "yes", None])
def test_what_is_no_answer_is_refused(value, make, X):
    with pytest.raises(ValueError, match="'compile' parameter"):
        make(compile=value).fit(X)
