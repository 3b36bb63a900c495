"""Migrations: the statement that turns a ledger of one version into the next; see also `schema.sql`."""

from __future__ import annotations

STEPS = {
    1: """
    CREATE TABLE split (
        deal    TEXT NOT NULL,
        content TEXT NOT NULL,
        part    TEXT NOT NULL CHECK (part IN ('train', 'valid', 'test')),
        PRIMARY KEY (deal, content)
    ) WITHOUT ROWID
    """,
    2: "CREATE TABLE dataset AS SELECT CAST(lower(hex(randomblob(16))) AS TEXT) AS id",
}
