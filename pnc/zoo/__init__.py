"""A model zoo in a folder or at any fsspec location: networks, packages, and which source to clone from.

index.json                what is there, with the SHA-256 of each small file; written last
models/NAME/README.md     the model card, as Hugging Face has it
models/NAME/config.json   the same for programs, with the SHA-256 that is the weights' name
blobs/sha256-…            weights (safetensors)
signatures/sha256-…       G around a few pictures, so that a source is chosen without its weights
packages/NAME.pnc         clones; a clone is revoked by deleting its file
"""

from pnc.zoo._index import PackageEntry
from pnc.zoo.card import Card, Content
from pnc.zoo.select import Ranked, select_source
from pnc.zoo.signature import Signature, sign
from pnc.zoo.zoo import Zoo

__all__ = ["Card", "Content", "PackageEntry", "Ranked", "Signature", "Zoo", "select_source", "sign"]
