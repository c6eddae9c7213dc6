"""
Spools of many hosts -> the events and rows of each, on any number of workers, as one host would make them.

`job` takes one segment of one host, and `analysis` is its graph between two states.
`commit`, `output` and `settings` are the files of a run. They lie in a `place`: a folder, or an object store by `objects`.
`plan` lists the open tasks, `driver` runs them here or on Dask, and `load` puts the outputs into one store.
`shipping` copies the segments of a host to another place. `notes` says how far it came; `following` waits for more.
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
