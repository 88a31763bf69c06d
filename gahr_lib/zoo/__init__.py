"""Trained networks: their recipes, their weights and their cards."""

from gahr_lib.weights import load_network, save_network
from gahr_lib.zoo.authors import load_authors, read_authors
from gahr_lib.zoo.networks import card, load_denoiser
from gahr_lib.zoo.recipes import LADDER, RECIPES, find_recipe, network_name, recipes
from gahr_lib.zoo.scales import Scale, scale

__all__ = [
    "LADDER",
    "RECIPES",
    "Scale",
    "card",
    "find_recipe",
    "load_authors",
    "load_denoiser",
    "load_network",
    "network_name",
    "read_authors",
    "recipes",
    "save_network",
    "scale",
]
