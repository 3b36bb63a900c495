"""The ledger: what was searched, found, placed and decided, in one SQLite file."""
