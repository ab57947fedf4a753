"""What a file may cost: small forged files with the right checksum take no time and no memory; a sound one, its own."""

import json
import os
import subprocess
import sys
import time
import types
from pathlib import Path

import joblib
import numpy as np
import pytest
import torch
from builders import pixels, small_embedder, small_table
from forgeries import content_of, encoder_state, forged, fuzz, spec_states
from torch import nn

from sklearn_twins import BarlowTwinsEmbedder, UnreadableFileError
from sklearn_twins._persistence import _safetensors
from sklearn_twins._persistence._json_codec import Encoder
from sklearn_twins._runtime._devices import is_out_of_memory
from sklearn_twins._runtime._torch_state import count_threads
from sklearn_twins.networks import ConvNetEncoder, MLPEncoder, MLPProjector

pytestmark = pytest.mark.usefixtures("one_thread")

ONE_HASH = 2**61 - 1  # Python's hash of an integer is its remainder
MAX_MIB, MAX_SECONDS = 200, 2


@pytest.fixture(scope="module")
def contents():
    """What files of small embedders hold: of a mixed table, with an expansion, and of images."""
    mixed, _, waves, images, _ = (embedder for embedder, _ in fuzz.embedders())
    return {"table": content_of(mixed), "waves": content_of(waves), "image": content_of(images)}


@pytest.fixture
def path(tmp_path):
    return tmp_path / "file"


def peak(reset=False):
    """Peak memory of the process in MiB, since it was reset; 0 if the system does not tell."""
    status = Path("/proc/self/status")
    if not status.exists():
        return 0
    if reset:
        Path("/proc/self/clear_refs").write_text("5")
    return next(int(line.split()[1]) for line in status.read_text().splitlines() if line.startswith("VmHWM")) / 1024


def costs(call):
    """Call a function; return MiB and seconds of the processor."""
    before, start = peak(reset=True), time.process_time()
    call()
    return peak() - before, time.process_time() - start


def put(value):
    """A change that puts a value into the file as an attribute of the embedder; large ones are made when asked for."""
    return lambda header, sections: sections["fitted"].update(void_=value() if callable(value) else value)


def put_categories(values):
    """A change of the categories of the first column."""

    def change(header, sections):
        state = sections["fitted"]["preprocessor_"]["state"]["_categorical"]["state"]
        state["categories"]["tuple"][0]["tuple"] = values() if callable(values) else values

    return change


def many_strings(header, sections):
    for i in range(12):
        sections["fitted"][f"void{i}_"] = {"strings": ["x" * 10**5, *[""] * 160], "shape": [161]}


def same_floats(header, sections):
    """One array of the file as the edges of thousands of specs, each of which is checked."""
    name = next(name for name, entry in header.items() if entry.get("dtype") == "F64" and len(entry["shape"]) == 2)
    sections["fitted"]["void_"] = [{"floats": name, "as": "tuples"}] * 20_000


def image_of(*shape):
    """A change of the size of images, which no weight depends on."""

    def change(header, sections):
        for state in spec_states(sections):
            state["shape"] = {"tuple": [shape[2], *shape[:2]]}
        fitted = sections["fitted"]
        fitted["preprocessor_"]["state"]["sample_shape_"] = {"tuple": list(shape)}
        fitted["preprocessor_"]["state"]["n_features_in_"] = fitted["n_features_in_"] = int(np.prod(shape))

    return change


def files_of(side):
    """A change of the size that image files are brought to."""

    def change(header, sections):
        image_of(side, side, 3)(header, sections)
        target = {"size": {"tuple": [side, side]}, "color": "rgb", "resize": True}
        sections["fitted"]["preprocessor_"]["state"]["_target"] = {"object": "image.Target", "state": target}

    return change


def many_waves(header, sections):
    encoder_state(sections)["expansion"]["state"]["n_frequencies"] = 10**8


def wide_waves(header, sections):
    encoder_state(sections)["expansion"]["state"]["width"] = 10**9


def widths(*numbers):
    return lambda header, sections: encoder_state(sections).update(widths={"tuple": list(numbers)})


def collide(n=40_000):
    return [k * ONE_HASH + 5 for k in range(n)]


FORGERIES = {
    "many arrays of strings": ("table", many_strings),
    "one array of long strings": ("table", put({"strings": ["x" * 10**6, *[""] * 500], "shape": [501]})),
    "a fraction with an exponent": ("table", put_categories([{"tuple": ["Fraction", "1e1000000000"]}, "a"])),
    "a fraction within a tuple": (
        "table",
        put_categories([{"tuple": ["tuple", {"tuple": ["Fraction", "1e99999999"]}]}]),
    ),
    "a long fraction": ("table", put_categories([{"tuple": ["Fraction", "9" * 10**6]}, "a"])),
    "integers of one hash as categories": ("table", put_categories(collide)),
    "decimals of one hash as categories": (
        "table",
        put_categories(lambda: [{"tuple": ["Decimal", str(number)]} for number in collide(20_000)]),
    ),
    "integers of one hash as keys": ("table", put(lambda: {"dict": [[number, 0] for number in collide()]})),
    "empty lists": ("table", put(lambda: [[] for _ in range(1_500_000)])),
    "empty dicts": ("table", put(lambda: [{"dict": []} for _ in range(400_000)])),
    "one tuple in many places": ("table", same_floats),
    "images of 20,000": ("image", image_of(20_000, 20_000, 3)),
    "image files of 20,000": ("image", files_of(20_000)),
    "images of 6,000": ("image", image_of(6_000, 6_000, 3)),
    "a long image": ("image", image_of(1, 10**9, 3)),
    "wide convolutions": ("image", widths(10**6, 10**6)),
    "many convolutions": ("image", widths(*[1] * 10**5)),
    "many waves": ("waves", many_waves),
    "wide waves": ("waves", wide_waves),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", FORGERIES)
def test_forged_files_cost_little(contents, path, name):
    kind, change = FORGERIES[name]
    forged(contents[kind], path, change)

    def load():
        with pytest.raises(UnreadableFileError, match="cannot be loaded"):
            BarlowTwinsEmbedder.load(path)

    mib, seconds = costs(load)
    assert mib < MAX_MIB and seconds < MAX_SECONDS


class HugeNetwork(nn.Module):
    """A stand-in for a network of a gigabyte, as timm makes them: layer by layer, on the CPU."""

    def __init__(self, **params):
        super().__init__()
        self.token = nn.Parameter(torch.zeros(1, 1, 4096))
        self.layers = nn.ModuleList([nn.Linear(4096, 4096) for _ in range(16)])


def test_huge_networks_of_a_small_file(contents, path, monkeypatch):
    timm = types.ModuleType("timm")
    timm.is_model = lambda name: True
    timm.create_model = lambda name, **params: HugeNetwork(**params)
    monkeypatch.setitem(sys.modules, "timm", timm)

    def change(header, sections):
        encoder = {"object": "networks.TimmEncoder", "state": {"name": "huge", "pretrained": False}}
        sections["fitted"]["_recipe"]["state"]["encoder"] = encoder

    forged(contents["image"], path, change)

    def load():
        with pytest.raises(UnreadableFileError, match="network is far larger than its weights"):
            BarlowTwinsEmbedder.load(path)

    mib, seconds = costs(load)
    assert mib < MAX_MIB and seconds < MAX_SECONDS


def test_without_timm_it_is_named(contents, path, monkeypatch):
    def change(header, sections):
        encoder = {"object": "networks.TimmEncoder", "state": {"name": "huge", "pretrained": False}}
        sections["fitted"]["_recipe"]["state"]["encoder"] = encoder

    monkeypatch.setitem(sys.modules, "timm", None)
    forged(contents["image"], path, change)
    with pytest.raises(UnreadableFileError, match="needs timm, which cannot be imported"):
        BarlowTwinsEmbedder.load(path)


LONG = "x" * 10**6
LONG_NAMES = {
    "an attribute": lambda header, sections: sections["fitted"].update({LONG: 1}),
    "a parameter": lambda header, sections: sections["parameters"].update({LONG: 1}),
    "a class": lambda header, sections: sections["parameters"].update(encoder={"object": LONG, "state": {}}),
    "an array": lambda header, sections: header.update({LONG: {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}),
    "a missing array": put({"array": LONG}),
    "the class of the file": lambda header, sections: header["__metadata__"].update({"class": LONG}),
    "the version": lambda header, sections: header["__metadata__"].update(sklearn_twins_version=LONG),
    "the format": lambda header, sections: header["__metadata__"].update(format_version=LONG),
    "a word": lambda header, sections: sections["parameters"].update(lr_schedule=LONG, optimizer=LONG),
    "a category": put_categories([{"tuple": [LONG, LONG]}]),
}


@pytest.mark.parametrize("name", LONG_NAMES)
def test_no_message_is_longer_than_a_screen(contents, path, name):
    forged(contents["table"], path, LONG_NAMES[name])
    with pytest.raises(UnreadableFileError) as refused:
        BarlowTwinsEmbedder.load(path)
    assert len(str(refused.value)) < 1000


def test_many_objects(contents, path):
    """They are allowed, and cost what they take."""
    forged(contents["table"], path, put([{"object": "networks.MLPEncoder", "state": {}} for _ in range(10_000)]))
    mib, seconds = costs(lambda: BarlowTwinsEmbedder.load(path))
    assert mib < MAX_MIB and seconds < MAX_SECONDS


def test_other_formats_are_not_read(path):
    """64 MiB of another program's safetensors file."""
    n = 2**26
    header = {"__metadata__": {"format": "pt"}, "x": {"dtype": "U8", "shape": [n], "data_offsets": [0, n]}}
    text = json.dumps(header).encode()
    with open(path, "wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        for _ in range(64):
            file.write(b"x" * 2**20)

    def load():
        with pytest.raises(UnreadableFileError, match="did not write it"):
            BarlowTwinsEmbedder.load(path)

    mib, seconds = costs(load)
    assert mib < 16 and seconds < 0.5


@pytest.mark.skipif(not hasattr(os, "SEEK_HOLE"), reason="the system does not tell holes")
@pytest.mark.parametrize("size", [2**25, 200 * 2**30])
def test_holes_are_not_read(contents, path, size):
    """A file of 200 GiB that takes a few kB of the disk."""
    name = "encoder_.1.weight"

    def change(header, sections):
        end = max(entry["data_offsets"][1] for entry in header.values() if "data_offsets" in entry)
        header["void"] = {"dtype": "U8", "shape": [size], "data_offsets": [end, end + size]}
        sections["fitted"]["void_"] = {"array": "void"}

    forged(contents["table"], path, change)
    assert name in contents["table"].decode("latin-1")
    os.truncate(path, path.stat().st_size + size)
    if path.stat().st_blocks * 512 > size / 2:
        pytest.skip("the file system has no holes")

    def load():
        with pytest.raises(UnreadableFileError, match="most of it was never written"):
            BarlowTwinsEmbedder.load(path)

    mib, seconds = costs(load)
    assert mib < 16 and seconds < 0.5


def test_files_larger_than_the_memory(contents, path, monkeypatch):
    path.write_bytes(contents["table"])
    monkeypatch.setattr(_safetensors, "SPARSE_BYTES", 0)
    BarlowTwinsEmbedder.load(path)
    monkeypatch.setattr(os, "sysconf", lambda name: 64)
    with pytest.raises(UnreadableFileError, match=r"GiB, but this machine has .* GiB of memory"):
        BarlowTwinsEmbedder.load(path)


def test_files_start_no_crowd_of_threads(contents, path):
    forged(contents["table"], path, lambda header, sections: sections["parameters"].update(n_jobs=1024))
    loaded = BarlowTwinsEmbedder.load(path)
    assert count_threads(loaded.n_jobs) == joblib.cpu_count() == count_threads(-1)
    assert count_threads(1) == count_threads(None) == 1

    def change(header, sections):
        sections["fitted"]["preprocessor_"]["state"]["n_jobs"] = 10**6

    forged(contents["image"], path, change)
    assert BarlowTwinsEmbedder.load(path).preprocessor_._n_threads <= 4 * joblib.cpu_count()


@pytest.mark.slow
@pytest.mark.parametrize(
    "value",
    [
        [np.full(9, "x" * 2**20), np.full(9, "y" * 2**20)],
        [[] for _ in range(200_000)],
        {k * ONE_HASH: 0 for k in range(100)},
    ],
    ids=["strings", "lists", "keys"],
)
def test_what_would_be_refused_is_not_stored(value):
    """The writer checks what its reader takes."""
    with pytest.raises(TypeError, match=r"stored.*pickle"):
        Encoder({}).to_json({"value": value})


def test_large_images_are_refused_by_save(tmp_path):
    embedder = small_embedder().fit(small_table())
    embedder.preprocessor_.spec_ = embedder._recipe.spec
    embedder._recipe.spec.__dict__["shape"] = (10**9,)
    with pytest.raises(ValueError, match=r"cannot be stored.*too large for its network"):
        embedder.save(tmp_path / "file")
    assert list(tmp_path.iterdir()) == []


STARVED = """
import gc, resource, sys
from sklearn_twins import BarlowTwinsEmbedder
for path in sys.argv[1:]:
    BarlowTwinsEmbedder.load(path)
    for extra in (0, 1, 4, 16, 300):
        gc.collect()
        size = next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmSize"))
        resource.setrlimit(resource.RLIMIT_AS, (size * 1024 + extra * 2**20, -1))
        try:
            BarlowTwinsEmbedder.load(path)
            found = "loaded"
        except Exception as error:
            found = f"{type(error).__name__}: {str(error)[:200]}"
            del error
        resource.setrlimit(resource.RLIMIT_AS, (-1, -1))
        print(path[-5:], found)
"""


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="Linux tells the size of a process")
def test_a_sound_file_is_not_blamed_for_short_memory(tmp_path):
    """One process loads both; the larger file last, so that what the other one has freed is not enough."""
    small = {"projector": MLPProjector((4,), 64), "max_epochs": 1}
    small_embedder(encoder=MLPEncoder((1024, 2048)), **small).fit(small_table()).save(tmp_path / "table")
    of_images = small_embedder(modality="image", encoder=ConvNetEncoder((128, 512)), **small)
    of_images.fit(pixels(20, 8, 8, 3)).save(tmp_path / "image")
    command = [sys.executable, "-W", "ignore", "-c", STARVED, str(tmp_path / "image"), str(tmp_path / "table")]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    found = [line.split(" ", 1) for line in done.stdout.splitlines()]
    assert {(kind, what.partition(":")[0]) for kind, what in found} == {
        (kind, what) for kind in ("table", "image") for what in ("loaded", "MemoryError")
    }
    assert all("too little memory" in what for _, what in found if what != "loaded")


def test_what_counts_as_short_memory():
    assert is_out_of_memory(MemoryError()) and is_out_of_memory(torch.OutOfMemoryError())
    assert is_out_of_memory(RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried"))
    assert is_out_of_memory(OSError(12, "Cannot allocate memory"))
    assert not is_out_of_memory(ValueError("can't allocate memory")) and not is_out_of_memory(RuntimeError("other"))
    error = ValueError("a network does not fit")
    error.__cause__ = MemoryError()
    assert is_out_of_memory(error)
