"""Detection: anchors and the box coder, losses, pictures with boxes, training."""
