/// Makes of a picture the bytes that a model reads, by the recipe of docs/bundle-format.md, to the byte as in Python.
public enum Preprocess {
  /// Returns `sizePx` × `sizePx` RGB of an upright picture of any size.
  public static func picture(_ picture: RGBPicture, for spec: ImageSpec) -> RGBPicture {
    let whole = PixelBox(left: 0, top: 0, width: picture.width, height: picture.height)
    let box = spec.fit == .crop ? centralSquare(of: whole, share: spec.cropShare) : whole
    return BilinearResize.resized(picture, box: box, toWidth: spec.sizePx, height: spec.sizePx)
  }

  /// Returns the picture that a screen shows beside the answer: all that the model reads of `picture`, of which
  /// `prepared` was made. A whole picture keeps its own proportions, and gets smaller where it is larger than a screen.
  public static func shown(_ picture: RGBPicture, prepared: RGBPicture, for spec: ImageSpec) -> RGBPicture {
    guard spec.fit == .stretch else { return prepared }
    let share = min(1, shownSidePx / Double(max(picture.width, picture.height)))
    let sides = [picture.width, picture.height].map { max(1, Int((Double($0) * share).rounded())) }
    let whole = PixelBox(left: 0, top: 0, width: picture.width, height: picture.height)
    return BilinearResize.resized(picture, box: whole, toWidth: sides[0], height: sides[1])
  }

  private static let shownSidePx = 1024.0

  private static func centralSquare(of whole: PixelBox, share: Double) -> PixelBox {
    let side = max(1, Int((Double(min(whole.width, whole.height)) * share + 0.5).rounded(.down)))
    return PixelBox(
      left: (whole.width - side) / 2, top: (whole.height - side) / 2, width: side, height: side)
  }
}

/// A part of a picture, in pixels. Nothing outside of it is read.
struct PixelBox {
  let left: Int
  let top: Int
  let width: Int
  let height: Int
}
