"""Holds what writes pictures into folders: as cameras do, and with labels, boxes and masks as exporters do."""
