"""A harvest from queries to class folders."""
