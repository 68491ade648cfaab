"""This room takes a bundle and puts it into an app's project."""
