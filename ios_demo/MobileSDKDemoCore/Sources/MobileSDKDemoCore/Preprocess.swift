/// From a picture to the bytes that a model reads: the recipe of docs/bundle-format.md, to the byte as in Python.
public enum Preprocess {
  /// `sizePx` × `sizePx` RGB of an upright picture of any size.
  public static func picture(_ picture: RGBPicture, for spec: ImageSpec) -> RGBPicture {
    let whole = PixelBox(left: 0, top: 0, width: picture.width, height: picture.height)
    let box = spec.fit == .crop ? centralSquare(of: whole, share: spec.cropShare) : whole
    return BilinearResize.resized(picture, box: box, toSide: spec.sizePx)
  }

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
