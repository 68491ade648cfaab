"""Holds what plays phones and boards."""
