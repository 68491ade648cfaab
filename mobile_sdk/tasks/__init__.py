"""Tasks: a net's output comes in, and what people read goes out: classes, boxes or masks, and their quality."""
