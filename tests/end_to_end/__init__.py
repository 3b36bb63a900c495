"""The real command against the test Internet: from a query file to class folders."""
