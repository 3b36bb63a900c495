"""Images: bytes to `Picture`, or the reason why not. Pure: no files, no network.

formats    which format it is, by the first bytes; everything else is refused there
headers    how large it is, before anything is decoded
containers the walks through segments, chunks and boxes that others share
bare       the picture taken out of its metadata
items      the items of an AVIF or HEIC
coded_size the size of their frames, whatever the file announces
negative   the one place where Pillow decodes
colour     any pixels to 8 bits, on white, in sRGB
exif       what we write into a picture, and read back
darkroom   all of it in order
memory     what a decode takes, known from the header
allocation the one limit on what a decode, a resize or a crop may allocate
"""

from harvest.images.exif import read_hit, source_of
from harvest.images.memory_budget import memory_needed
from harvest.images.process import InspectedImage, inspect_image, process_image

__all__ = ["InspectedImage", "inspect_image", "memory_needed", "process_image", "read_hit", "source_of"]
