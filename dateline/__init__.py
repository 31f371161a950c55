"""The program."""

import os

# One vector against a few thousand is the largest product here: a second thread gains nothing, and
# where the other core was busy it made such a product about 12 times slower. Before numpy is
# imported; the encoder's engine has a setting of its own.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
