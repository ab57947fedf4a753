"""The package's own rules, read from its source: who imports whom, what is public, how long a file is."""

import ast
import importlib
import inspect
import pickle
import subprocess
import sys
from pathlib import Path

import pytest

import sklearn_twins

PACKAGE = Path(sklearn_twins.__file__).parent
FILES = sorted(PACKAGE.rglob("*.py"))
ROOMS = {path.parent.name for path in PACKAGE.glob("*/__init__.py")}
ALONE = {"preprocessing", "augmentations", "networks", "objectives"}  # import the foundations and nothing else
FOUNDATIONS = ("_bars", "_components")
CLOSED = {"training", "metrics"}  # import no other room
PUBLIC = sorted(ROOMS & (ALONE | {"displays", "metrics", "model_selection"}))
MAX_LINES = 350


def name_of(path):
    return str(path.relative_to(PACKAGE))


every_file = pytest.mark.parametrize("path", FILES, ids=name_of)


def room_of(path):
    """The room a file is in; None for the files above the rooms."""
    parts = path.relative_to(PACKAGE).parts
    return parts[0] if len(parts) > 1 else None


def imported(path):
    """Every module that a file imports anywhere, by its full name; names imported from a package count as modules."""
    package = ["sklearn_twins", *path.relative_to(PACKAGE).parent.parts]
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = ".".join(package[: len(package) - node.level + 1]) if node.level else ""
            module = ".".join(part for part in (base, node.module) if part)
            found |= {module, *(f"{module}.{alias.name}" for alias in node.names)}
    return found


def imported_from_package(path):
    """First part, below the package, of each module a file imports from it: rooms and private modules."""
    return {name.split(".")[1] for name in imported(path) if name.startswith("sklearn_twins.")}


def test_reading_imports():
    """The reader itself: relative imports of either depth, and what is imported within functions."""
    assert "sklearn_twins._parts._component" in imported(PACKAGE / "networks" / "_mlp.py")
    assert "sklearn_twins._tabular._stem" in imported(PACKAGE / "networks" / "_table_encoder.py")
    assert "skorch" in {name.split(".")[0] for name in imported(PACKAGE / "training" / "_net.py")}
    assert "networks" in imported_from_package(PACKAGE / "_persistence.py")
    assert ALONE <= ROOMS and "training" in ROOMS


@pytest.mark.parametrize("path", [p for p in FILES if room_of(p) in ALONE], ids=name_of)
def test_parts_import_only_foundations(path):
    assert imported_from_package(path) <= {*FOUNDATIONS, room_of(path)}


@pytest.mark.parametrize("path", [p for p in FILES if room_of(p) in CLOSED], ids=name_of)
def test_training_and_metrics_import_no_other_room(path):
    assert not imported_from_package(path) & (ROOMS - {room_of(path)})


@pytest.mark.parametrize("path", [PACKAGE / f"{name}.py" for name in (*FOUNDATIONS, "_runtime")], ids=name_of)
def test_foundations_import_no_room(path):
    assert not imported_from_package(path) & ROOMS


@every_file
def test_skorch_is_imported_in_training_only(path):
    if room_of(path) != "training":
        assert "skorch" not in {name.split(".")[0] for name in imported(path)}


def run_python(code):
    return subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True)


@pytest.mark.slow
@pytest.mark.parametrize(
    "code",
    [
        "import sklearn_twins",
        "from sklearn_twins import BarlowTwinsEmbedder",
        "from sklearn_twins import BarlowTwinsEmbedder as B; repr(B(encoder='mlp', n_components=3))",
        "from sklearn_twins import BarlowTwinsEmbedder as B; from sklearn.base import clone; clone(B()).get_params()",
        "from sklearn_twins import BarlowTwinsEmbedder as B; B().set_params(max_epochs=3)._repr_html_()",
        "import pickle; from sklearn_twins import BarlowTwinsEmbedder as B; pickle.loads(pickle.dumps(B()))",
    ],
)
def test_torch_is_not_imported_before_it_is_needed(code):
    done = run_python(f"{code}; import sys; bad = {{'torch', 'skorch'}} & set(sys.modules); assert not bad, bad")
    assert done.returncode == 0, done.stderr


@pytest.mark.slow
def test_skorch_is_not_imported_to_transform(tmp_path):
    embedder = sklearn_twins.BarlowTwinsEmbedder(max_epochs=1, random_state=0).fit([[0.0], [1.0], [2.0]])
    (tmp_path / "embedder.pkl").write_bytes(pickle.dumps(embedder))
    done = run_python(
        f"import pickle, sys; e = pickle.load(open({str(tmp_path / 'embedder.pkl')!r}, 'rb')); "
        "e.transform([[0.5]]); assert 'skorch' not in sys.modules"
    )
    assert "AssertionError" not in done.stderr and done.returncode == 0, done.stderr


@pytest.mark.slow
def test_rooms_are_attributes_of_the_package():
    rooms = ", ".join(f"sklearn_twins.{room}" for room in PUBLIC)
    done = run_python(f"import sklearn_twins; {rooms}; assert set({PUBLIC!r}) <= set(dir(sklearn_twins))")
    assert done.returncode == 0, done.stderr
    with pytest.raises(AttributeError, match="has no attribute 'nonsense'"):
        _ = sklearn_twins.nonsense


@pytest.mark.slow
def test_cuda_is_not_initialised_at_import():
    done = run_python("import sklearn_twins._training, torch; assert not torch.cuda.is_initialized()")
    assert done.returncode == 0, done.stderr


@every_file
def test_file_says_in_its_first_line_what_it_is_for(path):
    text = path.read_text()
    docstring = ast.get_docstring(ast.parse(text), clean=False)
    assert docstring and "\n" not in docstring and docstring.endswith(".")
    assert text.startswith(f'"""{docstring}"""\n')


@every_file
def test_file_is_not_too_long(path):
    n_lines = len(path.read_text().splitlines())
    assert n_lines <= MAX_LINES, f"{n_lines} lines"


@pytest.mark.parametrize("path", [p for p in FILES if room_of(p)], ids=name_of)
def test_files_of_rooms_are_private(path):
    assert path.name == "__init__.py" or path.name.startswith("_")


def public_names(module):
    return {name for name, value in vars(module).items() if not name.startswith("_") and not inspect.ismodule(value)}


@pytest.mark.parametrize("room", PUBLIC)
def test_public_names_are_listed(room):
    module = importlib.import_module(f"sklearn_twins.{room}")
    assert set(module.__all__) == public_names(module)
    assert len(set(module.__all__)) == len(module.__all__)


def names_in(room):
    return importlib.import_module(f"sklearn_twins.{room}").__all__


@pytest.mark.parametrize("room", PUBLIC)
def test_components_check_each_parameter(room):
    """Every hyper-parameter of a component has a constraint, so that `fit` refuses what is out of range."""
    from sklearn_twins._parts._component import Component
    from sklearn_twins.networks import ReadyEncoder

    for name in names_in(room):
        thing = getattr(importlib.import_module(f"sklearn_twins.{room}"), name)
        if inspect.isclass(thing) and issubclass(thing, Component) and thing is not ReadyEncoder:
            assert set(thing._parameter_constraints) == set(inspect.signature(thing).parameters), name
