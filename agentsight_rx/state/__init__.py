"""Storage: typed tables, and two stores with the same behaviour, in memory and in LMDB."""

from .lmdb_store import META, SCHEMA_VERSION, LmdbStore
from .memory import MemoryStore
from .store import Delete, Put, Store, Write
from .table import Key, Part, Table

__all__ = [
    "META",
    "SCHEMA_VERSION",
    "Delete",
    "Key",
    "LmdbStore",
    "MemoryStore",
    "Part",
    "Put",
    "Store",
    "Table",
    "Write",
]
