import MobileSDKDemoCore
import SwiftUI
import UIKit

/// The picture as the model read it, and over it the places that it found.
struct AnswerPicture: View {
  let recognition: Recognition
  @State private var image: UIImage?

  var body: some View {
    if let picture = recognition.picture {
      Image(uiImage: image ?? UIImage())
        .resizable()
        .aspectRatio(Double(picture.width) / Double(picture.height), contentMode: .fit)
        .overlay { AnswerOverlay(answer: recognition.answer) }
        .accessibilityLabel("The picture as the model read it")
        .task(id: picture) { image = await PictureImage.image(of: picture) }
    }
  }
}

/// A mask and boxes, over what the model read.
struct AnswerOverlay: View {
  let answer: Answer
  @State private var mask: UIImage?

  var body: some View {
    GeometryReader { geometry in
      if let mask { Image(uiImage: mask).resizable() }
      ForEach(answer.found.reversed()) { thing in FoundBox(thing: thing, size: geometry.size) }
    }
    .task(id: answer.mask) {
      if let given = answer.mask { mask = await PictureImage.image(of: given) } else { mask = nil }
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
