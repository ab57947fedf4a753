"""Trust in skops files: the list is exact, nothing in it imports, writes or calls, and every other name is refused."""

import importlib
import inspect
import io
import itertools
import json
import os
import pkgutil
import re
import sys
import zipfile

import numpy as np
import pytest
from builders import small_embedder, small_table
from numpy.testing import assert_array_equal
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

import sklearn_twins
from sklearn_twins import BarlowTwinsEmbedder, MultiViewEmbedder, UnreadableFileError, trusted_types
from sklearn_twins._trusted_types import trusted_classes
from sklearn_twins.networks import ReadyEncoder, TimmEncoder

skops = pytest.importorskip("skops.io")
UntrustedTypesFoundException = pytest.importorskip("skops.io.exceptions").UntrustedTypesFoundException

# Nodes of a skops file, as an attacker writes them.


def node(name, loader, **more):
    """A node that asks for the name "module.name"."""
    module, _, attribute = name.rpartition(".")
    return {"__module__": module, "__class__": attribute, "__loader__": loader, **more}


def text(value):
    return node("builtins.str", "JsonNode", content=json.dumps(value), is_json=True)


def listed(*items):
    return node("builtins.list", "ListNode", content=list(items))


def several(*items):
    return node("builtins.tuple", "TupleNode", content=list(items))


def function(name):
    """A function, as protocol 2 and protocol 0 name it."""
    module, _, attribute = name.rpartition(".")
    return node(name, "FunctionNode", content={"module_path": module, "function": attribute})


def call(name, *arguments):
    return node(name, "ConstructorFromReduceNode", content=several(*arguments))


def method(name, function, thing=None):
    """The attribute `function` of what stands at a name, or of an object."""
    return node(name, "MethodNode", content={"obj": thing or node(name, "TypeNode"), "func": function})


def mapping(**items):
    keys = listed(*(node("builtins.str", "TypeNode") for _ in items))
    return node("builtins.dict", "DictNode", content=items, key_types=keys)


def call_at_once(callable_node, argument):
    """A dict whose key is made by a call of anything: skops calls a key's type on its text."""
    return node("builtins.dict", "DictNode", content={argument: text(1)}, key_types=listed(callable_node))


def made(name, /, **attributes):
    """An object of the class at a name, with attributes."""
    return node(name, "ObjectNode", content=mapping(**attributes))


def skops_file(root, path=None, protocol=2, **files):
    """A skops file as bytes, or at a path."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        file.writestr("schema.json", json.dumps({**root, "protocol": protocol, "_skops_version": "0.14"}))
        for name, content in files.items():
            file.writestr(name, content)
    if path is not None:
        path.write_bytes(buffer.getvalue())
    return buffer.getvalue()


LOADERS = {
    "ConstructorFromReduceNode": call,
    "ObjectNode": made,
    "TypeNode": lambda name: node(name, "TypeNode"),
    "FunctionNode": lambda name: function(name),
    "MethodNode": lambda name: method(name, "system"),
    "ListNode": lambda name: node(name, "ListNode", content=[text("x")]),
    "SetNode": lambda name: node(name, "SetNode", content=[text("x")]),
    "TupleNode": lambda name: node(name, "TupleNode", content=[text("x")]),
    "DictNode": lambda name: node(name, "DictNode", content={}, key_types=listed()),
    "a key": lambda name: call_at_once(node(name, "TypeNode"), "x"),
    "RandomStateNode": lambda name: node(name, "RandomStateNode", content=text({})),
    "NdArrayNode": lambda name: node(name, "NdArrayNode", type="json", content=[], shape=several(text(0))),
    "LossNode": lambda name: node(name, "LossNode", __reduce__={"args": several(text("x"))}, content=mapping()),
    "TreeNode": lambda name: node(name, "TreeNode", __reduce__={"args": several(text("x"))}, content=mapping()),
    "a default": lambda name: node(
        "collections.defaultdict",
        "DefaultDictNode",
        content={"main": mapping(), "default_factory": function(name)},
    ),
}


def names_of_the_package():
    """Every name that a file can spell: what the modules define, what they import, and what Python adds."""
    found = set()
    for module in pkgutil.walk_packages(sklearn_twins.__path__, "sklearn_twins."):
        found |= {f"{module.name}.{name}" for name in vars(importlib.import_module(module.name))}
    return found | {f"sklearn_twins.{name}" for name in vars(sklearn_twins)}


@pytest.fixture(scope="module")
def names():
    return sorted(names_of_the_package())


FAST = ("ConstructorFromReduceNode", 2), ("MethodNode", 2)
EVERY_NODE = [
    pytest.param(*case, marks=() if case in FAST else pytest.mark.slow)
    for case in itertools.product(LOADERS, (0, 1, 2))
]


@pytest.mark.parametrize(("loader", "protocol"), EVERY_NODE)
def test_every_name_of_the_package_needs_trust(names, loader, protocol):
    """Each of some thousand names as a gadget, in every kind of node: so only those of the list are accepted."""
    root = listed(*(LOADERS[loader](name) for name in names))
    assert set(skops.get_untrusted_types(data=skops_file(root, protocol=protocol))) >= set(names)


@pytest.mark.slow
def test_no_other_name_of_the_package_is_accepted(names, tmp_path):
    data = skops_file(listed(*(call(name) for name in names)), tmp_path / "file")
    with pytest.raises(UntrustedTypesFoundException) as refused:
        skops.loads(data, trusted=trusted_types())
    assert set(names) - set(re.findall(r"[\w.]+", str(refused.value))) == set(trusted_types())
    with pytest.raises(UnreadableFileError, match=r"not to be trusted: it asks for .* and [\d,]+ more"):
        trusted_types(tmp_path / "file")


def test_the_list_holds_classes_of_the_package_only(names):
    assert set(trusted_types()) <= set(names) and trusted_types() == sorted(set(trusted_types()))
    for cls in trusted_classes():
        assert isinstance(cls, type) and cls.__module__.startswith("sklearn_twins.")
        assert getattr(importlib.import_module(cls.__module__), cls.__name__) is cls
    assert {BarlowTwinsEmbedder, MultiViewEmbedder} <= trusted_classes()
    assert not {ReadyEncoder, TimmEncoder} & trusted_classes()  # they call and download


class Audit:
    """What Python's audit events tell of imports, writes and commands, while it is switched on."""

    EVENTS = ("os.remove", "os.rename", "os.mkdir", "os.system", "os.exec", "os.posix_spawn", "subprocess.Popen")
    EVENTS += ("socket.connect", "exec", "shutil.rmtree", "os.link", "os.symlink", "os.truncate")

    def __init__(self):
        self.on, self.seen = False, []
        sys.addaudithook(self.hook)

    def hook(self, event, args):
        if not self.on:
            return
        writes = event == "open" and args[2] and args[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)
        if writes or event in self.EVENTS or (event == "import" and args[0] == "antigravity"):
            self.seen.append((event, args))

    def __enter__(self):
        self.on, self.seen = True, []
        return self

    def __exit__(self, *error):
        self.on = False


@pytest.fixture(scope="module")
def audit():
    return Audit()


class Recorder:
    """Something to call that must not be called."""

    def __init__(self):
        self.calls = []

    def __call__(self, *args, **kwargs):
        self.calls.append((args, kwargs))


def attempts(cls, recorder, path):
    """Ways in which skops makes an object of a class, with what an attacker would give it."""
    given = ["antigravity", path, recorder, [recorder, path], {"a": recorder}, b"code", np.zeros(2), os.system]
    for n in range(4):
        for value in given:
            yield lambda n=n, value=value: cls(*[value] * n)
    own = vars(cls()) if n_required(cls) == 0 else ()
    names = {*own, "encoder_", "_recipe", "edges", "categories", "_categorical"}
    methods = {"build", "rebuild", "untrained", "set_fit_request", "set_x_request", "load_state_dict", "tolist"}
    requests = {"_requests": {"x": {"sample_weight": recorder}}, "_recipe": recorder, "encoder_": {}}
    for value in given:
        state = {**dict.fromkeys(names, value), **dict.fromkeys(methods, recorder)}
        for changed in (state, {**state, **requests}, value):
            yield lambda changed=changed: set_state(cls, changed)


def n_required(cls):
    return sum(p.default is p.empty and p.kind != p.VAR_POSITIONAL for p in inspect.signature(cls).parameters.values())


def set_state(cls, state):
    """As skops' ObjectNode does."""
    instance = cls.__new__(cls)
    if hasattr(instance, "__setstate__"):
        instance.__setstate__(state)
    else:
        instance.__dict__.update(state)


@pytest.mark.parametrize("cls", sorted(trusted_classes(), key=lambda cls: cls.__name__), ids=lambda cls: cls.__name__)
def test_listed_classes_only_store_what_they_are_given(cls, audit, tmp_path):
    recorder = Recorder()
    for watched in (False, True):  # the first round imports what the class needs
        with audit:
            for attempt in attempts(cls, recorder, str(tmp_path / "written")):
                try:
                    attempt()
                except (AttributeError, IndexError, KeyError, TypeError, ValueError):
                    pass
        assert not watched or audit.seen == []
    assert "antigravity" not in sys.modules and list(tmp_path.iterdir()) == []
    assert [call for call in recorder.calls if call != ((), {})] == []  # `tolist()` of what ought to be an array


ATOMIC = "sklearn_twins._persistence._atomic_write"
EMBEDDER = "sklearn_twins._embedder.BarlowTwinsEmbedder"
OF_VIEWS = "sklearn_twins._multi_view_embedder.MultiViewEmbedder"
RECIPE = "sklearn_twins._persistence._state.Recipe"


def run_by_encoder(encoder):
    """An embedder whose state is rebuilt by an encoder."""
    spec = made("sklearn_twins._image._spec.ImageSpec", shape=several(text(3), text(8), text(8)))
    recipe = made(RECIPE, encoder=encoder, spec=spec, n_components=text(4), frozen=several())
    return made(EMBEDDER, encoder_=mapping(), _recipe=recipe)


ATTACKS = {
    "write": call(f"{ATOMIC}.write_atomically", text("payload.py"), listed(text("x"))),
    "import": call("sklearn_twins.import_module", text("payload")),
    "import through a module": call_at_once(
        method("sklearn_twins._persistence._onnx.importlib", "import_module"), "payload"
    ),
    "command": call_at_once(method(f"{ATOMIC}.os", "system"), "touch MARKER"),
    "delete": call(f"{ATOMIC}._remove_orphan", text("victim")),
    "delete through a module": call_at_once(method(f"{ATOMIC}.os", "unlink"), "victim"),
    "make a directory": call("sklearn_twins._persistence._checkpoints.check_directory", text("MARKER")),
    "read through a module's loader": call_at_once(method("sklearn_twins._base.__loader__", "get_data"), "victim"),
    "builtins": node("sklearn_twins._base.__builtins__", "TypeNode"),
    "globals": method("sklearn_twins._roles.resolve_part", "__globals__"),
    "save": method(EMBEDDER, "save", made(EMBEDDER)),
    "load": call_at_once(method(EMBEDDER, "load"), "victim"),
    "call": run_by_encoder(
        made("sklearn_twins._parts._user_encoder.ReadyEncoder", source=node("os.system", "FunctionNode"))
    ),
    "download": run_by_encoder(made("sklearn_twins._image._timm.TimmEncoder", name=text("hf-hub:someone/something"))),
    "call in transform": made(
        "sklearn.preprocessing._function_transformer.FunctionTransformer",
        func=node(f"{ATOMIC}.write_atomically", "FunctionNode"),
        kw_args=mapping(chunks=listed(text("x"))),
    ),
    "partial": node(
        "functools.partial",
        "PartialNode",
        content={
            "func": node(f"{ATOMIC}.write_atomically", "FunctionNode"),
            "args": several(text("payload.py")),
            "kwds": mapping(),
            "namespace": text(None),
        },
    ),
}


@pytest.mark.parametrize("attack", ATTACKS)
def test_files_that_run_code_are_refused(tmp_path, monkeypatch, attack):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "victim").write_text("still here")
    data = skops_file(ATTACKS[attack], tmp_path / "file")
    with pytest.raises(UnreadableFileError, match=r"not to be trusted: it asks for \w+\..* trusted=\["):
        trusted_types(tmp_path / "file")
    with pytest.raises(UntrustedTypesFoundException):
        skops.loads(data, trusted=trusted_types())
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "victim"]
    assert (tmp_path / "victim").read_text() == "still here" and "payload" not in sys.modules


FORGED_STATES = {
    "a recipe that is none": made(EMBEDDER, encoder_=mapping(), _recipe=made(RECIPE.replace("Recipe", "Recipe"))),
    "a component as a recipe": made(
        EMBEDDER, encoder_=mapping(), _recipe=made("sklearn_twins._tabular._mlp.MLPEncoder", rebuild=text(1))
    ),
    "words as a recipe": made(EMBEDDER, encoder_=mapping(), _recipe=text("x")),
    "a component as a recipe of views": made(
        OF_VIEWS, encoder_=mapping(), _recipe=made("sklearn_twins._multiview._views.EncodeEachView", rebuild=text(1))
    ),
    "requests of other methods": made(EMBEDDER, _requests=mapping(x=mapping(a=text(True)))),
}


@pytest.mark.parametrize("forgery", FORGED_STATES)
def test_forged_states_call_nothing(audit, forgery):
    data = skops_file(FORGED_STATES[forgery])
    with audit:
        try:
            loaded = skops.loads(data, trusted=trusted_types())
        except (UnreadableFileError, AttributeError):
            loaded = None
    assert audit.seen == [] and (loaded is None) == ("recipe" in forgery)


def several_views():
    """An embedder of two views of the small table."""
    views = [(name, BarlowTwinsEmbedder(n_components=4), columns) for name, columns in (("a", [0, 1]), ("b", [2, 3]))]
    return MultiViewEmbedder(views, max_epochs=1, random_state=0)


@pytest.mark.parametrize(("embedder", "name"), [(small_embedder(), EMBEDDER), (several_views(), OF_VIEWS)])
def test_a_pipeline_is_loaded(tmp_path, embedder, name):
    X, y = small_table(), np.arange(60) % 2
    pipeline = make_pipeline(embedder, LogisticRegression()).fit(X, y)
    skops.dump(pipeline, tmp_path / "file")
    names = trusted_types(tmp_path / "file")
    assert name in names and set(names) < set(trusted_types())
    for trusted in (names, trusted_types()):
        loaded = skops.load(tmp_path / "file", trusted=trusted)
        assert_array_equal(loaded.predict_proba(X), pipeline.predict_proba(X))


@pytest.mark.parametrize("content", [b"", b"PK", b"not a zip file", skops_file({}), skops_file(text(1), protocol=-1)])
def test_what_is_no_skops_file(tmp_path, content):
    (tmp_path / "file").write_bytes(content)
    with pytest.raises(UnreadableFileError, match="is no skops file"):
        trusted_types(tmp_path / "file")


def test_deep_files_are_refused(tmp_path):
    root = text(1)
    for _ in range(300):
        root = listed(root)
    skops_file(root, tmp_path / "file")
    deep = (tmp_path / "file").read_bytes()
    (tmp_path / "file").write_bytes(deep.replace(b"schema.json", b"schema.jsom"))
    with pytest.raises(UnreadableFileError, match="is no skops file"):
        trusted_types(tmp_path / "file")


def test_file_errors_stay_what_they_are(tmp_path):
    with pytest.raises(FileNotFoundError):
        trusted_types(tmp_path / "nothing")
    with pytest.raises(OSError):
        trusted_types(tmp_path)


def test_skops_is_named_if_it_is_missing(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "skops.io", None)
    with pytest.raises(ImportError, match=r"needs skops.*pip install skops"):
        trusted_types(tmp_path / "file")
    assert trusted_types()
