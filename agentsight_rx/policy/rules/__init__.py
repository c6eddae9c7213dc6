"""
The filter language: text of rules -> functions that decide on one event.

`syntax` reads the text of a filter, `patterns` its expressions and globs, and `compiler` makes functions of both.
`tls` tests records; `http` tests messages and exchanges, by the fields of `http_fields`.
`compat` keeps the meaning of the original, and `guard` has the rules of the guard.
"""
