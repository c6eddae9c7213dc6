"""Storage: typed tables with indexes, contents kept once, and two stores with the same behaviour, in memory and in LMDB."""

from .compacting import compact
from .indexes import by_index, pages
from .lmdb_pages import is_lmdb
from .lmdb_store import META, SCHEMA_VERSION, LmdbStore, Upgrade
from .memory import MemoryStore
from .packs import PACKS, PackReader, PackWriter, compress, decompress
from .store import Delete, Put, Store, Write
from .table import Key, Part, Table

__all__ = [
    "META",
    "PACKS",
    "SCHEMA_VERSION",
    "Delete",
    "Key",
    "LmdbStore",
    "MemoryStore",
    "PackReader",
    "PackWriter",
    "Part",
    "Put",
    "Store",
    "Table",
    "Upgrade",
    "Write",
    "by_index",
    "compact",
    "compress",
    "decompress",
    "is_lmdb",
    "pages",
]
