import Foundation

public struct UTType: Sendable {  // = UTType
  public static let folder = UTType()  // = UTTypeFolder
}
