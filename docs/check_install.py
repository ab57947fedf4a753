"""Follow each page's install line in a clean environment, and run the page's Python there.

python docs/check_install.py WHEEL FOLDER [PATH ...]

Pages with the same requirements share an environment in FOLDER. What the package itself needs is installed once, into
`FOLDER/core`; the other environments see it, what their line adds, and nothing else: neither the checkout nor the
packages of the Python that runs this.
"""

import os
import subprocess
import sys
import sysconfig
import tempfile
import time
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests"))

from pages import EXAMPLES, PAGES, requirements  # noqa: E402


def site_of(environment):
    """The folder of an environment that holds its packages."""
    return Path(sysconfig.get_path("purelib", "venv", {"base": environment}))


def make_environment(folder, install, core=None):
    """Make an environment, on top of the one in `core`, and return its Python."""
    venv.create(folder, clear=True, with_pip=True, symlinks=os.name != "nt")
    python = Path(sysconfig.get_path("scripts", "venv", {"base": folder})) / "python"
    if core:
        (site_of(folder) / "core.pth").write_text(f"{site_of(core)}\n", encoding="utf-8")
    pip = [python, "-m", "pip", "install", "--quiet", "--constraint", ROOT / "constraints.txt"]
    subprocess.run([*pip, *install], check=True)
    return python


def run(python, path):
    """Run a page in a folder of its own; whether it ran to its end."""
    start = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run([python, "-I", ROOT / "tests" / "pages.py", path], cwd=folder, capture_output=True)
    print(f"{path:45} {'ok' if done.returncode == 0 else 'FAILED'} {time.perf_counter() - start:4.0f} s", flush=True)
    if done.returncode:
        print(done.stderr.decode())
    return done.returncode == 0


def main():
    wheel, folder, *paths = sys.argv[1:]
    wheel, folder = Path(wheel).resolve(), Path(folder).resolve()
    pages = {}
    for path in paths or [*PAGES, *(f"docs/examples/{name.name}" for name in sorted(EXAMPLES.glob("*.py")))]:
        pages.setdefault(tuple(requirements(path)), []).append(path)
    make_environment(folder / "core", [wheel])
    failed = 0
    for number, (line, paths) in enumerate(pages.items()):
        print(f"\npip install {' '.join(line)}", flush=True)
        start = time.perf_counter()
        install = [one.replace("sklearn-twins", str(wheel)) for one in line]
        python = make_environment(folder / str(number), install, core=folder / "core")
        print(f"{'':45} installed {time.perf_counter() - start:.0f} s", flush=True)
        failed += sum(not run(python, path) for path in paths)
    sys.exit(failed and f"{failed} failed")


if __name__ == "__main__":
    os.environ.pop("PYTHONPATH", None)
    main()
