"""A value -> whether it is more than a word or a name: what it must look like to be a secret."""

from __future__ import annotations

import re

__all__ = ["begins_random", "is_no_words", "is_random", "is_value", "is_very_random"]

# What stands for a value: a reference, an example, a type, a word for it
_NO_VALUE = re.compile(
    rb"(?i)\$\{.*|\$\(.*|\{\{.*|<[^>]*>|%[a-z_]+%|\$[a-z_]+|(?:[x*.-]|\xe2\x80[\xa2\xa6])+|\[redacted.*|your[ _-].*|"
    rb"(?:(?:my|the|some|api|access|auth|secret|client|private)[ _-]?)?"
    rb"(?:key|token|secret|password|passwd|passphrase|credentials?|string|str|text|value|here|example)|"
    rb"null|none|nil|undefined|true|false|required|optional|redacted|hidden|masked|any|bytes|number|integer|boolean|object",
    re.DOTALL,
)
_RANDOM = re.compile(
    rb"(?=[^0-9]*[0-9])(?=[^A-Za-z]*[A-Za-z])[A-Za-z0-9._~+/=:|%!@#^*-]{8,}|"
    rb"(?=[^A-Z]*[A-Z])(?=[^a-z]*[a-z])[A-Za-z0-9+/_-]{24,}={0,2}"
)
_VERY_RANDOM = re.compile(rb"[A-Za-z0-9+/_=-]{12,}")
_CHANGES = re.compile(rb"[0-9](?=[A-Za-z])|[A-Za-z](?=[0-9])")
_CHANGES_LEAST = 3  # so often digits and letters alternate in a random value, and rarely in a name
_BEGINS_RANDOM = re.compile(rb"[a-z]*[A-Z0-9][A-Za-z0-9._~+/=-]{3,}|[A-Za-z0-9._~+/=-]{8,}")


def is_value(value: bytes) -> bool:
    """Is this more than a word that stands for a value?"""
    return not value.isspace() and bool(value) and not _NO_VALUE.fullmatch(value.strip())


def is_random(value: bytes) -> bool:
    """Is this no word, no name and no number, but perhaps a name with a digit?"""
    return _RANDOM.fullmatch(value) is not None and is_value(value)


def is_very_random(value: bytes) -> bool:
    """Is this no name with a digit either?"""
    return _VERY_RANDOM.fullmatch(value) is not None and len(_CHANGES.findall(value)) >= _CHANGES_LEAST


def is_no_words(value: bytes) -> bool:
    """Is this more than words, such as `my-key-for-tests` and `YOUR_API_KEY`?"""
    return is_value(value) and not _WORDS.fullmatch(value)


_WORDS = re.compile(rb"[a-z]+(?:[ _.-][a-z]+)+|[A-Z]+(?:[ _.-][A-Z]+)+")


def begins_random(value: bytes) -> bool:
    """May this become random?"""
    return _BEGINS_RANDOM.fullmatch(value) is not None
