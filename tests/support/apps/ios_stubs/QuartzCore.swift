@_exported import CoreGraphics
import Foundation

open class CALayer: NSObject {}  // = CALayer
