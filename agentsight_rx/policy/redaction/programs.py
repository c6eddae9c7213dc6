"""
Words of a command -> the secrets that its programs take: `mysql -pX`, `vault login X`, `echo X | sudo -S`.

One table serves the arguments of a process, the command of a tool, a typed line, a script, and a line of any text.

Longer than 300 lines because a third of it is that table.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

from ...core.start import regex
from .fields import FLAG_KIND, Secret, secrets_of_cookies
from .lines import QUOTES, Word, words_of
from .names import is_secret_flag, name_kind
from .values import is_value, looks_secret

# programs | words that follow, in this order, or anywhere with + (expressions) | where the secrets stand:
#
#   -p      behind this flag: the next word, or what follows its equals sign      -p*  what follows in the same word
#           A letter may be the last of several (`curl -su`), unless the program has a long flag with one hyphen (`-pass`)
#   -u:     of that what follows a colon, -U% a percent sign, -u, a comma, -l= an equals sign; -a? a colon, if it has one
#   -b;     the values of cookies
#   -p!     only what looks random: a flag or a word of any program stands in the place of the program
#   @2      the second word without a flag; @-1 the last one; @1/ of that what is between a slash and an @
#   =       the values of all NAME=VALUE                   +   the word behind the name of a secret
#   <       what is piped into it, or stands behind <<<    <:  of that what follows a colon
_TABLE = r"""
mysql mysqldump mysqladmin mysqlimport mysqlsh mysqlcheck mariadb mariadb-dump mariadb-admin | | -p*
mysqladmin mariadb-admin | password | @-1
redis-cli valkey-cli keydb-cli | | -a --pass
--password-stdin --token-stdin --secret-stdin | | <
-u -U --user --username -user -xu -ru | | -p! -P! -xp!
-u -U --user --username | | @1:!
-pw -passwd | | @1!
/rp /rp: /p: | | @1!
redis-cli valkey-cli keydb-cli | (?i:auth|requirepass|masterauth) | @-1
sshpass | | -p -p*
docker podman nerdctl helm oras crane skopeo buildah az cf oc ibmcloud | login | -p
az | create|update | -p
skopeo podman buildah | | --src-creds: --dest-creds: --creds:
mongo mongosh mongodump mongorestore mongoexport mongoimport cqlsh rabbitmqadmin influx rdesktop ncftpput useradd usermod | | -p
sqlcmd bcp tsql osql mosquitto_pub mosquitto_sub unzip zip zipcloak | | -P -P*
ldapsearch ldapadd ldapmodify ldapdelete ldapwhoami ldappasswd | | -w -w* -s
7z 7za 7zz 7zr rar unrar | | -p* -hp*
smbclient rpcclient smbget | | -U%
openssl | | -pass -passin -passout -password -k -K -hmac
keytool jarsigner apksigner | | -storepass -keypass -srcstorepass -deststorepass --ks-pass --key-pass
htpasswd | -[A-Za-z]*n[A-Za-z]*b[A-Za-z]*|-[A-Za-z]*b[A-Za-z]*n[A-Za-z]* | @2
htpasswd | -(?!.*n)[A-Za-z]*b[A-Za-z]* | @3
vault | login | @1 =
vault | kv|write,put|patch|\S+/\S+ | =
npm pnpm yarn bun | config|set | +
npm yarn pnpm gem | publish|push|signin | --otp
aws | configure,set | +
aws | create-secret|put-secret-value|update-secret | --secret-string
aws | +SecureString | --value
heroku netlify | config:set|env:set | =
netlify | env:set | @2
gh glab | secret|variable,set | --body -b -b* -v
glab | variable,set | @2
gh | secret,set | <
gh glab | +--with-token|--stdin | <
cargo consul | login|set-agent-token | @-1
twine uv poetry flit hatch | upload|publish | -p
poetry | config,pypi-token\..* | @1
poetry composer | config,http-basic\..* | @2
pip pip3 git composer gem bundle pulumi conda dvc kaggle rclone gcloud | config | +
dotnet wpa_cli | user-secrets|set_network | +
pulumi | config,set,+--secret | @2
ssh-keygen | | -N -P
http https xh xhs | | -a? --auth?
curl | | -u: -u:* -U: --user: --proxy-user: -b; --cookie; --oauth2-bearer --pass --cert: -E:
wget | | --user: -b;
ipmitool aria2c op | | -P --rpc-secret --session
net | use | @-1
net | user | @2
sudo | +-[A-Za-z]*S[A-Za-z]*|--stdin | <
chpasswd | | <:
passwd | +--stdin | <
nmcli | | +
wpa_passphrase | | @2
xfreerdp xfreerdp3 wfreerdp | | /p:*
sqlplus sqlldr expdp impdp rman | | @1/
rabbitmqctl | add_user|change_password|authenticate_user | @2
kubectl oc | | --from-literal=
flyctl fly railway doppler supabase heroku vercel turso | secrets|variables|env,set | =
railway | variables | --set=
wrangler vercel flyctl fly | secret|secrets|env|variable,put|add|set|import | <
az eas | secret|secret:create | --value
snyk ngrok wandb huggingface-cli hf modal replicate | auth|authtoken|add-authtoken|login | @-1
rclone bw db2 identified IDENTIFIED Identified | obscure|unlock|using|by|BY | @1
bw | login | @2
k6 influx doctl glab | login|create|init | -t
gem | push | --key
gpg gpg2 gpgsm | +--passphrase-fd | <
lftp open | | -u,
mc | alias|config,set|add | @4
snmpwalk snmpget snmpset snmpbulkwalk snmptrap | | -A -X -c
cryptsetup kinit zfs pass secret-tool | | <
security | add-generic-password|add-internet-password | -w
security | unlock-keychain|create-keychain|set-keychain-password|import|export | -p -P
keyring gcloud | set|auth|secrets | <
read vncpasswd ssh-add | | <
docker podman | secret,create | <
netlify tailscale | deploy|up|login | --auth --authkey --auth-key
set | -[A-Za-z]*x[A-Za-z]* | +
setx setenv SetEnv ENV fastcgi_param uwsgi_param proxy_set_header define #define | | +
ConvertTo-SecureString | | @-1
requirepass masterauth AUTH | | @-1
snmp-server | community | @1
isakmp | key | @1
"""


class _Row(NamedTuple):
    verbs: tuple[re.Pattern[bytes], ...]
    anywhere: tuple[re.Pattern[bytes], ...]
    flags: tuple[tuple[bytes, str], ...]  # a flag, and what part of its value the secret is
    letters: tuple[tuple[bytes, str], ...]  # those of `flags` that may stand behind other letters in one word, and the same
    places: tuple[tuple[str, str], ...]  # another sign, and the same


_PLACE = regex(r"(--?[\w-]*\w|/\w+:)([*:%,=?;!]*)|([@=+<])(-?\d*)([:/]?!?)")


def _rows() -> dict[bytes, list[_Row]]:
    made: dict[bytes, list[_Row]] = {}
    for line in _TABLE.strip().splitlines():
        names, verbs, places = map(str.strip, line.replace("|", "\0", 1)[::-1].replace("|", "\0", 1)[::-1].split("\0"))
        wanted = [(verb.startswith("+"), regex(verb.removeprefix("+").encode())) for verb in verbs.split(",") if verb]
        parts = [_PLACE.fullmatch(place) for place in places.split()]
        flags = tuple((part[1].encode(), part[2]) for part in parts if part and part[1])
        row = _Row(
            tuple(verb for anywhere, verb in wanted if not anywhere),
            tuple(verb for anywhere, verb in wanted if anywhere),
            flags,
            tuple(_letters(flags)),
            tuple((part[3] + part[4], part[5]) for part in parts if part and part[3]),
        )
        for name in names.split():
            made.setdefault(name.encode(), []).append(row)
    return made


def _letters(flags: Sequence[tuple[bytes, str]]) -> Iterator[tuple[bytes, str]]:
    if not any(_ONE_HYPHEN.match(flag) for flag, _ in flags):
        yield from ((flag[1:], part) for flag, part in flags if _LETTER.fullmatch(flag) and not part.endswith("*"))


_LETTER = regex(rb"-[A-Za-z]")
_LETTERS = regex(rb"-[A-Za-z]{2,5}")  # flags in one word
_ONE_HYPHEN = regex(rb"-[A-Za-z]{2}")  # the begin of a long flag
_ROWS = _rows()


def may_be_of_program(data: bytes, start: int = 0, end: int = sys.maxsize, /) -> bool:
    """May a word here, whatever its escapes, be a program of the table, and another one what it must have?"""
    words = _ANY_WORD.findall(data, start, end)
    if _NAMES.isdisjoint(words):
        return False
    return not _WANTED.isdisjoint(words) or any(map(_LETTERS.fullmatch, words))


def _wanted(name: bytes, row: _Row) -> Iterator[bytes]:
    """One of these words is in each command with a secret, if it can be said which."""
    for verbs in (row.verbs, row.anywhere):
        if verbs and _LITERAL.fullmatch(verbs[-1].pattern):
            yield from verbs[-1].pattern.split(b"|")
            return
    flags = [flag for flag, part in row.flags if not part.endswith("*")]
    yield from flags if len(flags) == len(row.flags) and not row.places else (name,)


_ANY_WORD = regex(rb"(?:\\+[nrt])?([^\s\"'`;|&()/=\\]+)")
_LITERAL = regex(rb"[\w:|-]+")
_NAMES = frozenset(_ROWS)
_WANTED = frozenset(word for name, rows in _ROWS.items() for row in rows for word in _wanted(name, row))
_NESTED = regex(rb"\S\s+\S")
_DEPTH_MOST = 3


def secrets_of_words(words: Sequence[Word], check: Callable[[bytes], bool], depth: int = 0, /) -> Iterator[Secret]:
    """
    The secrets that stand where a program takes one. `check`: is a word that has no flag before it a secret? In the command of
    a process any value is one; in a text that may only mention the program it looks like one.
    """
    done: dict[int, int] = {}  # up to where the words were searched for the flags of a row
    for at, word in enumerate(words):
        if word.start < 0:
            continue
        rows = _ROWS.get(word.text[max(word.text.rfind(b"/"), word.text.rfind(b"=")) + 1 :].removesuffix(b".exe"))
        if rows is not None:
            command = _Command(words, at, check)
            for row in rows:
                yield from command.secrets(row, done)
        if word.quoted and depth < _DEPTH_MOST and _NESTED.search(word.text):  # a script in a word
            inner = [each._replace(start=each.start + word.start * (each.start >= 0)) for each in words_of(word.text)]
            yield from secrets_of_words(inner, check, depth + 1)


class _Command:
    """The words behind a program, up to the next command."""

    def __init__(self, words: Sequence[Word], at: int, check: Callable[[bytes], bool]) -> None:
        most = min(len(words), at + _ARGS_MOST)
        end = next((place for place in range(at + 1, most) if words[place].start < 0), most)
        self._words, self._at, self._end = words, at, end
        self._args = words[at + 1 : end]
        self._check = check

    def secrets(self, row: _Row, done: dict[int, int]) -> Iterator[Secret]:
        """`done`: the words before this place were searched for the flags of this row, and are not again."""
        args = self._args
        behind = 0
        for verb in row.verbs:
            place = next((place for place in range(behind, len(args)) if verb.fullmatch(args[place].text)), -1)
            if place < 0:
                return
            behind = place + 1
        if not all(any(verb.fullmatch(word.text) for word in args) for verb in row.anywhere):
            return
        first = max(0, done.get(id(row), 0) - self._at - 1)
        done[id(row)] = self._end
        for flag, part in row.flags if first < len(args) else ():
            yield from self._behind_flag(flag, part, first)
        for letter, part in row.letters if first < len(args) else ():
            yield from self._behind_letters(letter, part, first)
        for sign, part in row.places:
            yield from self._at_place(sign, part, args[behind:])

    def _behind_flag(self, flag: bytes, part: str, first: int) -> Iterator[Secret]:
        joined, part = part.endswith("*"), part.removesuffix("*")
        for place in range(first, len(self._args)):
            word = self._args[place]
            if not word.text.startswith(flag):
                continue
            rest = len(flag)
            following = self._args[place + 1] if place + 1 < len(self._args) else None
            if joined and len(word.text) > rest:
                yield from _secret(word, rest, part)
            elif len(word.text) == rest and following:
                may_be = following.quoted or not following.text.startswith(b"-")
                is_open = following.quoted and following.start == word.start + rest + 1  # behind a quote without its end
                if is_open if joined else may_be:
                    yield from _secret(following, 0, part)
            elif word.text[rest : rest + 1] == b"=":
                yield from _secret(word, rest + 1, part)

    def _behind_letters(self, letter: bytes, part: str, first: int) -> Iterator[Secret]:
        """Flags of one letter in one word, the last of which takes the next word."""
        for word, following in pairwise(self._args[first:]):
            is_last = word.text.endswith(letter) and _LETTERS.fullmatch(word.text)
            if is_last and (following.quoted or not following.text.startswith(b"-")):
                yield from _secret(following, 0, part)

    def _at_place(self, sign: str, part: str, args: Sequence[Word]) -> Iterator[Secret]:
        if sign == "<":
            if said := self._input():
                yield from _secret(said, 0, part)
            return
        plain = [word for word in args if word.quoted or not _OPTION.match(word.text)]
        if sign[0] == "@":
            number = int(sign[1:])
            index = number - 1 if number > 0 else len(plain) + number
            word = plain[index] if 0 <= index < len(plain) else None
            if word and (part or (not _PLACE_LIKE.match(word.text) and self._check(word.text))):
                yield from _secret(word, 0, part)
        elif sign == "=":
            for word in plain:
                if word.text.find(b"=") > 0:
                    yield from _secret(word, 0, "=")
        else:
            for word, following in pairwise(plain):
                name = _LAST_NAME.search(word.text)
                if name and (name_kind(name[0]) or is_secret_flag(name[0])):
                    yield from _secret(following, 0, "")

    def _input(self) -> Word | None:
        """What the program reads: behind `<<<`, or the last word of the `echo` before it, in `<(…)` or in `<<< $(…)`."""
        words, end = self._words, self._end
        if end + 1 < len(words) and words[end].text == b"<<<":
            return words[end + 1] if words[end + 1].text != b"$" else self._said_in(end + 2)
        if end < len(words) and words[end].text == b"(":
            return self._said_in(end)
        first = next((place for place in range(self._at - 1, max(-1, self._at - _ARGS_MOST), -1) if words[place].start < 0), -1)
        if first < 1 or words[first].text != b"|":
            return None
        start = next((place for place in range(first - 1, max(-1, first - _ARGS_MOST), -1) if words[place].start < 0), -1) + 1
        is_said = any(word.text.rsplit(b"/", 1)[-1] in _SAY for word in words[start:first])
        return words[first - 1] if is_said and first - 1 > start else None

    def _said_in(self, opens: int) -> Word | None:
        """The last word of an `echo` between parentheses, the first of which stands here."""
        words, most = self._words, min(len(self._words), opens + _ARGS_MOST)
        ends = next((place for place in range(opens + 1, most) if words[place].start < 0), most)
        is_said = any(word.text.rsplit(b"/", 1)[-1] in _SAY for word in words[opens + 1 : ends])
        return words[ends - 1] if is_said and ends - 1 > opens + 1 else None


_ARGS_MOST = 48  # words of a command
_SAY = (b"echo", b"printf")
_OPTION = regex(rb"-|/[A-Za-z]+(?::.*)?\Z")
_PLACE_LIKE = regex(rb"[/.~\\]|[A-Za-z][\w+.-]*://|[A-Za-z]:\Z|\Z")
_LAST_NAME = regex(rb"[A-Za-z_][\w.-]*\Z")
_PREFIX = regex(rb"pass:|(?=env:|file:|fd:|stdin|prompt|-\Z)")  # before a value of openssl; none is behind the others


def _secret(word: Word, start: int, part: str) -> Iterator[Secret]:
    """The part of a word that is a secret, from `start` on."""
    text, must_look = word.text, part.endswith("!")
    part = part.removesuffix("!")
    if text[start : start + 1] in QUOTES and text.endswith(text[start : start + 1]) and len(text) > start + 1:
        text, start = text[:-1], start + 1
    if part == ";":
        if b"=" in text[start:]:
            yield from (
                secret._replace(start=secret.start + word.start + start, end=secret.end + word.start + start)
                for secret in secrets_of_cookies(text[start:], first_only=False)
            )
        return
    if part == "?":
        start = max(start, text.find(b":", start) + 1)
    elif part:
        mark = text.find(part.encode(), start)
        if mark < 0:
            return
        start = mark + 1
    end = text.rfind(b"@") if part == "/" and b"@" in text[start:] else len(text)
    prefix = _PREFIX.match(text, start)
    if prefix is not None:
        if not prefix[0]:
            return
        start = prefix.end()
    value = text[start:end]
    if (looks_secret if must_look else is_value)(value) and not (part == ":" and value.isdigit()):
        yield Secret(word.start + start, word.start + end, FLAG_KIND)
