"""The filter language: text of rules -> functions that decide on one event."""
