"""Formats of boxes: annotations as COCO, PASCAL VOC and YOLO write them come in, and boxes in pixels go out."""
