"""The real command on the small Internet: from a query file to class folders, and everything in between."""
