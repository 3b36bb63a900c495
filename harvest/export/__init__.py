"""Export a dataset: the images that may be published, with their splits, licences and sources, in a common format."""
