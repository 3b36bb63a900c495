"""Find, check and group the labelled images of a folder of class folders."""
