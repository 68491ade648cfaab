/// A bundle that is not opened. `check` names what failed, as docs/reference/bundle-format.md lists the checks.
public struct BundleRefusal: Error, Equatable, Sendable {
  public enum Check: String, Sendable {
    case folder, manifest, signature, schema, seal, fields, runtime, paths, files, size, hash, labels, interface, golden
  }

  public let check: Check
  public let message: String
  public let hint: String

  init(_ check: Check, _ message: String, hint: String = "copy the bundle again, or export it again") {
    self.check = check
    self.message = message
    self.hint = hint
  }
}
