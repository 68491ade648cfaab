"""Holds the nets that tests share."""
