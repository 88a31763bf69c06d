"""Explorers: figures that a reader moves, in a notebook with a kernel or in a page without one.

Each is one Python file, which computes, and JavaScript files of its own, which draw; `draw.js`,
`explorer_frame.js` and `explorer.css` are shared. They need the packages of the extra ``notebook``.
"""

from gahr_lib.widgets.eigenbasis_explorer import EigenbasisExplorer
from gahr_lib.widgets.filter_explorer import FilterExplorer
from gahr_lib.widgets.live_eigenbasis_explorer import LiveEigenbasisExplorer
from gahr_lib.widgets.memorization_explorer import MemorizationExplorer
from gahr_lib.widgets.optimality_explorer import OptimalityExplorer
from gahr_lib.widgets.sampler_explorer import SamplerExplorer
from gahr_lib.widgets.shrinkage_explorer import ShrinkageExplorer

__all__ = [
    "EigenbasisExplorer",
    "FilterExplorer",
    "LiveEigenbasisExplorer",
    "MemorizationExplorer",
    "OptimalityExplorer",
    "SamplerExplorer",
    "ShrinkageExplorer",
]
