"""Shows how an app of one's own asks an embedded bundle: the module to depend on, and a function to copy.

The functions stand on what the demo apps are made of: the Gradle module `android_demo/runtime`, and the Swift package
`ios_demo/MobileSDKDemoCore`.
"""

from mobile_sdk.embedding.glue import MIN_SDK, check_embeddable

_GRADLE = f"""\
To ask the bundle, copy the folder android_demo/runtime of the SDK's repository
beside the module, and add, with minSdk {MIN_SDK} or more:
settings.gradle.kts:   include(":runtime")
build.gradle.kts:      dependencies {{ implementation(project(":runtime")) }}
Then this function says what is in a picture:\
"""
_XCODE = """\
To ask the bundle, add ios_demo/MobileSDKDemoCore of the SDK's repository as a
local package, with its products MobileSDKDemoCore and MobileSDKApple.
Then this function says what is in a picture:\
"""
_KOTLIN = """\
import android.content.Context
import mobilesdk.EmbeddedBundles
import mobilesdk.runtime.bundle.openBundle
import mobilesdk.runtime.model.RealModels
import mobilesdk.runtime.model.answer
import mobilesdk.runtime.picture.BitmapDecoder
import mobilesdk.runtime.task.Answer
import java.io.File

/** Returns the five best labels, or boxes or a mask, of a picture file. Not for the main thread. */
fun recognize(
    context: Context,
    picture: File,
): Answer {{
    val bundle = openBundle(EmbeddedBundles.folder(context, "{name}"), BitmapDecoder)
    return RealModels.open(bundle, threads = 1).use {{ it.answer(BitmapDecoder.decode(picture)) }}
}}"""
_SWIFT = """\
import Foundation
import MobileSDKApple
import MobileSDKDemoCore

let engine = Engine(decode: PictureFile.decode, load: AppleModels.load)

/// Returns the five best labels, or boxes or a mask, of a picture file's bytes. It computes away from the main thread.
func recognize(_ picture: Data) async throws -> Answer {{
  guard let folder = {folder}("{name}") else {{ throw CocoaError(.fileNoSuchFile) }}
  let bundle = try ModelBundle.open(folder, decode: PictureFile.decode)
  let pixels = try PictureFile.decode(picture)
  return try await engine.answer(to: pixels, with: bundle, by: RunSettings(), count: 5).answer
}}"""


def kotlin_use(name: str) -> str:
    """Returns a Kotlin function that asks the bundle of that name in an app with `EmbeddedBundles.kt`."""
    check_embeddable([name])
    return _KOTLIN.format(name=name)


def swift_use(name: str, *, is_signed: bool = False) -> str:
    """Returns a Swift function that asks the bundle of that name in an app with `EmbeddedBundles.swift`."""
    check_embeddable([name])
    folder = "try EmbeddedBundles.folder" if is_signed else "EmbeddedBundles.folder"
    return _SWIFT.format(name=name, folder=folder)


def gradle_use(name: str, *, is_signed: bool = False) -> str:
    """Returns the module to add, and the function."""
    return f"{_GRADLE}\n\n{kotlin_use(name)}"


def xcode_use(name: str, *, is_signed: bool = False) -> str:
    """Returns the package to add, and the function."""
    return f"{_XCODE}\n\n{swift_use(name, is_signed=is_signed)}"
