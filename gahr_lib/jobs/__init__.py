"""Whole training runs: from a data set to weights and their card, in a folder, stopped at will."""

from gahr_lib.jobs.folder import RunFolder
from gahr_lib.jobs.images import ImageSets, load_images
from gahr_lib.jobs.job import Job
from gahr_lib.jobs.monitor import Monitor
from gahr_lib.jobs.settings import SCALES, Images, Run, make_run

__all__ = [
    "SCALES",
    "ImageSets",
    "Images",
    "Job",
    "Monitor",
    "Run",
    "RunFolder",
    "load_images",
    "make_run",
]
