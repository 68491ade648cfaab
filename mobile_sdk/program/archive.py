"""Opens a `.pt2` file as a zip of JSON and raw tensors; nothing in it is unpickled or executed.

`torch.export.load` runs code from the file: `torch/export/pt2_archive/_package.py` calls `pickle.loads`,
`torch.load(weights_only=False)` and loads compiled libraries, whatever the file asks for. So it never gets a program of
unknown origin; this reader takes bytes out of a zip file, and needs no torch.
"""

import zipfile
from collections.abc import Mapping
from pathlib import Path

from mobile_sdk.errors import BundleError
from mobile_sdk.system.regular_file import GIB, read_regular
from mobile_sdk.system.stored_zip import read_exact

Members = Mapping[str, bytes]
"""These are the files in an archive by their names, without the folder that holds all of them."""

MOST_BYTES = 2 * GIB  # largest program; weights are int8, and phones have less memory
HINT = "write the program again with this SDK, or copy it again"


def read_members(path: Path) -> dict[str, bytes]:
    """Reads every member of the `.pt2` file `path`; raises BundleError if it is damaged or foreign."""
    try:
        data = read_regular(path, at_most=MOST_BYTES)
        records = read_exact(data)
        folders = {name.partition("/")[0] for name in records}
        if len(folders) != 1:
            raise zipfile.BadZipFile(f"{len(folders)} folders where one holds every record")
        members = {name.partition("/")[2]: record for name, record in records.items()}
    except OSError as error:
        raise BundleError(f"expected a program at {path.name}, found: {error.strerror}", hint=HINT) from error
    except (zipfile.BadZipFile, NotImplementedError, EOFError, UnicodeDecodeError) as error:
        raise BundleError(f"expected a whole .pt2 archive, found {path.name} damaged: {error}", hint=HINT) from error
    if members.get("archive_format") != b"pt2":
        raise BundleError(f"expected a .pt2 archive, found another zip file: {path.name}", hint=HINT)
    return members
