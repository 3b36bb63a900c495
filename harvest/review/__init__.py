"""The review page: look at every image, and reject the wrong ones."""
