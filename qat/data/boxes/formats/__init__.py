"""These readers take annotations as COCO, PASCAL VOC and YOLO write them, and return boxes in pixels."""
