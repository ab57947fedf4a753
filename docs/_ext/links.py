"""Links of pages that also have to be links in the repository, and names of the package as links to its API pages.

- ``[x](examples/few_labels.py)`` leads to the rendered example, ``[x](../benchmarks/speed.py)`` to the file in the
  repository.
- A public name in backticks, alone or with its room, leads to its API page.
"""

import importlib
from functools import cache
from pathlib import Path

from docutils import nodes
from sphinx import addnodes
from sphinx.transforms import SphinxTransform

import sklearn_twins

REPOSITORY = "https://github.com/sklearn-twins/sklearn-twins/blob/main/"
ROOT = Path(__file__).resolve().parents[2]


@cache
def public_names():
    """Every public name, short and full -> the full one, by which its API page is called."""
    found = {}
    for room in ("", *(f".{room}" for room in sklearn_twins.ROOMS)):
        module = f"sklearn_twins{room}"
        for name in importlib.import_module(module).__all__:
            full = f"{module}.{name}"
            if name not in sklearn_twins.ROOMS:
                found |= {name: full, full: full, full.removeprefix("sklearn_twins."): full}
    return found


class RepositoryLinks(SphinxTransform):
    """Lead links to files of the repository to the page made of the file, or to the repository."""

    default_priority = 5

    def apply(self, **kwargs):
        folder = Path(self.document["source"]).parent
        for link in list(self.document.findall(addnodes.download_reference)):
            path = (folder / link["reftarget"]).resolve().relative_to(ROOT)
            of_example = path.parts[:2] == ("docs", "examples")
            link.replace_self(self.to_example(link, path) if of_example else to_file(link, path))
        for link in list(self.document.findall(addnodes.pending_xref)):
            if link.get("reftype") == "myst" and link["reftarget"].startswith(str(ROOT)):  # a page that is not in docs/
                link.replace_self(to_file(link, Path(f"{link['reftarget']}.md").relative_to(ROOT)))

    def to_example(self, link, path):
        """A reference to the page that the gallery makes of an example."""
        target = {"refdomain": "std", "reftype": "doc", "reftarget": f"/gallery/{path.stem}", "refexplicit": True}
        reference = addnodes.pending_xref("", refdoc=self.env.docname, refwarn=True, **target)
        reference += nodes.inline("", "", *link.children)
        return reference


def to_file(link, path):
    """A reference to a file of the repository."""
    return nodes.reference("", "", *link.children, refuri=REPOSITORY + path.as_posix())


class PublicNames(SphinxTransform):
    """Make links of public names in backticks."""

    default_priority = 6

    def apply(self, **kwargs):
        if not self.document["source"].endswith(".md"):
            return
        names = public_names()
        for literal in list(self.document.findall(nodes.literal)):
            full = names.get(literal.astext().removesuffix("()"))
            if full and not isinstance(literal.parent, (nodes.reference, addnodes.pending_xref)):
                target = {"refdomain": "py", "reftype": "obj", "reftarget": full, "refexplicit": True}
                reference = addnodes.pending_xref("", refdoc=self.env.docname, refwarn=True, **target)
                literal.replace_self(reference)
                reference += literal


def setup(app):
    app.add_transform(RepositoryLinks)
    app.add_transform(PublicNames)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
