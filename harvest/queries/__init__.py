"""Query files: CSV to queries."""
