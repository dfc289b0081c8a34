"""The transferable module cut down to what M keeps: the same embedding, at a fraction of the time and size."""

from pnc.cloning.slicing._cost import tail_cost
from pnc.cloning.slicing._modules import Fill, Sum
from pnc.cloning.slicing._slice import SlicedTail, slice_clone, slice_tail

__all__ = ["Fill", "SlicedTail", "Sum", "slice_clone", "slice_tail", "tail_cost"]
