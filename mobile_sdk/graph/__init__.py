"""This room holds operators as data and computes a phone's results of them, element for element."""
