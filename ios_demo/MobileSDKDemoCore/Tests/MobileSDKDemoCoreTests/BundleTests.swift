import Foundation
import Testing

@testable import MobileSDKDemoCore

@Suite struct BundleTests {
  @Test(arguments: Fixtures.everyBundle)
  func aWholeBundleOpens(folder: URL) throws {
    let bundle = try ModelBundle.open(folder, decode: PNG.decode)
    #expect(bundle.manifest.runtime.rawValue == folder.pathExtension)
    #expect(bundle.manifest.modelBytes > 0)
  }

  @Test func everyRuntimeHasABundle() {
    #expect(Set(Fixtures.bundles.map(\.pathExtension)) == Set(ModelRuntime.allCases.map(\.rawValue)))
  }

  @Test(arguments: try Damage.cases())
  func aDamagedBundleIsRefused(damage: Damage) {
    #expect(damage.refusal?.check.rawValue == damage.expects)
  }

  @Test func anAbsentFolderIsRefused() {
    let nowhere = Fixtures.folder.appendingPathComponent("nowhere")
    #expect(throws: BundleRefusal(.folder, "expected a bundle folder, found none at 'nowhere'")) {
      try ModelBundle.open(nowhere, decode: PNG.decode)
    }
  }

  @Test func aNewerBundleSaysSo() throws {
    let newer = try #require(try Damage.cases().first { $0.folder.hasSuffix("newer-schema") })
    let refusal = try #require(newer.refusal)
    #expect(refusal.message.contains("a newer SDK wrote this bundle"))
    #expect(refusal.hint.hasPrefix("update this app"))
  }
}

struct Damage: CustomTestStringConvertible, Sendable {
  let folder: String
  let expects: String

  var testDescription: String { folder }

  var refusal: BundleRefusal? {
    do {
      _ = try ModelBundle.open(Fixtures.folder.appendingPathComponent("damaged/\(folder)"), decode: PNG.decode)
      return nil
    } catch {
      return error as? BundleRefusal
    }
  }

  static func cases() throws -> [Damage] {
    try Fixtures.json("damaged/cases.json").items.map {
      Damage(folder: try $0.field("folder").string, expects: try $0.field("expects").string)
    }
  }
}
