"""Leads README's links to the repository's address, for the page of the package: PyPI has none of its folders.

hatchling calls this when it builds; the address is that of `Source` in [project.urls] of pyproject.toml.
"""

import re
from pathlib import Path
from typing import Any

from hatchling.metadata.plugin.interface import MetadataHookInterface

README = Path(__file__).parents[1] / "README.md"
IMAGE = re.compile(r'(!\[[^\]]*\]\(|src(?:set)?=")(?!https?:)([^)"#]+)')
LINK = re.compile(r"(?<!!)(\[[^\]]*\]\()(?!https?:|#)([^)]+)")


class PublishedReadme(MetadataHookInterface):
    """Fills in the field `readme`."""

    def update(self, metadata: dict[str, Any]) -> None:
        """Writes the text into the package's metadata; as it is where pyproject.toml names no address."""
        source = metadata.get("urls", {}).get("Source")
        text = README.read_text(encoding="utf-8")
        metadata["readme"] = {
            "content-type": "text/markdown",
            "text": with_absolute_links(text, source) if source else text,
        }


def with_absolute_links(text: str, source: str) -> str:
    """Returns the text with every link and picture of the repository at this address, such as https://github.com/a/b."""
    text = IMAGE.sub(rf"\1{source}/raw/main/\2", text)
    return LINK.sub(rf"\1{source}/blob/main/\2", text)
