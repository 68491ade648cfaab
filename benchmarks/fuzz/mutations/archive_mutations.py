"""Changes zip and tar files member by member, and the header of safetensors; checksums stay right."""

import io
import json
import tarfile
import warnings
import zipfile
from collections.abc import Callable
from random import Random
from typing import Any

from benchmarks.fuzz.mutations.byte_mutations import Change, changed_bytes, changed_words
from benchmarks.fuzz.mutations.json_mutations import changed_json

Members = dict[str, bytes]


def read_zip(data: bytes) -> Members:
    """Returns the members of a zip file by name."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def written_zip(members: Members, compression: int = zipfile.ZIP_STORED) -> bytes:
    """Returns a zip file of the members."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", compression) as archive:
        for name, content in members.items():
            archive.writestr(zipfile.ZipInfo(name), content, compression)
    return file.getvalue()


def changed_member(data: bytes, draw: Random) -> bytes:
    """Changes the content of one member of a zip file."""
    members = read_zip(data)
    name = draw.choice(sorted(members))
    members[name] = changed_content(members[name], draw)
    return written_zip(members)


def changed_archive(data: bytes, draw: Random) -> bytes:
    """Changes which members a zip file has, how they are packed, and where they lie."""
    members = read_zip(data)
    names = sorted(members)
    name, other = draw.choice(names), draw.choice(names)
    match draw.randrange(9):
        case 0:
            del members[name]
        case 1:
            members[name], members[other] = members[other], members[name]
        case 2:
            members[f"{name}.more"] = members[name]
        case 3:
            folder = name.partition("/")[0]
            added = draw.choice(("../x", "/etc/x", "extra/x", "data/sample_inputs/model.pt", "x" * 5000, "a\\b", "é"))
            members[f"{folder}/{added}"] = draw.choice((b"", b"\x80\x02.", members[name]))
        case 4:
            members = {
                draw.choice((name, "other")) + "/" + key.partition("/")[2]: value for key, value in members.items()
            }
        case 5:
            return written_zip(members, draw.choice((zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA)))
        case 6:
            return _twice(data, name, members[other])
        case 7:
            return _with_directory_word(data, draw)
        case _:
            return draw.randbytes(draw.choice((1, 4096))) + data
    return written_zip(members)


def changed_tar(data: bytes, draw: Random) -> bytes:
    """Changes the content or the name of one member of a tar file, or drops it."""
    file = io.BytesIO()
    with tarfile.open(fileobj=io.BytesIO(data)) as source, tarfile.open(fileobj=file, mode="w") as target:
        members = source.getmembers()
        chosen = draw.choice(members)
        for member in members:
            opened = source.extractfile(member)
            content = opened.read() if opened else b""
            if member is chosen:
                content = draw.choice((changed_content(content, draw), content))
                member.name = draw.choice((member.name, member.name, "../x", "x" * 200, member.name + ".more"))
                member.type = draw.choice(
                    (member.type, member.type, tarfile.SYMTYPE, tarfile.FIFOTYPE, tarfile.LNKTYPE)
                )
                member.linkname = "/etc/passwd"
                member.size = len(content)
            target.addfile(member, io.BytesIO(content))
    return file.getvalue()


def changed_header(data: bytes, draw: Random) -> bytes:
    """Changes a field of the JSON at the head of a safetensors file, or of the JSON within its metadata."""
    header, tensors = split_header(data)
    metadata = header.get("__metadata__", {})
    if metadata and draw.random() < 0.5:
        key = draw.choice(sorted(metadata))
        metadata[key] = changed_json(metadata[key].encode(), draw).decode("utf-8", "replace")
        return joined_header(header, tensors)
    written = changed_json(json.dumps(header).encode(), draw)
    return len(written).to_bytes(8, "little") + written + tensors


def split_header(data: bytes) -> tuple[dict[str, Any], bytes]:
    """Returns the header of a safetensors file and the rest."""
    length = int.from_bytes(data[:8], "little")
    return json.loads(data[8 : 8 + length]), data[8 + length :]


def joined_header(header: dict[str, Any], tensors: bytes) -> bytes:
    """Returns the safetensors file of a header and the rest."""
    written = json.dumps(header).encode()
    return len(written).to_bytes(8, "little") + written + tensors


def changed_tensors(data: bytes, draw: Random) -> bytes:
    """Changes the numbers of a safetensors file, not its header."""
    start = 8 + int.from_bytes(data[:8], "little")
    return data[:start] + draw.choice((_flipped, changed_words))(data[start:], draw)


def changed_content(content: bytes, draw: Random) -> bytes:
    """Changes a field where the content is JSON, and bytes otherwise."""
    if content[:1] in (b"{", b"["):
        return changed_json(content, draw)
    changes: tuple[Change, ...] = (changed_bytes, changed_words, _flipped)
    return draw.choice(changes)(content, draw)


def on_members(change: Callable[[Members, Random], None]) -> Change:
    """Returns the change of a whole zip file that changes its members so."""

    def changed(data: bytes, draw: Random) -> bytes:
        members = read_zip(data)
        change(members, draw)
        return written_zip(members)

    return changed


def _flipped(content: bytes, draw: Random) -> bytes:
    if not content:
        return content
    changed = bytearray(content)
    changed[draw.randrange(len(content))] ^= 1 << draw.randrange(8)
    return bytes(changed)


def _twice(data: bytes, name: str, content: bytes) -> bytes:
    file = io.BytesIO(data)
    with zipfile.ZipFile(file, "a") as archive, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # zipfile warns of a name that is there twice
        archive.writestr(zipfile.ZipInfo(name), content)
    return file.getvalue()


def _with_directory_word(data: bytes, draw: Random) -> bytes:
    """Changes a word of the directory at the zip file's end: sizes, places, flags, counts."""
    start = data.rfind(b"PK\1\2", 0, max(4, draw.randrange(len(data))))
    start = start if start >= 0 else data.rfind(b"PK\5\6")
    return data[:start] + changed_words(data[start : start + 46], draw) + data[start + 46 :]
