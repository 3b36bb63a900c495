"""Open the review page of a dataset, with the results of its newest training run, if there is one."""

FIRST_PORT = 8765
