"""The package's own rules, read from its source: who imports whom, what is public, how long a file is."""

import ast
import importlib
import inspect
import io
import pickle
import re
import subprocess
import sys
import tokenize
from functools import cache
from pathlib import Path

import pytest

import sklearn_twins
from sklearn_twins._parts._component import Component
from sklearn_twins.networks import ReadyEncoder

PACKAGE = Path(sklearn_twins.__file__).parent
FILES = sorted(PACKAGE.rglob("*.py"))
MAX_CODE_LINES = 250

LEAVES = {"_exceptions", "_html_repr", "_version"}  # files that import nothing of the package; anybody may import them
DOORS = {"augmentations", "networks", "preprocessing"}  # public modules that only re-export
MODALITIES = {"_audio", "_image", "_series", "_tabular"}
# What a room, or a file beside the rooms, may import next to itself and the leaves. A room may import only what stands
# above it in this table, so that there are no circles.
MAY_IMPORT = {
    **{leaf: set() for leaf in LEAVES},
    "_runtime": set(),
    "metrics": set(),
    "_inputs": set(),
    "_parts": set(),
    **{modality: {"_inputs", "_parts", "_runtime"} for modality in MODALITIES},
    **{door: {"_parts", *MODALITIES} for door in DOORS},
    "_modalities": {"_parts", *MODALITIES},
    "objectives": {"_parts"},
    "_training": {"_runtime"},
    "_roles": {"_modalities", "_parts", "_runtime", "objectives"},
    "_inference": {"_modalities", "_parts", "_roles", "_runtime", "metrics"},
    "_multiview": {"_inference", "_inputs", "_modalities", "_parts", "_roles", "_runtime", "objectives"},
    "_persistence": {"_inference", "_modalities", "_parts", "_roles", "_runtime", "objectives", *DOORS},
    "_fitting": {
        *{"_inference", "_inputs", "_modalities", "_parts", "_persistence", "_roles", "_runtime", "_training"},
        "objectives",
    },
    "_classification": {
        *{"_fitting", "_inference", "_inputs", "_modalities", "_parts", "_persistence", "_runtime", "_training"},
    },
    "active_learning": {"_classification", "_inputs", "metrics"},
    "displays": {"_inference", "_modalities", "_parts", "_persistence", "_roles", "_runtime", "metrics"},
    "_base": {
        *{"_fitting", "_inference", "_inputs", "_modalities", "_parts", "_persistence", "_roles", "_runtime"},
        *{"_training", "metrics"},
    },
    "_embedder": {"_base", "_inference", "_inputs", "_roles"},
    "_classifier": {"_base", "_classification", "_embedder", "_inputs", "_parts", "_persistence"},
    "_multi_view_embedder": {
        *{"_base", "_embedder", "_fitting", "_inference", "_inputs", "_modalities", "_multiview", "_runtime"},
        "_persistence",
    },
    "_trusted_types": {"_classifier", "_embedder", "_multi_view_embedder", "_persistence"},
    "model_selection": {"_embedder", "_multi_view_embedder", "_fitting", "_inputs", "_modalities", "_runtime"},
    "__init__": {"_classifier", "_embedder", "_multi_view_embedder", "_parts", "_runtime", "_trusted_types"},
}
PUBLIC = sorted({*DOORS, "active_learning", "displays", "metrics", "model_selection", "objectives"})

# A question that only a modality's own folder, its record and the doors may ask: which kind of data is this?
NAMES_OF_MODALITIES = {"audio", "image", "series", "tabular"}
CLASSES_OF_MODALITIES = re.compile(r"(Table|Image|Series|Audio)(Preprocessor|Spec|Stem|Encoder)$|is_image|is_table")
SHAPE_OF_SPEC = re.compile(r"len\([\w.]*spec_?\.shape\)|spec_?\.shape\[[^0]|\.spec_?\.ndim")


@cache
def tree_of(path):
    return ast.parse(path.read_text())


def room_of(path):
    """The room a file is in; for files beside the rooms, their own name."""
    first = path.relative_to(PACKAGE).parts[0]
    return first.removesuffix(".py")


def imports_of(path):
    """Every module or name that a file imports anywhere: pairs of a full module name and a name in it, or None."""
    package = ["sklearn_twins", *path.relative_to(PACKAGE).parent.parts]
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.Import):
            yield from ((alias.name, None) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = ".".join(package[: len(package) - node.level + 1]) if node.level else ""
            module = ".".join(part for part in (base, node.module) if part)
            yield from ((module, alias.name) for alias in node.names)


def rooms_imported(path):
    """Rooms, and files beside them, that a file imports from the package."""
    found = set()
    for module, name in imports_of(path):
        parts = module.split(".")
        if parts[0] == "sklearn_twins" and (len(parts) > 1 or name is not None):
            found.add(parts[1] if len(parts) > 1 else name)
    return found


def defined_in(path):
    """Names that a file defines at its top level; also those that it imports from a library or replaces, in a `try`."""
    found, body = set(), tree_of(path).body
    for attempt in (node for node in body if isinstance(node, ast.Try)):
        inside = [*attempt.body, *attempt.orelse, *(node for handler in attempt.handlers for node in handler.body)]
        body = [*body, *inside]
        found |= {alias.name for node in inside if isinstance(node, ast.ImportFrom) for alias in node.names}
    for node in body:
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            found.add(node.name)
        elif isinstance(node, (ast.Assign, ast.AnnAssign)):
            found |= {name.id for name in ast.walk(node) if isinstance(name, ast.Name)}
    return found


def docstrings_of(tree):
    """The nodes of all docstrings."""
    holders = (ast.Module, ast.ClassDef, ast.FunctionDef)
    nodes = [node.body[0] for node in ast.walk(tree) if isinstance(node, holders) and node.body]
    return [n.value for n in nodes if isinstance(n, ast.Expr) and isinstance(getattr(n.value, "value", None), str)]


def count_code_lines(path):
    """Lines that are neither blank nor comments nor docstrings."""
    text = path.read_text()
    lines, no_code = set(), {tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT}
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type not in no_code | {tokenize.ENDMARKER}:
            lines |= set(range(token.start[0], token.end[0] + 1))
    for docstring in docstrings_of(tree_of(path)):
        lines -= set(range(docstring.lineno, docstring.end_lineno + 1))
    return len(lines)


def test_the_reader_sees_imports():
    """Relative imports of either depth, and imports within functions."""
    assert ("sklearn_twins._parts._encoder", "Encoder") in imports_of(PACKAGE / "_tabular" / "_encoder.py")
    assert ("sklearn_twins._persistence._onnx", "export") in imports_of(PACKAGE / "_base.py")
    assert {"_image", "_tabular", "_parts"} <= rooms_imported(PACKAGE / "_modalities.py")


def test_rooms_import_what_they_may():
    assert {room_of(path) for path in FILES} == MAY_IMPORT.keys()
    wrong = {}
    for path in FILES:
        room = room_of(path)
        more = rooms_imported(path) - MAY_IMPORT[room] - LEAVES - {room}
        if more:
            wrong[str(path.relative_to(PACKAGE))] = sorted(more)
    assert not wrong


def test_there_are_no_circles():
    order = list(MAY_IMPORT)
    assert not [(a, b) for a, imported in MAY_IMPORT.items() for b in imported if order.index(b) >= order.index(a)]


def test_names_are_imported_from_where_they_are_defined():
    """No file re-exports another's names, except the doors and each room's `__init__`, for its own room."""
    wrong = []
    for path in FILES:
        for module, name in imports_of(path):
            parts = module.split(".")
            source = PACKAGE.joinpath(*parts[1:])
            if parts[0] != "sklearn_twins" or name is None:
                continue
            if source.is_dir():
                is_module = (source / f"{name}.py").exists() or (source / name).is_dir()
                own = {n for m, n in imports_of(source / "__init__.py") if m.startswith(f"{module}.")}
                fine = is_module or name in own | defined_in(source / "__init__.py")
            else:
                fine = name in defined_in(source.with_suffix(".py"))
            if not fine:
                wrong.append((str(path.relative_to(PACKAGE)), module, name))
    assert not wrong


def test_doors_only_re_export():
    for door in DOORS:
        docstring, *imports, names = tree_of(PACKAGE / f"{door}.py").body
        assert isinstance(docstring, ast.Expr) and all(isinstance(node, ast.ImportFrom) for node in imports), door
        assert isinstance(names, ast.Assign) and names.targets[0].id == "__all__", door


def test_skorch_is_imported_in_training_only():
    using = {room_of(path) for path in FILES for module, _ in imports_of(path) if module.split(".")[0] == "skorch"}
    assert using == {"_training"}


def questions_in(path):
    """Places where a file asks which kind of data it has: its name, a class of its, or the number of its axes."""
    tree = tree_of(path)
    found, docstrings = set(), {id(node) for node in docstrings_of(tree)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and node.value in NAMES_OF_MODALITIES and id(node) not in docstrings:
            found.add((node.lineno, node.value))
        name = {ast.Name: "id", ast.Attribute: "attr", ast.alias: "name"}.get(type(node))
        if name and CLASSES_OF_MODALITIES.match(getattr(node, name)):
            found.add((node.lineno, getattr(node, name)))
        if isinstance(node, ast.expr) and (match := SHAPE_OF_SPEC.search(ast.unparse(node))):
            found.add((node.lineno, match[0]))
    return found


@pytest.mark.slow
def test_nobody_asks_for_the_kind_of_data():
    """All else reaches a modality through its record; the one name in code is the default of the embedder."""
    known = {"_modalities", *MODALITIES, *DOORS}
    found = {str(p.relative_to(PACKAGE)): q for p in FILES if room_of(p) not in known and (q := questions_in(p))}
    default = found.pop("_embedder.py")
    assert {name for _, name in default} == {"tabular"} and len(default) == 1
    assert not found


# What a process has imported, step by step: parameters, metrics and queries need no torch, `transform` no skorch, and
# no import a GPU.
IMPORTS = """
import importlib, pickle, sys
import sklearn_twins
from sklearn.base import clone
from sklearn_twins import BarlowTwinsEmbedder

embedder = BarlowTwinsEmbedder(encoder="mlp", n_components=3)
repr(embedder), clone(embedder).get_params(), embedder.set_params(max_epochs=3)._repr_html_()
pickle.loads(pickle.dumps(embedder))
from sklearn_twins._roles import ROLES
[role.constraint for role in ROLES.values()]
import sklearn_twins.active_learning, sklearn_twins.metrics
heavy = {"torch", "skorch", "matplotlib", "PIL"} & set(sys.modules)
assert not heavy, heavy

pickle.load(sys.stdin.buffer).transform([[0.5]])
assert "skorch" not in sys.modules

for module in sys.argv[1:]:
    assert importlib.import_module(f"sklearn_twins.{module}") is getattr(sklearn_twins, module)
assert set(sys.argv[1:]) <= set(dir(sklearn_twins))
import sklearn_twins._training._trainer, torch
assert not torch.cuda.is_initialized()
"""


@pytest.mark.slow
def test_what_is_imported_when():
    embedder = sklearn_twins.BarlowTwinsEmbedder(max_epochs=1, random_state=0).fit([[0.0], [1.0], [2.0]])
    command = [sys.executable, "-W", "error", "-c", IMPORTS, *PUBLIC]
    done = subprocess.run(command, input=pickle.dumps(embedder), capture_output=True)
    assert done.returncode == 0, done.stderr.decode()


def test_an_unknown_attribute():
    with pytest.raises(AttributeError, match="has no attribute 'nonsense'"):
        _ = sklearn_twins.nonsense


def test_first_lines_say_what_files_are_for():
    wrong = []
    for path in FILES:
        docstring = ast.get_docstring(tree_of(path), clean=False) or ""
        fine = docstring and "\n" not in docstring and docstring.endswith(".")
        if not (fine and path.read_text().startswith(f'"""{docstring}"""\n')):
            wrong.append(path.relative_to(PACKAGE))
    assert not wrong


@pytest.mark.slow
def test_files_are_not_too_long():
    counts = {str(path.relative_to(PACKAGE)): count_code_lines(path) for path in FILES}
    assert not {name: n for name, n in counts.items() if n > MAX_CODE_LINES}


def test_files_of_rooms_are_private():
    inside = [path for path in FILES if path.parent != PACKAGE]
    assert not [path for path in inside if path.name != "__init__.py" and not path.name.startswith("_")]


@pytest.mark.parametrize("name", PUBLIC)
def test_public_modules(name):
    """They list their names, and their components check each parameter, so that `fit` refuses what is out of range."""
    module = importlib.import_module(f"sklearn_twins.{name}")
    public = {key for key, value in vars(module).items() if not key.startswith("_") and not inspect.ismodule(value)}
    assert sorted(module.__all__) == sorted(public)
    for thing in (getattr(module, key) for key in module.__all__):
        if inspect.isclass(thing) and issubclass(thing, Component) and thing is not ReadyEncoder:
            assert set(thing._parameter_constraints) == set(inspect.signature(thing).parameters), thing
