"""Configures the documentation site: `sphinx-build -W docs docs/_build` writes it."""

import inspect
import os
import re
from importlib import metadata
from pathlib import Path, PurePosixPath

from pydantic import BaseModel
from sphinx.application import Sphinx

ROOT = Path(__file__).parents[1]
PAGES = {  # pages of the site whose text lies elsewhere in the repository
    "guides/android-app": "android_demo/README.md",
    "guides/ios-app": "ios_demo/README.md",
    "project/changes": "CHANGELOG.md",
    "project/conduct": "CODE_OF_CONDUCT.md",
    "project/contributing": "CONTRIBUTING.md",
    "project/security": "SECURITY.md",
}
LINK = re.compile(r"(\]\()(?![a-z]+:|#)([^)\s#]+)((?:#[^)\s]*)?\))")

project = "mobile-sdk"
project_copyright = "The mobile-sdk authors, Apache-2.0"
release = version = metadata.version("mobile-sdk")
extensions = ["myst_parser", "sphinx.ext.autodoc"]
exclude_patterns = ["_build"]
suppress_warnings = ["misc.highlighting_failure"]  # JSON with … in it
smartquotes = False
default_role = "literal"  # docstrings have `names` in single backticks

myst_heading_anchors = 4  # links to headings, as GitHub writes them
myst_links_external_new_tab = False

autodoc_typehints = "signature"
autodoc_preserve_defaults = True
autodoc_member_order = "bysource"
python_maximum_signature_line_length = 88
python_use_unqualified_type_names = True
add_module_names = True

html_theme = "furo"
html_title = f"mobile-sdk {release}"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_copy_source = False
html_show_sourcelink = False


def setup(app: Sphinx) -> None:
    """Registers what is done to the text of a page before it is parsed, and to signatures."""
    app.connect("source-read", read_page)
    app.connect("autodoc-process-signature", show_signature)


def read_page(app: Sphinx, docname: str, source: list[str]) -> None:
    """Takes the text of a page from where it lies; leads its links to where the site has their targets."""
    path = ROOT / PAGES.get(docname, f"docs/{docname}.md")
    text = path.read_text(encoding="utf-8")

    def led(found: re.Match[str]) -> str:
        target = PurePosixPath(os.path.normpath(path.parent / found[2]))
        inside = str(target.relative_to(ROOT)) if target.is_relative_to(ROOT) else found[2]
        page = next((f"docs/{name}.md" for name, file in PAGES.items() if file == inside), inside)
        return found[1] + os.path.relpath(ROOT / page, ROOT / "docs" / PurePosixPath(docname).parent) + found[3]

    source[0] = LINK.sub(led, text)


def show_signature(*event: object) -> tuple[str, None] | None:
    """Returns the signature of a pydantic model by names and defaults: its annotations hold every bound of a value."""
    kind = event[3]
    if not (isinstance(kind, type) and issubclass(kind, BaseModel)):
        return None
    signature = inspect.signature(kind)
    named = [each.replace(annotation=inspect.Parameter.empty) for each in signature.parameters.values()]
    return str(signature.replace(parameters=named, return_annotation=inspect.Signature.empty)), None
