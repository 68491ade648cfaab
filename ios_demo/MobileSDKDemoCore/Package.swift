// swift-tools-version: 6.0
import PackageDescription

let package = Package(
  name: "MobileSDKDemoCore",
  platforms: [.iOS(.v17), .macOS(.v14)],
  products: [
    .library(name: "MobileSDKDemoCore", targets: ["MobileSDKDemoCore"]),
    .library(name: "MobileSDKApple", targets: ["MobileSDKApple"]),
  ],
  targets: [
    .target(name: "MobileSDKDemoCore"),
    .target(name: "MobileSDKApple", dependencies: ["MobileSDKDemoCore"]),
    .testTarget(name: "MobileSDKDemoCoreTests", dependencies: ["MobileSDKDemoCore"]),
  ],
  swiftLanguageModes: [.v6]
)
