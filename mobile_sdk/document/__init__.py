"""Defines the base of everything that is read from disk, and the one reader of JSON."""

from mobile_sdk.document.document import SHORT, Document, FiniteJson, cut, schema_number_of
from mobile_sdk.document.json_text import parse_json

__all__ = ["SHORT", "Document", "FiniteJson", "cut", "parse_json", "schema_number_of"]
