"""Images: bytes to `Picture`, or the reason why not. Pure: no files, no network.

formats         which format the bytes are in, by the first ones; any other format is refused
headers         the size of an image, read before anything is decoded
containers      iterators over JPEG segments, PNG chunks, GIF blocks and ISO boxes
strip_metadata  the image without its metadata
heif_items      the items of an AVIF or HEIC file
coded_size      the size of their frames, whatever the file announces
decode          the only place where Pillow decodes
colour          any pixels to 8 bits, on white, in sRGB
exif            the EXIF block that is written, and read back
process         all of it in order
memory_budget   the memory that a decode takes, known from the header
allocation      the limit on what a decode, a resize or a crop may allocate
"""

from harvest.images.exif import read_hit, source_of
from harvest.images.memory_budget import memory_needed
from harvest.images.process import InspectedImage, inspect_image, process_image

__all__ = ["InspectedImage", "inspect_image", "memory_needed", "process_image", "read_hit", "source_of"]
