import SwiftUI

public struct PhotosPickerItem: Equatable, Sendable {  // Swift: PhotosUI for SwiftUI
  public func loadTransferable<Loaded>(type: Loaded.Type) async throws -> Loaded? { nil }  // Swift: PhotosUI for SwiftUI
}

public struct PHPickerFilter: Sendable {  // = PHPickerFilter
  public static let images = PHPickerFilter()  // = PHPickerFilter.imagesFilter
}

@MainActor public struct PhotosPicker: View {  // Swift: PhotosUI for SwiftUI
  public init(_ title: String, selection: Binding<PhotosPickerItem?>, matching filter: PHPickerFilter?) {}  // Swift: PhotosUI for SwiftUI
  public var body: Never { fatalError() }  // Swift: PhotosUI for SwiftUI
}
