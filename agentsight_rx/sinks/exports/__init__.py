"""
A recording as a file for other tools, one file a format: a store in, an iterator of the file's bytes out.

`har` takes its entries from `har_entry`. `perfetto` writes packets of `perfetto_packets`, in protobuf.
`atif` has trajectories, `csv_tables` CSV, and `tables` Arrow and Parquet.
The page in one file is no module here: `runtime/web/app` makes it with `view/page/embedded`.
"""

from __future__ import annotations

from .atif import atif
from .csv_tables import CSV_TABLES, CsvTable, csv_lines
from .har import har
from .perfetto import perfetto
from .tables import TABLES, TableName, arrow_table, parquet

__all__ = [
    "CSV_TABLES",
    "TABLES",
    "CsvTable",
    "TableName",
    "arrow_table",
    "atif",
    "csv_lines",
    "har",
    "parquet",
    "perfetto",
]
