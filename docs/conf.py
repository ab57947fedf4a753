"""How the site is built: `make docs` makes docs/_build/html of the pages, the examples and the docstrings."""

import sys
from pathlib import Path

import sklearn_twins

DOCS = Path(__file__).parent
sys.path.insert(0, str(DOCS / "_ext"))

project = "sklearn_twins"
author = "The sklearn_twins developers"
copyright = "The sklearn_twins developers, BSD 3-Clause License"
version = release = sklearn_twins.__version__

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.mathjax",
    "numpydoc",
    "myst_parser",
    "sphinx_copybutton",
    "sphinx_design",
    "sphinx_gallery.gen_gallery",
    "docstrings",  # these two are in _ext
    "links",
]
exclude_patterns = ["_build", "examples"]
templates_path = ["_templates"]
root_doc = "index"
default_role = "py:obj"
smartquotes = False  # links of the HTML repr find a parameter by its type as it is written

# Markdown: the pages read well in the repository, too, so that they use little that is Sphinx's own.
myst_enable_extensions = ["colon_fence", "dollarmath", "deflist", "fieldlist", "html_image"]
myst_heading_anchors = 3
copybutton_exclude = ".linenos, .gp, .go"

# Docstrings
autosummary_generate = True
autodoc_typehints = "none"
numpydoc_show_class_members = False  # _templates/autosummary/class.rst does
numpydoc_class_members_toctree = False
toc_object_entries_show_parents = "hide"

# The gallery
sphinx_gallery_conf = {
    "examples_dirs": "examples",
    "gallery_dirs": "gallery",
    "filename_pattern": r"\.py$",
    "within_subsection_order": "gallery_order.place",
    "abort_on_example_error": True,
    "backreferences_dir": "gallery/backreferences",
    "doc_module": ("sklearn_twins",),
    "remove_config_comments": True,
    "download_all_examples": False,
    "image_srcset": ["2x"],
    "ignore_repr_types": r"matplotlib|Display",
    "show_memory": False,
    "show_signature": False,
    "matplotlib_animations": False,
}

# Pages
html_theme = "pydata_sphinx_theme"
html_title = "sklearn_twins"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_favicon = "_static/logo.svg"
html_show_sourcelink = False
html_copy_source = False
html_theme_options = {
    "logo": {"text": "sklearn_twins", "image_light": "_static/logo.svg", "image_dark": "_static/logo.svg"},
    "github_url": "https://github.com/sklearn-twins/sklearn-twins",
    "show_toc_level": 2,
    "show_prev_next": False,
    "navigation_with_keys": False,
    "header_links_before_dropdown": 7,
    "navbar_persistent": ["search-button"],
    "footer_start": ["copyright"],
    "footer_end": [],
    "secondary_sidebar_items": ["page-toc"],
    "pygments_light_style": "a11y-high-contrast-light",
    "pygments_dark_style": "a11y-high-contrast-dark",
}
html_sidebars = {page: [] for page in ("index", "quickstart", "changelog", "gallery/*")}

linkcheck_anchors = False
linkcheck_timeout = 20
