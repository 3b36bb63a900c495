"""The parts of `tests/bench/fuzz.py`: damaged inputs for the real commands, and the rules that must hold.

bench       one worker: its folders with a decoy home, a process for each command, the rules
child       the code that runs in that process
findings    tracebacks to distinct failures
mutations   damaged bytes, texts, JSON and tables
image_files damaged images, by their structure
images      images through decoding, `predict` and `status`
answers     HTTP responses of image hosts through `get`
pages       pages of search providers through `get`
ledgers     `harvest.db` through `status`, `why`, `get` and `restore`
runs        the directory of a training through `train --resume`, `train` and `predict`
"""
