"""The tests, which share a small Internet and pictures made in code."""

import os

# Read by numpy and torch when they are imported. Matrices and networks of the tests are tiny. With more threads than
# cores, threads wait for each other in a busy loop: on a busy machine a training of 2 s took 28 s of CPU.
os.environ.setdefault("OMP_NUM_THREADS", "1")
