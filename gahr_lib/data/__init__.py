"""Images: synthetic classes made on the spot, and real ones from files."""

from gahr_lib.data.c_alpha_images import c_alpha
from gahr_lib.data.disc_images import discs
from gahr_lib.data.duplicates import duplicates, remove_duplicates
from gahr_lib.data.fashion_images import fashion
from gahr_lib.data.image_folder import celeba, image_folder
from gahr_lib.data.photograph_images import photograph, photographs
from gahr_lib.data.pixel_order import shuffle_pixels, unshuffle_pixels
from gahr_lib.data.ray_images import lit_ball, ray
from gahr_lib.data.sinusoid_images import sinusoids
from gahr_lib.data.splits import split_halves

__all__ = [
    "c_alpha",
    "celeba",
    "discs",
    "duplicates",
    "fashion",
    "image_folder",
    "lit_ball",
    "photograph",
    "photographs",
    "ray",
    "remove_duplicates",
    "shuffle_pixels",
    "sinusoids",
    "split_halves",
    "unshuffle_pixels",
]
