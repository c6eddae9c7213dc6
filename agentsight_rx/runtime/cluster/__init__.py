"""
Spools of many hosts -> the events and rows of each, on any number of workers, as one host would make them.

`job` takes one segment of one host, with the settings of the run. `output` has its graph between two states, and its files.
They lie in a `place`: a folder, or an object store by `objects`.
`plan` lists the open tasks and waits for more, `driver` runs them here or on Dask, and `load` puts the outputs into one store.
`shipping` copies the segments of a host to another place, and `notes` says how far it came.
"""

from .driver import Progress, run_here, run_on_dask
from .job import Done, Settings, Task, segment, settings_of
from .load import load
from .notes import ShipRefused, forget
from .place import Commit, Pins, Place, place_of
from .plan import Plan, follow, plan_of
from .shipping import Shipped, Shipper

__all__ = [
    "Commit",
    "Done",
    "Pins",
    "Place",
    "Plan",
    "Progress",
    "Settings",
    "ShipRefused",
    "Shipped",
    "Shipper",
    "Task",
    "follow",
    "forget",
    "load",
    "place_of",
    "plan_of",
    "run_here",
    "run_on_dask",
    "segment",
    "settings_of",
]
