"""Recipes: describe a dataset without its images, build it again, render it in another size, and merge two."""
