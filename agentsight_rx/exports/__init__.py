"""A recording as a file for other tools, one file a format: a store in, an iterator of the file's bytes out."""

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
