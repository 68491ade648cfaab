"""Defines the base of everything that is read from disk, the one reader of JSON, and tables for notebooks."""

from mobile_sdk.document.document import SHORT, Document, FiniteJson, cut, schema_number_of
from mobile_sdk.document.html_table import html_table
from mobile_sdk.document.json_text import parse_json

__all__ = ["SHORT", "Document", "FiniteJson", "cut", "html_table", "parse_json", "schema_number_of"]
