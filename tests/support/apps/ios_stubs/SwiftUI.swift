// SwiftUI's interface as far as the app uses it. No listing of the real one is published: the test holds its names
// against SwiftUI code that is compiled with Apple's SDK, and names those that occur nowhere in it.
@_exported import Foundation
import UIKit
import UniformTypeIdentifiers

@MainActor public protocol View {
  associatedtype Body: View
  @ViewBuilder var body: Body { get }
}

extension Never: View {
  public var body: Never { fatalError() }
}

extension Optional: View where Wrapped: View {
  public var body: Never { fatalError() }
}

@resultBuilder public enum ViewBuilder {
  public static func buildExpression<Content: View>(_ content: Content) -> Content { content }
  public static func buildBlock<Content: View>(_ content: Content) -> Content { content }
  public static func buildBlock<each Content: View>(_ content: repeat each Content) -> TupleView { TupleView() }
  public static func buildIf<Content: View>(_ content: Content?) -> Content? { content }
  public static func buildEither<Content: View>(first: Content) -> TupleView { TupleView() }
  public static func buildEither<Content: View>(second: Content) -> TupleView { TupleView() }
}

@MainActor public struct TupleView: View {
  nonisolated public init() {}
  public var body: Never { fatalError() }
}

@MainActor public protocol Scene {}

@MainActor public protocol App {
  associatedtype Body: Scene
  var body: Body { get }
  init()
}

extension App {
  public static func main() {}
}

@MainActor public struct WindowGroup: Scene {
  public init<Content: View>(@ViewBuilder content: () -> Content) {}
}

@propertyWrapper public struct State<Value> {
  public init(wrappedValue: Value) { self.wrappedValue = wrappedValue }
  public var wrappedValue: Value { get { fatalError() } nonmutating set {} }
  public var projectedValue: Binding<Value> { fatalError() }
}

extension State {
  public init() where Value: ExpressibleByNilLiteral {}
}

public struct Binding<Value> {
}

@propertyWrapper public struct Environment<Value> {
  public init(_ path: KeyPath<EnvironmentValues, Value>) {}
  public var wrappedValue: Value { fatalError() }
}

public struct EnvironmentValues {
  public var scenePhase: ScenePhase { .active }
}

public enum ScenePhase: Comparable, Sendable {
  case background
  case inactive
  case active
}

@MainActor @dynamicMemberLookup @propertyWrapper public struct Bindable<Value: AnyObject> {
  public init(wrappedValue: Value) { self.wrappedValue = wrappedValue }
  public var wrappedValue: Value
  public var projectedValue: Bindable<Value> { self }
  public subscript<Subject>(dynamicMember path: ReferenceWritableKeyPath<Value, Subject>) -> Binding<Subject> { fatalError() }
}

@MainActor public struct NavigationStack: View {
  public init<Root: View>(@ViewBuilder root: () -> Root) {}
  public var body: Never { fatalError() }
}

@MainActor public struct List: View {
  public init<Content: View>(@ViewBuilder content: () -> Content) {}
  public var body: Never { fatalError() }
}

@MainActor public struct Section: View {
  public init<Content: View>(_ title: String, @ViewBuilder content: () -> Content) {}
  public var body: Never { fatalError() }
}

@MainActor public struct HStack: View {
  public init<Content: View>(@ViewBuilder content: () -> Content) {}
  public var body: Never { fatalError() }
}

@MainActor public struct VStack: View {
  public init<Content: View>(alignment: HorizontalAlignment, @ViewBuilder content: () -> Content) {}
  public var body: Never { fatalError() }
}

public struct HorizontalAlignment: Sendable {
  public static let leading = HorizontalAlignment()
}

@MainActor public struct Spacer: View {
  public init() {}
  public var body: Never { fatalError() }
}

@MainActor public struct Text: View {
  public init(_ content: String) {}
  public init<Format: FormatStyle>(_ input: Format.FormatInput, format: Format) where Format.FormatOutput == String {}
  public var body: Never { fatalError() }
}

@MainActor public struct LabeledContent: View {
  public init(_ title: String, value: String) {}
  public var body: Never { fatalError() }
}

@MainActor public struct ForEach: View {
  public init<Items: RandomAccessCollection, Content: View>(_ items: Items, @ViewBuilder content: @escaping (Items.Element) -> Content) where Items.Element: Identifiable {}
  public init<Items: RandomAccessCollection, ID: Hashable, Content: View>(_ items: Items, id: KeyPath<Items.Element, ID>, @ViewBuilder content: @escaping (Items.Element) -> Content) {}
  public var body: Never { fatalError() }
}

@MainActor public struct Picker: View {
  public init<Selection: Hashable, Content: View>(_ title: String, selection: Binding<Selection>, @ViewBuilder content: () -> Content) {}
  public var body: Never { fatalError() }
}

@MainActor public struct Button: View {
  public init(_ title: String, action: @escaping @MainActor () -> Void) {}
  public init(_ title: String, role: ButtonRole?, action: @escaping @MainActor () -> Void) {}
  public var body: Never { fatalError() }
}

public struct ButtonRole: Sendable {
  public static let cancel = ButtonRole()
}

@MainActor public struct ShareLink: View {
  public init(item: String) {}
  public var body: Never { fatalError() }
}

@MainActor public struct ProgressView: View {
  public init() {}
  public init(_ title: String, value: Double?) {}
  public var body: Never { fatalError() }
}

public struct Color: Sendable {
  init() {}
  public init(red: Double, green: Double, blue: Double) {}
  public static let red = Color()
  public static let secondary = Color()
  public static let black = Color()
  public static let white = Color()
  public static let blue = Color()
  public func opacity(_ share: Double) -> Color { self }
}

public struct Font: Sendable {
  public static let caption = Font()
}

@MainActor public struct Image: View {
  public init(uiImage: UIImage) {}
  public func resizable() -> Image { self }
  public var body: Never { fatalError() }
}

@MainActor public struct GeometryReader: View {
  public init<Content: View>(@ViewBuilder content: @escaping (GeometryProxy) -> Content) {}
  public var body: Never { fatalError() }
}

public struct GeometryProxy {
  public var size: CGSize { .zero }
}

@MainActor public protocol Shape: View {}

extension Shape {
  public func stroke(_ content: Color, lineWidth: CGFloat) -> some View { self }
  public func fill(_ content: Color) -> some View { self }
}

@MainActor public struct Rectangle: Shape {
  public init() {}
  public var body: Never { fatalError() }
}

@MainActor public struct Circle: Shape {
  public init() {}
  public var body: Never { fatalError() }
}

public enum ContentMode: Sendable {
  case fit
}

public struct AccessibilityChildBehavior: Sendable {
  public static let combine = AccessibilityChildBehavior()
}

extension View {
  public func task<ID: Equatable>(id value: ID, _ action: @escaping @Sendable @MainActor () async -> Void) -> some View { self }
  public func onDisappear(perform action: (() -> Void)?) -> some View { self }
  public func aspectRatio(_ ratio: CGFloat?, contentMode: ContentMode) -> some View { self }
  public func ignoresSafeArea() -> some View { self }
  public func accessibilityLabel(_ label: String) -> some View { self }
  public func fileImporter(isPresented: Binding<Bool>, allowedContentTypes: [UTType], onCompletion: @escaping (Result<URL, any Error>) -> Void) -> some View { self }
  public func task(_ action: @escaping @Sendable @MainActor () async -> Void) -> some View { self }
  public func onOpenURL(perform action: @escaping (URL) -> Void) -> some View { self }
  public func navigationTitle(_ title: String) -> some View { self }
  public func overlay<Content: View>(@ViewBuilder content: () -> Content) -> some View { self }
  public func alert<Actions: View, Message: View>(_ title: String, isPresented: Binding<Bool>, @ViewBuilder actions: () -> Actions, @ViewBuilder message: () -> Message) -> some View { self }
  public func scaledToFit() -> some View { self }
  public func frame(width: CGFloat?, height: CGFloat?) -> some View { self }
  public func offset(x: CGFloat, y: CGFloat) -> some View { self }
  public func font(_ font: Font?) -> some View { self }
  public func padding(_ length: CGFloat) -> some View { self }
  public func background(_ style: Color) -> some View { self }
  public func fixedSize() -> some View { self }
  public func disabled(_ isDisabled: Bool) -> some View { self }
  public func tag<Tag: Hashable>(_ tag: Tag) -> some View { self }
  public func foregroundStyle(_ style: Color) -> some View { self }
  public func accessibilityElement(children: AccessibilityChildBehavior) -> some View { self }
  public func onChange<Value: Equatable>(of value: Value, _ action: @escaping (Value, Value) -> Void) -> some View { self }
  public func fullScreenCover<Content: View>(isPresented: Binding<Bool>, @ViewBuilder content: @escaping () -> Content) -> some View { self }
}

@MainActor public protocol UIViewControllerRepresentable: View where Body == Never {
  associatedtype UIViewControllerType: UIViewController
  associatedtype Coordinator
  typealias Context = UIViewControllerRepresentableContext<Self>
  func makeUIViewController(context: Context) -> UIViewControllerType
  func updateUIViewController(_ controller: UIViewControllerType, context: Context)
  func makeCoordinator() -> Coordinator
}

extension UIViewControllerRepresentable {
  public var body: Never { fatalError() }
}

@MainActor public struct UIViewControllerRepresentableContext<Representable: UIViewControllerRepresentable> {
  public var coordinator: Representable.Coordinator { fatalError() }
}

@MainActor public protocol UIViewRepresentable: View where Body == Never {
  associatedtype UIViewType: UIView
  typealias Context = UIViewRepresentableContext<Self>
  func makeUIView(context: Context) -> UIViewType
  func updateUIView(_ view: UIViewType, context: Context)
}

extension UIViewRepresentable {
  public var body: Never { fatalError() }
}

@MainActor public struct UIViewRepresentableContext<Representable: UIViewRepresentable> {}
