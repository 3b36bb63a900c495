"""What train.py needs: from class folders to a classifier, and what to do with it."""
