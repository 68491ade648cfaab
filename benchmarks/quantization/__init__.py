"""Quantizes nets in the ways that pictures or bytes are short: from ten photographs, and to weights of four bits."""
