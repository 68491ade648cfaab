"""A program or bundles come in; bundles, verdicts, numbers, apps and a page go out."""
