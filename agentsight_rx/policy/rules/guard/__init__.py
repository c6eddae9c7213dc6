"""
The rules of a guard: their file, the fields of the filter language that they use, and what they judge.

`file` reads the rules, and `built_in.toml` has ours. `deeds` is what they judge; `fields` and `values` are their words.
`danger` has the commands that a person should decide about. `compiled` makes one function for each kind of deed.
"""
