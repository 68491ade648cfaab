"""Holds the tests of pictures, folders, shards and augmentation."""
