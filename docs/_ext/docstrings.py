"""Docstrings as numpydoc takes them: shapes as a paragraph, types without markup, no chapters of other guides."""

import re

from links import public_names
from numpydoc.docscrape import NumpyDocString

SHAPE = re.compile(r"^Shape\n-{5}\n(.*?)(?=^\S[^\n]*\n-{3,}$|\Z)\n?", flags=re.DOTALL | re.MULTILINE)
MARKUP = re.compile(r"(?<=, )\*(?=\w)|(?<=\w)_(?=[,;)])")
FIRST_SECTION = re.compile(r"^\S[^\n]*\n-{3,}$", flags=re.MULTILINE)


def shape_first(text):
    """A Shape block, which numpydoc does not know, as a paragraph in front of all sections."""
    found = SHAPE.search(text)
    if not found:
        return text
    text = SHAPE.sub("", text)
    place = FIRST_SECTION.search(text)
    place = place.start() if place else len(text)
    shapes = " ".join(found.group(1).split())
    return f"{text[:place].rstrip()}\n\nShape: ``{shapes}``\n\n{text[place:]}"


def plain_types(text):
    """Escape what would be markup, such as the ends of ``(n, n_features_in_)`` and ``(batch, *sample_shape)``."""
    text, *examples = re.split(r"(?=^Examples\n-{8}$)", text, maxsplit=1, flags=re.MULTILINE)
    lines = [line if "`" in line else MARKUP.sub(r"\\\g<0>", line) for line in text.split("\n")]
    return "\n".join([*lines[:-1], lines[-1] + "".join(examples)])


def linked(text):
    """Public names in backticks as links, wherever they are public."""
    names = public_names()

    def link(name):
        return f":obj:`{name.group(1)} <{names[name.group(1)]}>`" if name.group(1) in names else name.group(0)

    return re.sub(r"(?<![`:\w])`([\w.]+)`(?![`_])", link, text)


def without_foreign_references(text):
    """Of scikit-learn's docstrings, keep the words of a reference to its guide and its glossary."""
    text = re.sub(r":ref:`([^`<]+?)\s*<[^>`]+>`", r"\1", text)
    text = re.sub(r":(?:ref|term):`([^`<]+?)(?:\s*<[^>`]+>)?`", r"``\1``", text)
    return re.sub(r"`([^`]+) <([^>`:]+)>`_", r"\1", text)  # of pages whose addresses are relative


def prepare(app, what, name, obj, options, lines):
    """Change a docstring before numpydoc reads it."""
    text = "\n".join(lines)
    module = getattr(getattr(obj, "fget", obj), "__module__", None) or ""
    text = without_foreign_references(text) if module.startswith("sklearn.") else linked(plain_types(shape_first(text)))
    lines[:] = text.split("\n")


def finish(app, what, name, obj, options, lines):
    """What numpydoc has taken from scikit-learn's properties on its own."""
    lines[:] = [re.sub(r":term:`([^`<]+)`", r"``\1``", line) for line in lines]


def setup(app):
    NumpyDocString.sections.setdefault("Shape", [])  # where numpydoc reads docstrings on its own, it is no error
    app.connect("autodoc-process-docstring", prepare, priority=100)  # numpydoc's own is 500
    app.connect("autodoc-process-docstring", finish, priority=900)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
