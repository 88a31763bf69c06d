"""Explorers: figures that a reader moves, in a notebook with a kernel or in a page without one.

Each is one Python file, which computes, and JavaScript files of its own, which draw; `draw.js` and
`explorer.css` are shared. They need the packages of the extra ``notebook``.
"""

from gahr_lib.widgets.shrinkage_explorer import ShrinkageExplorer

__all__ = ["ShrinkageExplorer"]
