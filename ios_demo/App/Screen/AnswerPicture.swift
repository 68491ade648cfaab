import MobileSDKDemoCore
import SwiftUI
import UIKit

/// The picture as the model read it, and over it the places that it found.
struct AnswerPicture: View {
  let recognition: Recognition

  var body: some View {
    if let picture = recognition.picture, let image = PictureImage.image(of: picture) {
      Image(uiImage: image)
        .resizable()
        .scaledToFit()
        .overlay {
          GeometryReader { geometry in
            if let mask = recognition.answer.mask, let image = PictureImage.image(of: mask) {
              Image(uiImage: image).resizable()
            }
            ForEach(recognition.answer.found.reversed()) { thing in FoundBox(thing: thing, size: geometry.size) }
          }
        }
        .accessibilityElement(children: .combine)
    }
  }
}

/// One thing's box over a picture that is shown in a size, with its label and share at the top left.
private struct FoundBox: View {
  let thing: Found
  let size: CGSize

  var body: some View {
    let box = thing.box(width: size.width, height: size.height)
    let color = LabelColor(labelIndex: thing.what.labelIndex)
    Rectangle()
      .stroke(Color(color), lineWidth: 3)
      .frame(width: box.width, height: box.height)
      .offset(x: box.left, y: box.top)
    Text("\(thing.what.label) \(thing.what.share.formatted(.percent.precision(.fractionLength(0))))")
      .font(.caption)
      .foregroundStyle(color.isBright ? Color.black : Color.white)
      .padding(2)
      .background(Color(color))
      .fixedSize()
      .offset(x: box.left, y: box.top)
  }
}

extension Color {
  init(_ color: LabelColor) { self.init(red: color.red, green: color.green, blue: color.blue) }
}
