"""A value -> whether it is more than a word or a name: what it must look like to be a secret."""

from __future__ import annotations

import binascii
import re

from ...core.start import regex

# What stands for a value: a reference, an example, a type, a word for it
_NO_VALUE = regex(
    rb"(?i)\$\{.*|\$\(.*|\{\{.*|\{[a-z_][\w.]*\}|<[^>]*>(?::<[^>]*>)?|\[[a-z _-]+\]|%[a-z_]\w*%|\$[a-z_]\w*|\$[0-9@*#?]|"
    rb"(?:[x*.:-]|\xe2\x80[\xa2\xa6])+|"
    rb"\[redacted(?::[a-z-]{0,40}(?::[0-9a-f]{0,8})?)?\]?|your[ _-].*|"
    rb"[\w-]{0,40}?[x*]{4,}[\w-]{0,8}|"
    rb"(?:(?:my|the|some|api|access|auth|secret|client|private)[ _-]?)?"
    rb"(?:key|token|secret|password|passwd|passphrase|credentials?|string|str|text|value|here|example)|"
    rb"null|none|nil|undefined|true|false|required|optional|redacted|hidden|masked|dummy|placeholder|any|bytes|number|integer|boolean|object",
    re.DOTALL,
)
_RANDOM = regex(
    rb"(?=[^0-9]*[0-9])(?=[^A-Za-z]*[A-Za-z])[A-Za-z0-9._~+/=:|%!@#^*?$-]{8,}|"
    rb"(?=[^A-Z]*[A-Z])(?=[^a-z]*[a-z])[A-Za-z0-9+/_-]{24,}={0,2}"
)
_VERY_RANDOM = regex(rb"[A-Za-z0-9+/_=!#$%^&*?~.@-]{12,}")
_CHANGES = regex(rb"[0-9](?=[A-Za-z])|[A-Za-z](?=[0-9])")
_CHANGES_LEAST = 3  # so often digits and letters alternate in a random value, and rarely in a name
_BEGINS_RANDOM = regex(rb"[a-z]*[A-Z0-9][A-Za-z0-9._~+/=-]{3,}|[A-Za-z0-9._~+/=-]{8,}")


def is_value(value: bytes) -> bool:
    """Is this more than a word that stands for a value?"""
    return not value.isspace() and bool(value) and not _NO_VALUE.fullmatch(value.strip())


def is_random(value: bytes) -> bool:
    """Is this no word, no name and no number, but perhaps a name with a digit?"""
    return (_RANDOM.fullmatch(value) is not None or is_no_word(value)) and is_value(value)


def looks_secret(value: bytes) -> bool:
    """Is this no word of a text, also where no name says that it is a secret?"""
    return len(value) <= _LONGEST and (is_random(value) or (is_odd_word(value) and is_value(value)))


_LONGEST = 256  # bytes


def is_very_random(value: bytes) -> bool:
    """Is this no name with a digit either?"""
    return is_no_word(value) or (_VERY_RANDOM.fullmatch(value) is not None and len(_CHANGES.findall(value)) >= _CHANGES_LEAST)


def is_no_word(value: bytes) -> bool:
    """Letters of both cases: are they neither a word nor words written together, as in `userInput`?"""
    odd, parts = _odd_parts(value)
    return odd * 3 >= parts and (odd > 1 or parts == 1) and odd > 0


def is_odd_word(value: bytes) -> bool:
    """The same, where a name says that a secret stands here: is one part of it no word?"""
    return _odd_parts(value)[0] > 0 and not _ABOUT.search(value)


def _odd_parts(value: bytes) -> tuple[int, int]:
    """How many parts of this word with letters of both cases are no words, and how many parts it has; signs do not count."""
    if len(value) < _NO_WORD_LEAST or value.islower() or value.isupper() or _CAMEL.fullmatch(value):
        return 0, 0
    value = value.translate(None, _IN_PASSWORDS)
    if len(value) < _NO_WORD_LEAST or not value.isalpha():
        return 0, 0
    parts = _PARTS.findall(value)
    return sum(len(part) == 1 or not _VOWEL.search(part) or _CLUSTER.search(part) is not None for part in parts), len(parts)


_IN_PASSWORDS = b"!#$%^&*+?~._-"
_NO_WORD_LEAST = 8
_CAMEL = regex(rb"_*[A-Z]?[a-z]{2,}+(?:[_.]?[A-Z]?[a-z]{2,}+)*+")  # as most names are
_PARTS = regex(rb"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")
_VOWEL = regex(rb"[aeiouyAEIOUY]")
_CLUSTER = regex(rb"(?i)[bcdfghjklmnpqrstvwxz]{5}|q[^u]|[jv][bcdfghjklmnpqrstvwxz]|[hjkqvwxz]{2}")


def is_no_words(value: bytes) -> bool:
    """Is this more than words, such as `my-key-for-tests` and `YOUR_API_KEY`?"""
    return is_value(value) and not _WORDS.fullmatch(value)


_WORDS = regex(rb"[a-z]+(?:[ _.-][a-z]+)+|[A-Z]+(?:[ _.-][A-Z]+)+")


def begins_random(value: bytes) -> bool:
    """May this become random?"""
    return _BEGINS_RANDOM.fullmatch(value) is not None


def is_basic(token: bytes, cut: bool = False) -> bool:
    """Are these Base64 digits `user:password` (RFC 7617)? With `cut`, are they the beginning of it?"""
    digits = token.rstrip(b"=").translate(_STANDARD)
    digits = digits[: len(digits) & ~3] if cut else digits + b"=" * (-len(digits) % 4)
    try:
        text = binascii.a2b_base64(digits)
        return len(digits) >= 4 and (cut or b":" in text[1:]) and text.decode().isprintable()
    except ValueError:  # no Base64, or no text
        return False


_STANDARD = bytes.maketrans(b"-_", b"+/")  # RFC 4648 5 -> 4

# -- passwords, which need not be random ---------------------------------------------------------------------------------

_ABOUT = regex(rb"(?i)pass|pwd|secret|token|key|cred|auth|user")  # words about a secret are none
_NUMBERED = regex(
    rb"(?i)(?:arg|param|val|value|var|item|str|string|input|field|name|te?mp|sha|md|u?int|utf|base|row|col|data|result|text|"
    rb"line|hash|test|[a-z]{1,2})_?[0-9]+"
)
_NAME_IN_CODE = regex(rb"[$@&*%:!?-]{0,2}[A-Za-z_][\w$]*(?:(?:\??\.|->|::|[:/=+*%?-])[\w$*%]*)*[.!?]?")
_ONE_NAME = regex(rb"[A-Za-z_]\w*")
_MIXED = regex(rb"(?=[^0-9]*[0-9])[^A-Za-z]*[A-Za-z]")
_PLACE = regex(rb"(?:\w+:/)?[/~.]{1,2}/|[A-Za-z][\w+.-]*://|/\w")  # a path, or an address
_SIGNS = regex(rb"[!#$%^&*@?~+]")
_FORMAT = regex(rb"%[sdr]|%\(|\{|\$[\w({]|\\[dwsb(]|\.[*+]|\[\^")
_PIN = regex(rb"[0-9]{4,}")
_PASSWORD_LEAST, _MIXED_LEAST = 4, 6  # characters

# A word alone behind `password:`, in a schema, a message or a form
_SAID = frozenset(
    b"bool char varchar nvarchar blob clob binary float double decimal date datetime timestamp uuid int long short byte "
    b"array list map dict enum func function void self this inherit prompt ask askpass unset empty blank default "
    b"invalid incorrect missing wrong unknown expired changed updated unchanged disabled enabled plain plaintext "
    b"encrypted hashed bcrypt sha env stdin file input yes no on off ok new old same must may should can cannot was is "
    b"are has not only".split()
)


def is_mixed(value: bytes) -> bool:
    """Has this a digit and a letter, as `hunter2` has, and is it no name with a number, such as `arg2`?"""
    return (
        len(value) >= _MIXED_LEAST
        and _MIXED.match(value) is not None
        and not _ABOUT.search(value)
        and not _NUMBERED.fullmatch(value)
    )


def is_one_mixed_word(value: bytes) -> bool:
    """Is this such a word, in quotes?"""
    return is_odd_word(value) or (_ONE_WORD.fullmatch(value) is not None and is_mixed(value))


_ONE_WORD = regex(rb"[\w.~+/=:!@#^&*%-]+")


def is_name_in_code(value: bytes) -> bool:
    """Is this a name, a member of one, or names that an operator joins: what a program may say for a value?"""
    return _NAME_IN_CODE.fullmatch(value) is not None


def is_said_word(value: bytes) -> bool:
    """Is this one word in small letters, which may be a password where nothing but a value stands?"""
    return (
        len(value) >= _PASSWORD_LEAST and value.isalpha() and value.islower() and is_value(value)
        and value not in _SAID and not _ABOUT.search(value)
    )  # fmt: skip


def is_bare_password(value: bytes) -> bool:
    """Without quotes: more than a name, a number or an expression of code."""
    if len(value) < _PASSWORD_LEAST or not is_value(value) or _PLACE.match(value):
        return False
    if _ONE_NAME.fullmatch(value):
        return is_mixed(value)
    if is_name_in_code(value):
        return is_mixed(value) and _SIGNS.search(value, 1) is not None
    return bool(_SIGNS.search(value) or _MIXED.match(value)) and (value[:1].isalnum() or _MIXED.match(value) is not None)


def is_literal_password(value: bytes) -> bool:
    """In quotes, in code: more than a text about a password, a path or a format."""
    if not is_value(value) or len(value) < _PASSWORD_LEAST or _PLACE.match(value) or _FORMAT.search(value):
        return False
    if _PIN.fullmatch(value):
        return True
    return (bool(_MIXED.match(value)) or not _ABOUT.search(value)) and (b" " not in value or _MIXED.match(value) is not None)
