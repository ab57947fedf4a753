"""Recorded steps: the same fits to the bit, recorded only where that is possible, and nothing lost where it fails.

Without a GPU, a recorder that records nothing but the function stands for CUDA graphs.
"""

import contextlib
import copy
import gc
import warnings
import weakref

import numpy as np
import pytest
import torch
from skorch.callbacks import Callback, Freezer
from torch import nn

from sklearn_twins import BarlowTwinsEmbedder
from sklearn_twins._fitting import _plan
from sklearn_twins._parts._augmentation import Augmentation
from sklearn_twins._runtime._compile import check_compiler, compile_function
from sklearn_twins._training import _cuda_graph
from sklearn_twins._training._cuda_graph import RECORDERS, WARMUP_STEPS, GraphRecorder, RecordedStep, RecordingError
from sklearn_twins.augmentations import Chain, GaussianNoise, HorizontalFlip, MarginalCorruption
from sklearn_twins.networks import ConvNetEncoder, MLPProjector

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("one_thread")]


class Calls:
    """Records a function as itself; `made` are all of them."""

    rate_dtype = torch.float64
    made = []

    def __init__(self, device):
        self.n_warm = self.n_replays = self.n_closed = 0
        self.generators = None
        self.made.append(self)

    def warm(self, function, last):
        self.n_warm += 1
        assert last == (self.n_warm == WARMUP_STEPS)
        return function()

    def record(self, function, generators):
        self.generators = generators

        def replay():
            self.n_replays += 1
            return function()

        return replay

    def close(self):
        self.n_closed += 1


class Fails(Calls):
    """Cannot record anything."""

    def record(self, function, generators):
        raise RecordingError("an operation is not permitted")


@pytest.fixture
def not_compiled(monkeypatch):
    """Leave functions as they are: compiled ones round differently, and take half a minute for images."""
    monkeypatch.setattr(torch, "compile", lambda function, **kwargs: function)
    monkeypatch.setattr(_plan, "MIN_RECORDED_STEPS", 0)
    compile_function.cache_clear()
    check_compiler.cache_clear()
    yield
    compile_function.cache_clear()
    check_compiler.cache_clear()


@pytest.fixture
def recorded(monkeypatch, not_compiled):
    """Have steps on the CPU recorded."""
    monkeypatch.setitem(RECORDERS, "cpu", Calls)
    monkeypatch.setattr(Calls, "made", [])
    return Calls.made


def state_of(embedder):
    """All numbers that a fit has left, but seconds."""
    history = {n: c for n, c in embedder.history_.items() if n not in ("seconds", "rows_per_second")}
    return history, {name: tensor.numpy() for name, tensor in embedder.encoder_.state_dict().items()}


def assert_same_fit(a, b):
    for found, wanted in zip(state_of(a), state_of(b), strict=True):
        assert found.keys() == wanted.keys()
        for name in wanted:
            np.testing.assert_array_equal(found[name], wanted[name], err_msg=name)


class Copies(Callback):
    """Copies what is trained, as a look at it in the middle of a fit does."""

    def on_epoch_end(self, net, **kwargs):
        self.copy = copy.deepcopy(net.module_)


FITS = {
    "adamw": {},
    "sgd": {"optimizer": "sgd"},
    "lars": {"optimizer": "lars"},
    "muon": {"optimizer": "muon"},
    "mixed": {"objective": "mixed_barlow_twins"},
    "chain": {"augmentation": Chain([("a", MarginalCorruption()), ("b", GaussianNoise())])},
    "early stopping": {"early_stopping": True, "n_iter_no_change": 2, "max_epochs": 6},
    "bfloat16": {"precision": "bfloat16"},
    "looked at": {"callbacks": [Copies()]},
}


@pytest.mark.parametrize("name", FITS)
def test_a_recorded_fit_is_the_same(make, X, recorded, name):
    wanted = make(**FITS[name]).fit(X)
    assert not recorded
    found = make(**FITS[name], compile=True).fit(X)
    (recorder,) = recorded
    assert_same_fit(found, wanted)
    assert recorder.n_warm == WARMUP_STEPS and recorder.n_replays == found.n_iter_ * 4 - WARMUP_STEPS
    assert len(recorder.generators) == 1 and recorder.n_closed == 1
    np.testing.assert_array_equal(found.transform(X), wanted.transform(X))


def test_images(recorded):
    images = np.random.default_rng(0).integers(0, 256, (40, 12, 12, 3), dtype=np.uint8)
    small = {"encoder": ConvNetEncoder((4, 8)), "projector": MLPProjector((12,), 8), "max_epochs": 3, "batch_size": 16}
    small["augmentation"] = HorizontalFlip()  # the compiled form of others rounds differently
    fits = [
        BarlowTwinsEmbedder(modality="image", random_state=0, compile=compile, **small).fit(images)
        for compile in (False, True)
    ]
    assert_same_fit(*fits)
    assert recorded[0].n_replays == 3 * 3 - WARMUP_STEPS


@pytest.mark.parametrize("optimizer", ["adamw", "sgd", "lars", "muon"])
@pytest.mark.parametrize("compile", [(True, True), (True, False), (False, True)], ids=str)
def test_going_on(make, X, recorded, optimizer, compile):
    """A warm start cannot tell whether the steps before it were recorded."""
    found, wanted = (
        make(warm_start=True, compile=first, optimizer=optimizer).fit(X).set_params(max_epochs=4, compile=second).fit(X)
        for first, second in (compile, (False, False))
    )
    assert_same_fit(found, wanted)
    groups = (e._training_state["optimizer"]["param_groups"] for e in (found, wanted))
    for group, other in zip(*groups, strict=True):
        assert group == other and isinstance(group["lr"], float)
    assert len(recorded) == sum(compile)


class Interrupt(Callback):
    """Interrupts the third epoch."""

    def on_batch_end(self, net, **kwargs):
        if len(net.history) == 3:
            raise KeyboardInterrupt


def test_interrupted_and_gone_on_with(make, X, recorded):
    fits = []
    for compile in (False, True):
        embedder = make(warm_start=True, max_epochs=4, callbacks=[Interrupt()], compile=compile)
        with pytest.raises(KeyboardInterrupt):
            embedder.fit(X)
        assert embedder.n_iter_ == 2
        fits.append(embedder.set_params(callbacks=None).fit(X))
    assert_same_fit(*fits)


READERS = ("item", "tolist", "__float__", "__int__", "__bool__", "__index__", "cpu", "numpy", "__array__")


def test_nothing_is_read_in_a_step(make, X, recorded, monkeypatch):
    reads = []
    counts = []

    class Epoch(Callback):
        def on_epoch_end(self, net, **kwargs):
            counts.append(len(reads))

    original = {name: getattr(torch.Tensor, name) for name in READERS}
    for name in READERS:

        def reader(*args, name=name, **kwargs):
            reads.append(name)
            return original[name](*args, **kwargs)

        monkeypatch.setattr(torch.Tensor, name, reader)
    make(compile=True, max_epochs=4, callbacks=[Epoch()]).fit(X)
    assert recorded and np.diff(counts).tolist() == [1, 1, 1]  # the losses of an epoch


def test_a_recording_that_fails_loses_nothing(make, X, recorded, monkeypatch):
    monkeypatch.setitem(RECORDERS, "cpu", Fails)
    wanted = make(early_stopping=True).fit(X)
    with pytest.warns(RuntimeWarning, match=r"compile=True.*not permitted.*compile=False") as caught:
        found = make(early_stopping=True, compile=True).fit(X)
    assert len(caught) == 1 and len(recorded) == 1
    assert_same_fit(found, wanted)


class Gradients(Callback):
    def on_grad_computed(self, net, named_parameters, **kwargs):
        for _, parameter in named_parameters:
            parameter.grad.clamp_(-0.1, 0.1)


class OwnNoise(Augmentation):
    def __call__(self, x, data, generator):
        return x + torch.randn(x.shape, generator=generator)


@pytest.mark.parametrize(
    "params",
    [
        {"callbacks": [Gradients()]},
        {"callbacks": [("freezer", Freezer("encoder.0.*"))]},
        {"storage": "host"},
        {"optimizer": torch.optim.AdamW},
        {"augmentation": lambda x, data, generator: x + 0.1},
        {"augmentation": OwnNoise()},
        {"augmentation": Chain([("own", OwnNoise())])},
        {"encoder": nn.Linear(5, 8)},
        {"objective": lambda z_a, z_b: (z_a - z_b).square().mean() + (1 - z_a.std(0)).square().mean()},
    ],
    ids=["gradients", "frozen", "host", "optimizer", "callable", "own", "own in a chain", "module", "objective"],
)
def test_steps_that_python_takes_part_in_are_not_recorded(make, X, recorded, params):
    found, wanted = make(compile=True, **params).fit(X), make(**params).fit(X)
    assert not recorded
    assert_same_fit(found, wanted)


def test_only_on_a_gpu_and_only_if_asked(make, X, monkeypatch):
    assert list(RECORDERS) == ["cuda"]
    monkeypatch.setitem(RECORDERS, "cpu", Fails)  # which would warn
    make(max_epochs=20).fit(X)


def test_few_steps_are_not_worth_it(make, X, recorded, monkeypatch):
    monkeypatch.setattr(_plan, "MIN_RECORDED_STEPS", 12)
    make(max_epochs=2, compile=True).fit(X).partial_fit(X)
    assert not recorded
    make(max_epochs=3, compile=True).fit(X)
    assert len(recorded) == 1


def test_a_recording_is_let_go_with_its_fit(make, X, recorded):
    """Without the garbage collector's help: what it holds is memory of the GPU."""
    held = []

    class Hold(Callback):
        def on_batch_end(self, net, **kwargs):
            held[:] = [weakref.ref(thing) for thing in (net, net.recorded, net.recorded.x)]

    gc.disable()
    try:
        make(compile=True, callbacks=[Hold()]).fit(X)
        assert recorded and [thing() for thing in held] == [None, None, None]
    finally:
        gc.enable()


def test_a_step_reads_one_tensor_and_gives_copies():
    recorder, seen = Calls(torch.device("cpu")), []
    step, out = RecordedStep(recorder), torch.zeros(1)

    def function(x):
        seen.append(x.data_ptr())
        return out.copy_(x.sum().reshape(1))

    batches = [torch.full((2, 3), float(i)) for i in range(6)]
    losses = [step(function, batch, []).item() for batch in batches]
    assert losses == [6.0 * i for i in range(6)] and len(set(seen)) == 1
    first = step(function, batches[1], [])
    step(function, batches[2], [])
    assert first.item() == 6


needs_cuda = pytest.mark.skipif(not torch.cuda.is_available(), reason="There is no CUDA device here.")


class Cuda:
    """What a `GraphRecorder` asks of torch.cuda, noted in order; `spoils` recordings in the end."""

    class Stream:
        def __init__(self, log, name):
            self.log, self.name = log, name

        def wait_stream(self, other):
            self.log.append(f"{self.name} waits for {other.name}")

        def synchronize(self):
            self.log.append("the host waits")

    def __init__(self, monkeypatch, spoils=False):
        self.log, self.spoils, self.mode, self.n_mended = [], spoils, 0, 0
        self.streams, side = [self.Stream(self.log, "main")], self.Stream(self.log, "side")
        monkeypatch.setattr(_cuda_graph, "side_stream", lambda device: side)
        for name in ("stream", "graph", "device", "set_sync_debug_mode"):
            monkeypatch.setattr(torch.cuda, name, getattr(self, name))
        monkeypatch.setattr(torch.cuda, "current_device", lambda: 0)
        monkeypatch.setattr(torch.cuda, "current_stream", lambda device: self.streams[-1])
        monkeypatch.setattr(torch.cuda, "get_sync_debug_mode", lambda: self.mode)
        monkeypatch.setattr(torch.cuda, "CUDAGraph", lambda: self)
        monkeypatch.setattr(torch.cuda, "default_generators", (self,))

    @contextlib.contextmanager
    def stream(self, stream):
        before = list(self.streams)
        self.streams.append(stream)
        try:
            yield
        finally:
            self.streams[:] = before

    @contextlib.contextmanager
    def graph(self, graph, stream, capture_error_mode):
        self.log.append(f"recorded on {stream.name}")
        self.streams.append(stream)
        try:
            yield
        finally:
            if self.spoils:  # and leaves its stream the current one, as torch does
                raise RuntimeError("spoilt by an error before")
            self.streams.pop()

    def device(self, device):
        return contextlib.nullcontext()

    def set_sync_debug_mode(self, mode):
        self.mode = mode

    def register_generator_state(self, generator):
        self.log.append("draws")

    def replay(self):
        self.log.append("replayed")

    def clone_state(self):
        return self

    def graphsafe_set_state(self, state):
        self.n_mended += 1


def total(x):
    return x.sum().reshape(1)


def take(step, function, n=5):
    return [step(function, torch.full((2,), float(i)), [torch.cuda.default_generators[0]]) for i in range(n)]


def test_what_is_asked_of_cuda(monkeypatch):
    cuda = Cuda(monkeypatch)
    step = RecordedStep(GraphRecorder(torch.device("cuda")))
    assert [loss.item() for loss in take(step, total)][:3] == [0, 2, 4]
    step.release()
    warm = ["side waits for main", "main waits for side"] * WARMUP_STEPS
    assert cuda.log == [*warm, "draws", "recorded on side", "replayed", "replayed", "the host waits"]
    assert len(cuda.streams) == 1 and cuda.mode == 0


def test_a_step_that_waits_is_not_recorded(monkeypatch):
    cuda = Cuda(monkeypatch)

    def waits(x):
        if cuda.mode == "warn":
            warnings.warn("called a synchronizing CUDA operation", stacklevel=1)
        return total(x)

    with pytest.raises(RecordingError, match="waits for the device"):
        take(RecordedStep(GraphRecorder(torch.device("cuda"))), waits)
    assert "recorded on side" not in cuda.log and cuda.mode == 0


@pytest.mark.parametrize("error", [ValueError("the cause"), KeyboardInterrupt()])
def test_a_spoilt_recording_is_cleared_away(monkeypatch, error):
    """Also in a fit that is begun where an interrupt is handled."""
    cuda, calls = Cuda(monkeypatch, spoils=True), []

    def fails(x):
        calls.append(x)
        if len(calls) > WARMUP_STEPS:
            raise error
        return total(x)

    expected = (KeyboardInterrupt, None) if isinstance(error, KeyboardInterrupt) else (RecordingError, "^the cause$")
    try:
        raise KeyboardInterrupt
    except KeyboardInterrupt:
        with pytest.raises(expected[0], match=expected[1]):
            take(RecordedStep(GraphRecorder(torch.device("cuda"))), fails)
    assert len(cuda.streams) == 1 and cuda.n_mended == 2  # the step's generator and torch's own


@pytest.fixture
def graphs(monkeypatch, not_compiled):
    """CUDA graphs that were recorded."""
    made = []

    class Counted(GraphRecorder):
        def record(self, function, generators):
            replay = super().record(function, generators)
            made.append(self)
            return replay

    monkeypatch.setitem(RECORDERS, "cuda", Counted)
    return made


@pytest.mark.gpu
@needs_cuda
@pytest.mark.parametrize("name", [name for name in FITS if name != "bfloat16"])
def test_a_graph_trains_as_steps_do(make, X, graphs, name):
    params = {"max_epochs": 4, **FITS[name], "device": "cuda", "precision": "float32", "callbacks": [Copies()]}
    params |= {"warm_start": not params.get("early_stopping", False)}
    n_epochs = 2 * params["max_epochs"]
    wanted = make(**params).fit(X).set_params(max_epochs=n_epochs).fit(X)
    found, again = (make(**params, compile=True).fit(X).set_params(max_epochs=n_epochs).fit(X) for _ in range(2))
    assert len(graphs) == 4
    np.testing.assert_allclose(found.history_["loss"], wanted.history_["loss"], rtol=1e-3)
    np.testing.assert_allclose(again.transform(X), found.transform(X), rtol=1e-4, atol=1e-5)


@pytest.mark.gpu
@needs_cuda
def test_a_graph_of_a_table_with_gaps_and_categories(make, X, graphs):
    import pandas as pd

    frame = pd.DataFrame(X).assign(letter=pd.Categorical(list("abcdef") * 10))
    frame.iloc[::7, 0] = np.nan
    wanted, found = (make(device="cuda", precision="float32", compile=compile).fit(frame) for compile in (False, True))
    assert len(graphs) == 1
    np.testing.assert_allclose(found.history_["loss"], wanted.history_["loss"], rtol=1e-3)


@pytest.mark.gpu
@needs_cuda
def test_a_graph_that_fails_leaves_the_generators_usable(make, X, monkeypatch, graphs):
    class Spoilt(GraphRecorder):
        def record(self, function, generators):
            return super().record(lambda: function().cpu(), generators)  # a copy to the host waits

    monkeypatch.setitem(RECORDERS, "cuda", Spoilt)
    params = {"device": "cuda", "precision": "float32"}
    wanted = make(**params).fit(X)
    with pytest.warns(RuntimeWarning, match="compile=True"):
        found = make(**params, compile=True).fit(X)
    np.testing.assert_allclose(found.history_["loss"], wanted.history_["loss"], rtol=1e-3)
    torch.rand(3, device="cuda")


@pytest.mark.gpu
@needs_cuda
def test_memory_of_a_graph_is_given_back(make, X, graphs):
    make(device="cuda", compile=True).fit(X)
    used = []
    for _ in range(3):
        make(device="cuda", compile=True).fit(X)
        used.append(torch.cuda.memory_allocated())
    assert used[0] == used[2]
