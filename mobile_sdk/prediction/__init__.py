"""This room turns what a net gives for one picture into classes, boxes, a mask or plain values, and draws them."""
