"""This room shows on a desktop what an app with a bundle will show of a picture."""
