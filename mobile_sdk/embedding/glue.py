"""Writes the code that an app needs beside a bundle's folder: glue, and the lines to add by hand.

An app that has no reader of bundles gets glue. The glue finds embedded bundles and, on Android, copies one out of the
APK, as runtimes load a model from a file. It checks nothing but signatures, where the app is given a key: the modules
that `usage` names check all.
"""

import re
from collections.abc import Sequence

from mobile_sdk import runtimes
from mobile_sdk.errors import SettingError
from mobile_sdk.runtimes.base import Platform

WRITTEN_BY = "// Written by mobile-sdk embed, which writes it again: change it elsewhere."
EMBEDDABLE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")
"""Glue can hold these folder names: nothing in them has a meaning in Kotlin, Swift, or either app's build."""

_KOTLIN = """\
{written_by}
package mobilesdk

import android.content.Context
import java.io.File
import java.io.IOException

/** The bundles in `assets/bundles`. */
object EmbeddedBundles {{
    val names =
        listOf(
{names}
        )

    /** The folder of a bundle, copied out of the APK first where no copy of it is there. Not for the main thread. */
    @Throws(IOException::class)
    fun folder(
        context: Context,
        name: String,
    ): File {{
        val folder = File(context.filesDir, "bundles/$name")
        val paths = context.assets.list("bundles/$name").orEmpty()
        val marks = listOf("bundle.json") + paths.filter {{ it == "bundle.sig" }}
        if (!marks.all {{ isCopied(context, name, it) }}) {{
            folder.deleteRecursively()
            for (path in paths.filterNot {{ it in marks }}) copy(context, name, path)
            for (mark in marks) copy(context, name, mark) // last: a copy that was cut short has none
        }}
        return {folder}
    }}

    private fun isCopied(
        context: Context,
        name: String,
        path: String,
    ): Boolean {{
        val copied = File(context.filesDir, "bundles/$name/$path")
        val packed = context.assets.open("bundles/$name/$path").use {{ it.readBytes() }}
        return copied.isFile && copied.readBytes().contentEquals(packed)
    }}

    private fun copy(
        context: Context,
        name: String,
        path: String,
    ) {{
        val inside = context.assets.list("bundles/$name/$path").orEmpty()
        for (each in inside) copy(context, name, "$path/$each")
        if (inside.isNotEmpty()) return
        val target = File(context.filesDir, "bundles/$name/$path")
        target.parentFile?.mkdirs()
        context.assets.open("bundles/$name/$path").use {{ source -> target.outputStream().use {{ source.copyTo(it) }} }}
    }}
}}
"""
_SWIFT = """\
{written_by}
import Foundation

/// The bundles in the folder reference `Bundles`.
public enum EmbeddedBundles {{
  public static let names = [
{names}
  ]

  /// The folder of a bundle inside the app, nil where it was not added to the target.
  public static func folder(_ name: String) {result} {{
    {folder}
  }}
}}
"""


def kotlin_glue(names: Sequence[str], *, is_signed: bool = False) -> str:
    """Returns `EmbeddedBundles.kt` for bundles of these names, which it checks if they are signed.

    Raises SettingError if a name is not `EMBEDDABLE`.
    """
    folder = "SignedBundles.checked(folder)" if is_signed else "folder"
    return _KOTLIN.format(written_by=WRITTEN_BY, names=_listed(names, " " * 12), folder=folder)


def swift_glue(names: Sequence[str], *, is_signed: bool = False) -> str:
    """Returns `EmbeddedBundles.swift` for bundles of these names, which it checks if they are signed.

    Raises SettingError if a name is not `EMBEDDABLE`.
    """
    result, folder = "-> URL?", 'Bundle.main.url(forResource: name, withExtension: nil, subdirectory: "Bundles")'
    if is_signed:
        result, folder = f"throws {result}", f"try {folder}.map(SignedBundles.checked)"
    return _SWIFT.format(written_by=WRITTEN_BY, names=_listed(names, " " * 4), result=result, folder=folder)


def check_embeddable(names: Sequence[str]) -> None:
    """Raises SettingError for a name that would have to be escaped in source code."""
    if wrong := [name for name in names if not EMBEDDABLE.fullmatch(name)]:
        raise SettingError(
            f"expected folders named by letters, digits, '.', '-' and '_', found {wrong[0][:80]!a}",
            hint="rename the bundle's folder, such as fruit.tflite",
        )


MIN_SDK = 26
"""The demo asks for it: ExecuTorch's library is built for this level, though its AAR names a lower one."""


def gradle_advice(names: Sequence[str]) -> tuple[str, ...]:
    """Returns the lines to add to the module's build.gradle.kts, for the runtimes of the bundles."""
    wanted = tuple(f"    {line}" for line in _advice("android", names))
    head = f"Add to the module's build.gradle.kts, with minSdk {MIN_SDK} or more:"
    return (head, "dependencies {", *wanted, "}")


def xcode_advice(names: Sequence[str]) -> tuple[str, ...]:
    """Returns the steps to add the bundles' runtimes to an Xcode project."""
    folder = "Add the folder Bundles to the app's target as a folder reference (blue in Xcode; XcodeGen: type: folder)."
    return (folder, *_advice("ios", names))


def _advice(platform: Platform, names: Sequence[str]) -> list[str]:
    lines = [runtimes.get(name).app_advice(platform) for name in runtimes.names() if name in names]
    return [line for line in lines if line]


def _listed(names: Sequence[str], indent: str) -> str:
    check_embeddable(names)
    return "\n".join(f'{indent}"{name}",' for name in names)
