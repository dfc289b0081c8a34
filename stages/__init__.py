"""The benchmark's stages: each runs as ``python -m stages.NAME``, with or without DVC."""

import os

# Before torch is loaded: on a busy machine threads that spin while they wait slow each other down twentyfold.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
