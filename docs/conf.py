"""The documentation site: `nox -s docs`.

The source directory is the checkout itself, so that links between pages, and to the files beside
`docs/`, are the same on the site as in a checkout. See CONTRIBUTING.md, "add a page".
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

import aiodps

project = "aiodps"
author = "aiodps developers"
project_copyright = "aiodps developers"
release = version = aiodps.__version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "site_extension"]
root_doc = "docs/index"
include_patterns = [
    *("README.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md"),
    *("benchmarks/README.md", "docs/**.md"),
]
exclude_patterns = [".*", "build", "dist", "src", "tests"]
suppress_warnings = ["misc.highlighting_failure"]  # a block may show three dots

myst_heading_anchors = 4  # links to headings, as on GitHub
myst_enable_extensions = ["attrs_inline"]

default_role = "py:obj"  # one backtick in a docstring: a name, linked if it is public
autodoc_default_options = {"members": True}
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_preserve_defaults = True
python_use_unqualified_type_names = True
python_maximum_signature_line_length = 80
napoleon_numpy_docstring = False
napoleon_use_rtype = False

html_theme = "furo"
html_title = f"aiodps {release}"
html_static_path = ["_static"]
html_extra_path = ["_site"]
html_css_files = ["site.css"]
html_show_sphinx = False
html_theme_options = {
    "light_css_variables": {"color-brand-primary": "#0b62c4", "color-brand-content": "#0b62c4"},
    "dark_css_variables": {"color-brand-primary": "#7db8f7", "color-brand-content": "#7db8f7"},
    "navigation_with_keys": True,
}
pygments_style = "tango"
pygments_dark_style = "github-dark"
