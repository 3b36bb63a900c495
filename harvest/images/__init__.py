"""Images: bytes to a `Picture` or a `Refusal`. Pure: no files, no network.

detect_format         detect the format from the first bytes; refuse unsupported ones
headers               read the size of an image before anything is decoded
containers            iterate over JPEG segments, PNG chunks, GIF blocks and ISO boxes
strip_metadata        remove the metadata of an image
heif_items            read the items of an AVIF or HEIC file
heif_coded_size       read the real size of their frames
memory_budget         estimate the memory that a decode takes, and limit large decodes and single allocations
decode                the only module that decodes with Pillow
colour                convert to 8 bits, on white, in sRGB
write_and_read_exif   write the EXIF block, and read it back
find_xmp_and_c2pa     find the XMP and the Content Credentials of a file
xmp                   read single properties of XMP
content_credentials   read assertions of Content Credentials, which are encoded as `cbor`
opt_out_and_ai_marks  read what a file says of training and of how it was made
remove_white_padding  remove white padding
appearance            measure sharpness, colours and brightness
make_picture          run all steps in order
"""

from harvest.images.make_picture import InspectedImage, inspect_image, process_image
from harvest.images.memory_budget import limit_large_decodes, memory_needed
from harvest.images.write_and_read_exif import read_hit, source_of

__all__ = [
    "InspectedImage",
    "inspect_image",
    "limit_large_decodes",
    "memory_needed",
    "process_image",
    "read_hit",
    "source_of",
]
