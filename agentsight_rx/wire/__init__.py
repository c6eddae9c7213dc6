"""Protocols: bytes in, values out, without I/O, clock or Rx."""
