// swift-tools-version: 6.0
import PackageDescription

let package = Package(
  name: "MobileSDKDemoCore",
  platforms: [.iOS(.v17), .macOS(.v14)],
  products: [.library(name: "MobileSDKDemoCore", targets: ["MobileSDKDemoCore"])],
  targets: [
    .target(name: "MobileSDKDemoCore"),
    .testTarget(name: "MobileSDKDemoCoreTests", dependencies: ["MobileSDKDemoCore"]),
  ],
  swiftLanguageModes: [.v6]
)
