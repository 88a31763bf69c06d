"""Images: synthetic classes made on the spot, and real ones from files."""

from gahr_lib.data.c_alpha_images import c_alpha
from gahr_lib.data.disc_images import discs
from gahr_lib.data.fashion_images import fashion

__all__ = ["c_alpha", "discs", "fashion"]
