/// A thing that the app cannot do, said to its user: what was expected and found, and what to do.
public struct DemoError: Error, Equatable, Sendable {
  public let message: String
  public let hint: String

  public init(_ message: String, hint: String) { (self.message, self.hint) = (message, hint) }
}
