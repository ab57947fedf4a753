"""Run the Python of a page or of an example as a reader does. `python tests/pages.py PATH` needs no pytest."""

import ast
import contextlib
import functools
import inspect
import io
import os
import re
import shlex
import sys
from pathlib import Path
from unittest import mock

ROOT = Path(__file__).resolve().parents[1]
EXAMPLES = ROOT / "docs" / "examples"

# Each page with blocks of Python, and how many it has at least.
PAGES = {
    "README.md": 5,
    "docs/audio.md": 5,
    "docs/index.md": 1,
    "docs/quickstart.md": 8,
    "docs/how_it_works.md": 11,
    "docs/active_learning.md": 4,
    "docs/coming_from.md": 7,
    "docs/few_labels_classifier.md": 3,
    "docs/files.md": 4,
    "docs/images.md": 6,
    "docs/natural_views.md": 7,
    "docs/pictures.md": 5,
    "docs/tables.md": 3,
    "docs/time_series.md": 5,
    "docs/searching.md": 11,
    "docs/long_runs.md": 4,
    "docs/tuning.md": 4,
    "docs/troubleshooting.md": 20,
    "docs/extending.md": 15,
    "docs/benchmarks/label_free_selection.md": 1,
}

SHORTER = {  # examples that take no options: the values that their constants have here
    "batch_size.py": {"BATCHES": (512, 1024), "STEPS": 2, "SEEDS": 1},
    "collapse.py": {"EPOCHS": 1},
    "few_labels_classifier.py": {"EPOCHS": 1, "DRAWS": 1, "ITERATIONS": 250},
    "halves.py": {"EPOCHS": 1},
    "heartbeats.py": {"EPOCHS": 1, "N": 100, "ITERATIONS": 250},
    "identity.py": {"EPOCHS": 5},
    "images.py": {"EPOCHS": 1},
    "label_free_search.py": {"CANDIDATES": 2, "EPOCHS": [1]},
    "map.py": {"EPOCHS": 1, "ITERATIONS": 250},
    "recordings.py": {"EPOCHS": 1},
    "sounds.py": {"EPOCHS": 1, "N": 40, "ITERATIONS": 250},
    "steps_of_a_pipeline.py": {"EPOCHS": 1},
    "two_descriptions.py": {"EPOCHS": 1, "COUNTS": (1, 2), "DRAWS": 1},
    "two_objectives.py": {"EPOCHS": 1, "SEEDS": 1},
    "unlabeled.py": {"EPOCHS": 1, "SEARCH_EPOCHS": 1, "COUNTS": (20, 50), "DRAWS": 1},
    "which_labels_first.py": {"EPOCHS": 1, "COUNTS": (10, 50, 62), "DRAWS": 1, "ITERATIONS": 250},
}

# Pages, examples and benchmark scripts that need all digits, or the networks that they print.
FULL_SIZE = ("docs/quickstart.md", "docs/troubleshooting.md", "batch_size.py", "halves.py", "two_descriptions.py")
FULL_SIZE += ("natural_views.py",)

DEMOS = {  # examples that take `--quick` and `--output`; the same for them
    "few_labels.py": {"DRAWS": 2},
    "image_views.py": {},
    "mixed_tables.py": {},
    "pictures.py": {},
}

# A block of Python, and what is said to have been printed by it, if it stands right below.
BLOCK = re.compile(r"^```python\n(.*?)^```\n(?:\n```text\n(.*?)^```\n)?", flags=re.DOTALL | re.MULTILINE)
INSTALL = re.compile(r"^ {4}pip install (.*)$", flags=re.MULTILINE)


def read(path):
    """The text of a page or an example, by its path in the repository."""
    return (ROOT / path).read_text(encoding="utf-8")


def python_of(path):
    """All Python of a page or an example."""
    return [read(path)] if path.endswith(".py") else [code for code, _ in BLOCK.findall(read(path))]


def requirements(path):
    """What a page or an example tells its reader to install; `.`, the checkout, by the package's name."""
    (line,) = INSTALL.findall(read(path))
    return [re.sub(r"^\.", "sklearn-twins", one) for one in shlex.split(line, comments=True)]


def in_words(printed):
    """What was printed, without numbers, counts and values that a search has chosen: these differ by machine."""
    printed = re.sub(r"Counter\(.*?\)", "Counter(...)", printed)
    return re.sub(r"[-+]?\d+(\.\d+)?(e-?\d+)?", "#", re.sub(r": '[^']*'", ": '...'", printed)).split()


def first_digits(load, **params):
    """The first 600 of the 1797 digits, in the form that `load` gives them."""
    found = load(**params)
    if isinstance(found, tuple):
        return tuple(part[:600] for part in found)
    parts = {name: part for name, part in found.items() if part is not None}
    return type(found)(**{name: part[:600] if len(part) == 1797 else part for name, part in parts.items()})


@contextlib.contextmanager
def short_fits(full_size=False):
    """Two epochs for `max_epochs="auto"`, and threads; few digits and narrow networks, unless in full size."""
    import joblib
    from sklearn import datasets

    from sklearn_twins.networks import ConvNetEncoder, MLPEncoder, MLPProjector

    patches = [
        mock.patch("sklearn_twins._fitting._prepare.auto_epochs", lambda n, batch_size, modality: 2),
        mock.patch("sklearn_twins._classification._fit.choose_epochs", lambda n_batches, n_steps: 2),
    ]
    if not full_size:
        few = functools.partial(first_digits, datasets.load_digits)
        patches.append(mock.patch.object(datasets, "load_digits", few))
        narrow = {MLPEncoder: ((64, 64, 64), None), MLPProjector: ((64,), 64), ConvNetEncoder: ((8, 16, 32, 64),)}
        for cls, defaults in narrow.items():
            patches.append(mock.patch.object(inspect.unwrap(cls.__init__), "__defaults__", defaults))
    with contextlib.ExitStack() as stack, joblib.parallel_config("threading"):  # processes would import everything
        for patch in patches:
            stack.enter_context(patch)
        yield


def close_figures():
    """Close all figures, if something has drawn any: matplotlib warns of more than 20."""
    if "matplotlib.pyplot" in sys.modules:
        sys.modules["matplotlib.pyplot"].close("all")


def run_page(page):
    """Run a page's blocks in order, each printing what the page says; doctests are left to pytest.

    Fits are short, since numbers are not compared, and pages are about other things. Figures are closed at the end.
    """
    blocks = [(code, said) for code, said in BLOCK.findall(read(page)) if ">>>" not in code]
    assert len(blocks) >= PAGES[page]
    namespace = {}
    with short_fits(page in FULL_SIZE):
        for number, (code, said) in enumerate(blocks):
            printed = io.StringIO()
            with contextlib.redirect_stdout(printed):
                code = re.sub(r"\bmax_epochs=\d\d+", "max_epochs=5", code)
                code = code.replace("Client(n_workers=2,", "Client(processes=False, n_workers=2,")
                exec(compile(code, f"{page}, python block {number}", "exec"), namespace)
            if said:
                assert in_words(printed.getvalue()) == in_words(said), f"{page}, block {number}: {printed.getvalue()}"
    close_figures()


def shorter(path, values):
    """A script in which constants have other values, compiled."""
    tree, missing = ast.parse(path.read_text(encoding="utf-8")), set(values)
    for node in tree.body:
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", None) in missing:
            missing.remove(node.targets[0].id)
            node.value = ast.parse(repr(values[node.targets[0].id]), mode="eval").body
    assert not missing
    return compile(ast.fix_missing_locations(tree), str(path), "exec")


def run_example(name, *options):
    """Run an example of the gallery, cut short."""
    values = {**SHORTER, **DEMOS}[name]
    with (
        short_fits(name in FULL_SIZE),
        mock.patch("sys.argv", [name, "--quick", *options] if name in DEMOS else [name]),
    ):
        exec(shorter(EXAMPLES / name, values), {"__name__": "__main__"})


if __name__ == "__main__":
    import sklearn_twins

    assert not Path(sklearn_twins.__file__).is_relative_to(ROOT / "sklearn_twins"), "this is the checkout"
    os.environ["MPLBACKEND"] = "agg"
    path = sys.argv[1]
    run_example(Path(path).name) if path.endswith(".py") else run_page(path)
