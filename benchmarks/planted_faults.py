"""How many small faults of the package the tests catch: each is planted into a copy, in which the tests run.

    python benchmarks/planted_faults.py [--tree DIR] [--jobs 1] [--faults NAME ...] [--room ROOM ...] [--csv FILE]

The faults are in `_faults.py`, five or more for each room. In each copy pytest runs until the first failure: first the
test files that most likely catch the fault, then the tests of its room and of the contracts, then all others but the
slow ones; tests run on one thread. Prints Markdown: a row for each fault with the test that caught it, then the numbers
by room. With `--csv` results are kept, and faults that the file has are not planted again. `--faults none` runs
everything without a fault, to show that the copy itself passes. The exit status is 1 if a fault was not found in the
package, or not once. Needs `os.fork`.
"""

import argparse
import csv
import importlib
import os
import re
import shutil
import signal
import sys
import tempfile
import time
import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from _faults import BY_ROOM, FAULTS, Fault

ROOT = Path(__file__).resolve().parents[1]
LEFT_OUT = (".git", ".venv*", ".*_cache", ".hypothesis", "_build", "build", "dist", "*.egg-info")
NOT_RUN = ("test_planted_faults.py", "test_benchmarks.py")  # would find every fault, and plant some themselves
NONE = Fault("none", "none", (), ())

# Tests of a room, beside those that a fault names: folders as they are now and as they were.
ROOM_TESTS = {
    "tabular preprocessing": ("tabular", "preprocessing"),
    "image preprocessing": ("image", "preprocessing"),
    "tabular augmentations": ("tabular", "augmentations", "parts"),
    "image augmentations": ("image", "augmentations", "parts"),
    "tabular networks": ("tabular", "networks", "parts"),
    "image networks": ("image", "networks", "parts"),
    "objectives": ("objectives",),
    "metrics": ("metrics",),
    "displays": ("displays",),
    "model_selection": ("model_selection",),
    "training": ("training",),
    "fitting": ("fitting", "inputs"),
    "inference": ("inference",),
    "persistence": ("persistence", "files"),
    "runtime": ("runtime",),
    "estimator": ("bad_input",),
}
# Promises across rooms, by the names of their files.
CONTRACTS = (
    *("determinism", "persistence", "warm_start", "images", "mixed_tables", "components", "output", "unlabeled"),
    *("interrupts", "changing_data", "leftovers", "checks", "modalit*", "contract*"),
)
IMPORTED_ONCE = ("torch", "sklearn.pipeline", "skorch", "pandas", "scipy.stats", "matplotlib", "narwhals", "joblib")
LIKELY_LIMIT, ALL_LIMIT = 300, 3600  # seconds


def pattern_of(snippet):
    """The snippet as a regular expression in which white space of any length fits white space."""
    return re.compile(r"\s+".join(map(re.escape, snippet.split())))


def texts_of(package):
    """The text of each file."""
    return {path: path.read_text(encoding="utf-8") for path in sorted(package.rglob("*.py"))}


def found_in(texts, fault):
    """The one place of a fault: (file, its text with the fault). A message instead if there is none, or several."""
    for before, after in fault.pairs:
        pattern = pattern_of(before)
        counts = {path: len(pattern.findall(text)) for path, text in texts.items() if pattern.search(text)}
        if sum(counts.values()) > 1:
            places = ", ".join(path.name for path in counts)
            return f"found {sum(counts.values())} times ({places})"
        for path in counts:
            return path, pattern.sub(lambda match: after, texts[path])  # noqa: B023  used at once
    return "not found"


def stages(tree, fault):
    """What is run one after the other: (paths, options, seconds at most)."""
    files = sorted(path for path in (tree / "tests").rglob("test_*.py") if path.name not in NOT_RUN)

    def named(patterns):
        found = (path for pattern in patterns for path in files if path.match(f"test_{pattern}.py"))
        return list(dict.fromkeys(found))

    likely = named(fault.tests)
    folders = [tree / "tests" / name for name in ROOM_TESTS.get(fault.room, ())]
    broad = [path for path in files if any(folder in path.parents for folder in folders)] + named(CONTRACTS)
    broad = [path for path in dict.fromkeys(broad) if path not in likely]
    rest = [path for path in files if path not in (*likely, *broad)]
    others = [tree / "sklearn_twins", tree / "README.md"]  # their examples
    if fault is NONE:
        return [(files + others, "not slow", ALL_LIMIT)]
    return [
        (likely, "not slow", LIKELY_LIMIT),
        (likely, "slow", LIKELY_LIMIT),
        (broad, "not slow", ALL_LIMIT),
        (rest + others, "not slow", ALL_LIMIT),
    ]


def in_child(folder, arguments, output):
    """Run pytest in a copy; the process ends with it."""
    code = 70
    try:
        os.setsid()
        for stream in (1, 2):
            os.dup2(output, stream)
        os.chdir(folder)
        os.environ["PYTHONPATH"] = sys.path[0] = str(folder)
        code = pytest.main(arguments)
        sys.stdout.flush()
    finally:
        os._exit(int(code))


def run_tests(folder, paths, marks, limit):
    """How pytest ends on some paths: None if all passed, or what failed first."""
    arguments = ["-x", "-q", "--tb=no", "-p", "no:cacheprovider", "-m", marks, *map(str, paths)]
    with tempfile.TemporaryFile() as output:
        process, end = os.fork(), time.monotonic() + limit  # a process of its own, which need not import torch again
        if process == 0:
            in_child(folder, arguments, output.fileno())
        while not (ended := os.waitpid(process, os.WNOHANG))[0]:
            if time.monotonic() > end:
                os.killpg(process, signal.SIGKILL)
                os.waitpid(process, 0)
                return "timed out"
            time.sleep(0.05)
        output.seek(0)
        text, code = output.read().decode(errors="replace"), os.waitstatus_to_exitcode(ended[1])
    if code in (0, 5):  # passed, or there was nothing to run
        return None
    failed = re.search(r"^(?:FAILED|ERROR) (\S.*?)(?: - .*)?$", text, re.MULTILINE)
    if failed:
        return failed[1].removeprefix("tests/")
    return f"pytest ended with {code}: {''.join(text.strip().splitlines()[-1:])}"


def plant(tree, fault):
    """Plant one fault and run the tests until one catches it: (result, caught by, seconds)."""
    start = time.perf_counter()
    with tempfile.TemporaryDirectory(prefix="planted-") as name:
        folder = shutil.copytree(tree, Path(name).resolve() / "copy", ignore=shutil.ignore_patterns(*LEFT_OUT))
        if fault is not NONE:
            place = found_in(texts_of(folder / "sklearn_twins"), fault)
            if isinstance(place, str):
                return place.partition(" (")[0], place, 0.0
            path, text = place
            compile(text, str(path), "exec")
            path.write_text(text, encoding="utf-8")
        for paths, marks, limit in stages(folder, fault):
            by = run_tests(folder, paths, marks, limit) if paths else None
            if by is not None:
                result = "timed out" if by == "timed out" else "caught"
                return result, by, time.perf_counter() - start
    return "not caught", "", time.perf_counter() - start


def chosen(names, rooms):
    """The faults of some names and rooms; all of them by default."""
    unknown = [name for name in names or () if name not in ("none", *(fault.name for fault in FAULTS))]
    unknown += [room for room in rooms or () if room not in BY_ROOM]
    if unknown:
        raise SystemExit(f"No such fault or room: {', '.join(unknown)}. Rooms: {', '.join(BY_ROOM)}.")
    some = [fault for fault in FAULTS if (not names or fault.name in names) and (not rooms or fault.room in rooms)]
    return [NONE, *some] if names and "none" in names else some


def kept(file):
    """Rows of an earlier run, by the fault's name."""
    if file is None or not Path(file).exists():
        return {}
    with open(file, newline="", encoding="utf-8") as lines:
        return {row["fault"]: row for row in csv.DictReader(lines)}


def keep(file, rows):
    """Write all rows so far."""
    if file is not None:
        with open(file, "w", newline="", encoding="utf-8") as lines:
            writer = csv.DictWriter(lines, ["fault", "room", "result", "by", "seconds"])
            writer.writeheader()
            writer.writerows(rows.values())


def line(row):
    """One row of the table of faults."""
    cells = (str(row[name]).replace("|", "/") for name in ("fault", "room", "result", "by", "seconds"))
    return f"| {' | '.join(cells)} |"


def summary(rows):
    """Numbers by room."""
    lines = ["| room | faults | caught | timed out | not caught | not found |", "|---|---|---|---|---|---|"]
    for room in [*BY_ROOM, "all"]:
        results = [row["result"] for row in rows if room in (row["room"], "all")]
        if results:
            counts = [results.count(result) for result in ("caught", "timed out", "not caught")]
            lines.append(f"| {room} | {len(results)} | {' | '.join(map(str, [*counts, len(results) - sum(counts)]))} |")
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tree", type=Path, default=ROOT, help="checkout whose package and tests are tried")
    parser.add_argument("--jobs", type=int, default=1, help="faults at a time")
    parser.add_argument("--faults", nargs="+", metavar="NAME", help="names of faults; 'none' plants nothing")
    parser.add_argument("--room", nargs="+", metavar="ROOM", help="rooms whose faults are planted")
    parser.add_argument("--csv", type=Path, help="where results are kept, and met again")
    args = parser.parse_args()
    tree, faults = args.tree.resolve(), chosen(args.faults, args.room)
    os.environ["OMP_NUM_THREADS"] = "1"
    warnings.filterwarnings("ignore", "This process .* is multi-threaded", DeprecationWarning)  # on forking
    for name in IMPORTED_ONCE:
        importlib.import_module(name)
    earlier = kept(args.csv)
    print("| fault | room | result | caught by | seconds |\n|---|---|---|---|---|", flush=True)

    def one(fault):
        row = earlier.get(fault.name)
        if row is None:
            result, by, seconds = plant(tree, fault)
            row = {"fault": fault.name, "room": fault.room, "result": result, "by": by, "seconds": f"{seconds:.0f}"}
            earlier[fault.name] = row
            keep(args.csv, dict(earlier))
        print(line(row), flush=True)
        return row

    with ThreadPoolExecutor(args.jobs) as pool:
        rows = list(pool.map(one, faults))
    print(f"\n{summary(rows)}\n")
    n_caught = sum(row["result"] in ("caught", "timed out") for row in rows)
    print(f"caught {n_caught} of {len(rows)}")
    return 0 if all(row["result"] in ("caught", "timed out", "not caught") for row in rows) else 1


if __name__ == "__main__":
    raise SystemExit(main())
