// ExecuTorch 1.x's Swift interface, after docs/source/using-executorch-ios.md and extension/apple of its sources.
import Foundation

public final class Module {
  public init(filePath: String) {}
  public func load(_ method: String) throws {}
  public func forward(_ inputs: any ValueConvertible...) throws -> [Value] { [] }
  public func forward<Output: ValueSequenceConstructible>(_ input: any ValueConvertible) throws -> Output { fatalError() }
}

public final class Value {}
public protocol ValueConvertible {}
public protocol ValueSequenceConstructible {}
public protocol Scalar {}
extension UInt8: Scalar {}
extension Int8: Scalar {}
extension Float: Scalar {}

public final class Tensor<T: Scalar>: ValueConvertible {
  public init(data: Data, shape: [Int]) {}
  public init(_ values: [Value]) throws {}
  public func scalars() -> [T] { [] }
}
