"""Images: synthetic classes made on the spot, and real ones from files."""

from gahr_lib.data.c_alpha_images import c_alpha
from gahr_lib.data.disc_images import discs
from gahr_lib.data.fashion_images import fashion
from gahr_lib.data.ray_images import lit_ball, ray
from gahr_lib.data.sinusoid_images import sinusoids

__all__ = ["c_alpha", "discs", "fashion", "lit_ball", "ray", "sinusoids"]
