"""
Storage: typed tables with indexes, contents kept once, and two stores with the same behaviour, in memory and in LMDB.

`table` has rows and indexes, `store` the interface of a store; `memory` and `lmdb_store` are its two forms.
Blocks: `blocks` compresses rows together. `block_heads` says by `heads` which blocks may have a value or a time, and reads
their rows in the order of time.
Contents: `cutting`, `packs` and `sent` keep each content once.
Questions: `indexes` says how rows are found.
Files: `lmdb_files` and `lmdb_pages` check a file before its use, and `compacting` makes one without its free pages.
LMDB: `lmdb_rows` is one transaction, and one value.
"""

from .compacting import compact
from .indexes import by_index, pages
from .lmdb_files import is_being_written
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
    "is_being_written",
    "is_lmdb",
    "pages",
]
