/// Makes of a picture the bytes that a model reads, by the recipe of docs/reference/bundle-format.md, to the byte as in Python.
public enum Preprocess {
  /// Returns an upright RGB picture of any size in the size and the channels of `spec`.
  public static func picture(_ picture: RGBPicture, for spec: ImageSpec) -> RGBPicture {
    let box = part(of: picture, for: spec)
    let source = spec.channels == 1 ? picture.grey : picture
    return BilinearResize.resized(source, box: box, toWidth: spec.sides.width, height: spec.sides.height)
  }

  /// Returns the picture that a screen shows beside the answer: all that the model reads of `picture`, of which
  /// `prepared` was made. A whole picture keeps its own proportions, and gets smaller where it is larger than a screen.
  public static func shown(_ picture: RGBPicture, prepared: RGBPicture, for spec: ImageSpec) -> RGBPicture {
    guard spec.fit == .stretch else { return prepared.inColour }
    let share = min(1, shownSidePx / Double(max(picture.width, picture.height)))
    let sides = [picture.width, picture.height].map { max(1, Int((Double($0) * share).rounded())) }
    let whole = PixelBox(left: 0, top: 0, width: picture.width, height: picture.height)
    return BilinearResize.resized(picture, box: whole, toWidth: sides[0], height: sides[1])
  }

  /// Returns the part of a picture that the model reads.
  static func part(of picture: RGBPicture, for spec: ImageSpec) -> PixelBox {
    let whole = PixelBox(left: 0, top: 0, width: picture.width, height: picture.height)
    return spec.fit == .crop ? centralPart(of: whole, for: spec) : whole
  }

  private static let shownSidePx = 1024.0

  /// The largest part in the middle that has the proportions of `spec`, less what its share leaves out.
  private static func centralPart(of whole: PixelBox, for spec: ImageSpec) -> PixelBox {
    let (width, height, sides) = (whole.width, whole.height, spec.sides)
    let isWide = width * sides.height >= height * sides.width
    let fullWidth = isWide ? Double(height * sides.width) / Double(sides.height) : Double(width)
    let fullHeight = isWide ? Double(height) : Double(width * sides.height) / Double(sides.width)
    let (wide, high) = (rounded(fullWidth * spec.cropShare), rounded(fullHeight * spec.cropShare))
    return PixelBox(left: (width - wide) / 2, top: (height - high) / 2, width: wide, height: high)
  }

  private static func rounded(_ length: Double) -> Int { max(1, Int((length + 0.5).rounded(.down))) }
}

/// A part of a picture, in pixels. Nothing outside of it is read.
struct PixelBox {
  let left: Int
  let top: Int
  let width: Int
  let height: Int
}
