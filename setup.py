"""The one thing that pyproject.toml cannot say: README.md with links that lead somewhere outside of the repository."""

import re
from pathlib import Path

from setuptools import setup

HERE = Path(__file__).parent
REPOSITORY = "https://github.com/sklearn-twins/sklearn-twins"


def readme():
    """README.md as a package index shows it: relative links and pictures lead to the repository, as of this version."""
    version = re.search(r'^__version__ = "(.+)"$', (HERE / "sklearn_twins/_version.py").read_text("utf-8"), re.M)[1]
    commit = "main" if "dev" in version else f"v{version}"

    def absolute(link):
        of_picture = link["picture"] or ""
        return f"{of_picture}]({REPOSITORY}/{'raw' if of_picture else 'blob'}/{commit}/{link['target']})"

    relative = r"(?P<picture>!\[[^\]]*)?\]\((?!https?://|#|mailto:)(?P<target>[^)]+)\)"
    return re.sub(relative, absolute, (HERE / "README.md").read_text("utf-8"))


setup(long_description=readme(), long_description_content_type="text/markdown")
