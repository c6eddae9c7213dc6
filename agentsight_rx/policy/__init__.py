"""
What may leave a capture, and what is to be said about it.

`redaction` finds secrets and puts labels in their place. `rules` has the filter language, and in `rules/guard` the rules that
raise alerts.
"""
