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
    let refusal = try #require(try Damage.named("a-newer-schema").refusal)
    #expect(refusal.message == "expected schema_number 3 or lower, found 4: a newer SDK wrote this bundle")
    #expect(refusal.hint.hasPrefix("update this app"))
  }

  @Test func bundlesOfSchema2SayWhatThoseOfSchema1Say() throws {
    #expect(Fixtures.second.count == 3)
    for (first, second) in zip(Fixtures.earlier, Fixtures.second) {
      let one = try ModelBundle.open(first, decode: PNG.decode).manifest
      let other = try ModelBundle.open(second, decode: PNG.decode).manifest
      #expect(one.golden == other.golden && one.source == other.source && one.output == other.output)
    }
  }

  @Test func bundlesOfSchema1OpenOfEveryTask() throws {
    let manifests = try Fixtures.earlier.map { try ModelBundle.open($0, decode: PNG.decode).manifest }
    #expect(manifests.count == 3)
    #expect(manifests[0].task is Classification && manifests[2].task is Segmentation)
    let rule = DetectionSpec(scoreThreshold: 0.3, iouThreshold: 0.5, maxDetections: 100)
    #expect((manifests[1].task as? Detection)?.rule == rule)
    for (folder, manifest) in zip(Fixtures.earlier, manifests) {
      let written = try JSONValue(parsing: Data(contentsOf: folder.appendingPathComponent("bundle.json")))
      #expect(try written.field("schema_number") == .integer(1))
      #expect(try written.field("image").field("size_px") == .integer(#require(manifest.source.image).sides.width))
      #expect(try written.field("interface").field("output").field("name").string == manifest.output.name)
    }
  }

  @Test func picturesOfUnequalSidesGreyOnesAndArraysOpen() throws {
    let manifests = try Fixtures.inputs.map { try ModelBundle.open($0, decode: PNG.decode).manifest }
    #expect(manifests.count == 9 && Set(manifests.map(\.source.kind)) == ["png", "values.bin"])
  }

  @Test(arguments: [
    ("another-kind-of-input", "expected one image or tensor as input, found sound"),
    ("two-inputs", "expected one image or tensor as input, found image, image"),
    ("no-input", "expected one image or tensor as input, found none"),
    ("two-outputs", "expected one output for classification, found 2"),
    ("no-output", "expected 1 to 64 outputs, found none"),
    ("an-unknown-processor-alone", "expected a model for cpu, found abacus"),
  ])
  func inputsAndOutputsThatThisAppDoesNotTakeAreNamed(name: String, message: String) throws {
    #expect(try Damage.named(name).refusal?.message == message)
  }
}

@Suite struct SignatureTests {
  /// What a check of the app says, as Python wrote it down: this machine has no CryptoKit.
  private static func genuine() throws -> SignatureCheck {
    let digests = Set(try Fixtures.json("signed/genuine.json").items.map { try $0.string })
    return { signature, bytes in digests.contains(SHA256.digits(of: bytes + signature)) }
  }

  private static func cases() throws -> [(folder: URL, opens: Bool)] {
    try Fixtures.json("signed/cases.json").items.map {
      let name = try $0.field("folder").string
      return (Fixtures.folder.appendingPathComponent("signed/\(name)"), try $0.field("opens") == .bool(true))
    }
  }

  private static func refusal(_ folder: URL) throws -> BundleRefusal? {
    do {
      _ = try ModelBundle.open(folder, decode: PNG.decode, isSigned: genuine())
      return nil
    } catch {
      return error as? BundleRefusal
    }
  }

  @Test func withAKeyOnlyWhatIsSignedWithItOpens() throws {
    let cases = try Self.cases()
    #expect(cases.filter(\.opens).count >= 2 && cases.filter { !$0.opens }.count >= 9)
    for (folder, opens) in cases {
      #expect(try Self.refusal(folder)?.check == (opens ? nil : .signature), "\(folder.lastPathComponent)")
    }
  }

  @Test func withoutAKeyEachOpens() throws {
    for (folder, _) in try Self.cases() { _ = try ModelBundle.open(folder, decode: PNG.decode) }
  }

  @Test func aMissingSignatureAndAnothersAreToldApart() throws {
    let unsigned = Fixtures.folder.appendingPathComponent("bundles/test.tflite")
    #expect(try Self.refusal(unsigned)?.message == "expected a signed bundle, found no bundle.sig")
    let foreign = try #require(
      try Self.cases().first { $0.folder.lastPathComponent.hasSuffix("another-keys-signature") }
    ).folder
    let reason = "expected the key's signature of bundle.json, found one of another key or bundle"
    #expect(try Self.refusal(foreign)?.message == reason)
  }

  @Test func theSignatureIsCheckedBeforeTheManifestIsRead() throws {
    for name in ["a-newer-schema", "a-manifest-that-is-no-object", "a-changed-scale"] {
      let folder = Fixtures.folder.appendingPathComponent("damaged/\(try Damage.named(name).folder)")
      #expect(try Self.refusal(folder)?.check == .signature)
    }
  }

  @Test func theKeyIsNoBundleAndTheEngineRefusesWhatItDoesNotSign() async throws {
    let engine = Engine(decode: PNG.decode, isSigned: try Self.genuine(), load: { _, _ in throw CancellationError() })
    let items = await engine.bundles(in: Fixtures.folder.appendingPathComponent("keyed"))
    #expect(items.map(\.name) == ["signed.tflite", "unsigned.tflite"])
    guard case .opened = items[0].content, case .refused = items[1].content else {
      Issue.record("expected one bundle that opens and one that is refused")
      return
    }
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

  static func named(_ name: String) throws -> Damage {
    try #require(try cases().first { $0.folder.drop { $0 != "-" }.dropFirst() == name })
  }

  static func cases() throws -> [Damage] {
    try Fixtures.json("damaged/cases.json").items.map {
      Damage(folder: try $0.field("folder").string, expects: try $0.field("expects").string)
    }
  }
}
