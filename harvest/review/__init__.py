"""`harvest review`: a page to look at every image, and to keep, reject, move and rate it."""
