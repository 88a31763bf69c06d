"""Trained networks: their recipes, their weights and their cards."""

from gahr_lib.zoo.authors import load_authors, read_authors
from gahr_lib.zoo.networks import card, load_denoiser, load_network, save_network
from gahr_lib.zoo.recipes import RECIPES, Recipe, find_recipe

__all__ = [
    "RECIPES",
    "Recipe",
    "card",
    "find_recipe",
    "load_authors",
    "load_denoiser",
    "load_network",
    "read_authors",
    "save_network",
]
