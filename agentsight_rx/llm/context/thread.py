"""
The requests of one agent, in order -> how many tokens each piece has, since when and how often it was sent, and what it cost.

The counts of the provider are the truth. They say how long a request is up to certain places: its end, its last mark for the
cache, and the ends of the request before and of its answer. A piece alone between two such places is counted, and keeps its
tokens. Others share the rest by their tokens in earlier requests. New ones share by length; counted pieces of the same origin
say how long a token is. Whole numbers always add up. Without counts a token is taken for four bytes.

Longer than 300 lines because the places that a provider counts are known here alone.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Sequence
from operator import itemgetter
from typing import TypeAlias

from .anatomy import Anatomy
from .held import BYTES, Costs, Given, Held, Sent, Step, shared, size_of
from .pieces import MEDIA, Piece

# -- known places --------------------------------------------------------------------------------------------------
# What a request read from the cache, its marks -> up to which piece that is, where only one can be meant.


def read_up_to(held: Sequence[Held], most: int, points: Sequence[tuple[int, int]], tokens: int, /) -> tuple[int, int]:
    """
    The cache may have had the first `most` pieces, `points` are the (pieces, tokens) that are known already, and so many
    `tokens` came from the cache -> where a new point belongs among these, and the pieces up to there; 0: it is not known, or is
    known already.
    """
    place = bisect_right(points, tokens, key=itemgetter(1))
    low, counted = points[place - 1]
    if counted == tokens:
        return place, 0
    high = points[place][0] - 1 if place < len(points) else most
    marks = [at for at in range(low + 1, min(high, most) + 1) if held[at - 1].piece.mark]
    return place, marks[0] if len(marks) == 1 else 0


def fixed_in(held: Sequence[Held], /) -> int:
    """The pieces of a first request that an earlier session may have sent: all before its one prompt; 0 where it goes on."""
    said = next((at for at, each in enumerate(held) if each.piece.origin not in ("tools", "system")), 0)
    return said if all(each.piece.origin not in ("answer", "result", "kept") for each in held[said:]) else 0


# ------------------------------------------------------------------------------------------------------------------------


_LEARNT_LEAST = 64  # bytes: of a shorter piece the signs around it are a large part
_NEWEST = 3  # elements: their marks for the cache change
_FINE = 1024  # parts of a token in a weight
# Origins of what is not in a request: the provider has kept it from an earlier one, or the agent's own file leaves it out
KEPT, UNWRITTEN = "kept", "unwritten"
_HIDDEN = (KEPT, UNWRITTEN)  # they have no length


Learn: TypeAlias = Callable[[Sequence[Held], int], None]
_Element: TypeAlias = tuple[Piece, ...]


class Thread:
    """The context of one agent. The time of a step depends on the new part of the request."""

    def __init__(self) -> None:
        self.held: list[Held] = []
        self.gone: list[Held] = []  # dropped, with what they cost
        self.turn = 0
        self.made: list[Held] = []  # all that ever was in it, by number
        self.cleared: frozenset[int] = frozenset()  # numbers of what the provider takes out before the model reads it
        self.costs = Costs()
        self._given: list[Given] = []  # all requests
        self._front: list[_Element] = []  # tools and system
        self._said: list[_Element] = []
        self._points: list[tuple[int, int]] = []  # (pieces, tokens): so long is the context up to there
        self._sums: Counter[str] = Counter()
        self._dropped: dict[bytes, Held] = {}  # the newest of each digest in `gone`
        self._known: dict[bytes, int] = {}  # the tokens of what was counted alone, by digest
        self._bytes = 0
        self._rate = (BYTES, 1)  # bytes and tokens of the newest request that was counted
        self._rates: dict[str, tuple[int, int]] = {}  # the same of all that was counted alone, by origin
        self._ended: int | None = None  # tokens up to the end of the last request, and of its answer
        self._answered: int | None = None

    def add(self, request: Anatomy, sent: Sent, /, learn: Learn | None = None) -> Step:
        """
        The next request. `learn` is given the new pieces with the number of kept ones, and may set their kinds and
        `cleared`.
        """
        front, said = request.elements(said=False), request.elements(said=True)
        if sent.goes_on:
            said = [*self._said, (Piece(0, 0, KEPT, b"%d" % sent.turn),), *said]
        now = [*front, *said]
        same = _begins([*self._front, *self._said], now)
        given = Given(sent, len(front), same, now[same:])
        self._given.append(given)
        return self._take(given, now, learn)

    def until(self, requests: int, /) -> Thread:
        """The context as it was behind so many requests; their bodies are not needed again."""
        found = Thread()
        for given in self._given[:requests]:
            found._again(given)
        found.settle()
        return found

    def _again(self, given: Given) -> None:
        def learn(added: Sequence[Held], _: int) -> None:
            for held, kind in zip(added, given.kinds, strict=True):
                held.kind = kind
            self.cleared = given.cleared

        again = Given(given.sent, given.front, given.same, given.news)
        self._given.append(again)
        self._take(again, [*[*self._front, *self._said][: given.same], *given.news], learn)
        for number in given.named:
            self.named(number)

    def _take(self, given: Given, now: Sequence[_Element], learn: Learn | None) -> Step:
        sent, before = given.sent, len(self.held)
        first = sum(map(len, now[: given.same]))
        news = [piece for element in given.news for piece in element]
        more = 0
        for held, piece in zip(self.held[first:], news, strict=False):
            if held.piece.digest != piece.digest:
                break
            held.piece = piece
            more += 1
        self._front, self._said = list(now[: given.front]), list(now[given.front :])
        dropped, added = self._exchange(first + more, news[more:], sent.turn)
        kept_tokens, cleared = sum(self._sums.values()), self.cleared
        if learn is not None:
            learn(added, 0 if sent.goes_on else first + more)
        given.kinds, given.cleared = [held.kind for held in added], self.cleared
        self.turn = sent.turn
        changed = cleared ^ self.cleared
        same = (
            next((at for at, held in enumerate(self.held) if held.number in changed), first + more) if changed else first + more
        )
        self._count(min(same, first + more), sent)
        self.costs.pay(self.held, sent)
        usage = sent.usage if sent.usage and sent.usage.asked else None
        return Step(
            sent.turn,
            first + more,
            tuple(dropped),
            tuple(added),
            sums={origin: tokens for origin, tokens in self._sums.items() if tokens},
            total=usage.asked if usage else sum(self._sums.values()),
            usage=usage,
            before=before,
            kept_tokens=kept_tokens,
        )

    def settle(self) -> None:
        """Bring `requests`, `carried` and `cost` of all pieces up to the newest request."""
        for each in self.held:
            self.costs.settle(each)
            each.last = self.turn

    def named(self, number: int, /) -> None:
        """The newest request sends an answer with the name of this piece, which may have been dropped."""
        held = self.made[number]
        self.costs.settle(held)
        held.named_cost = held.cost
        self._given[-1].named.append(number)

    def _exchange(self, kept: int, news: Sequence[Piece], turn: int) -> tuple[list[Held], list[Held]]:
        """Behind the first `kept` pieces come `news`. A piece that was there before stays the same object."""
        behind = self.held[kept:]
        left: dict[bytes, list[Held]] = {}
        for each in reversed(behind):
            self.costs.settle(each)
            self._sums[each.kind] -= each.tokens
            self._bytes -= each.piece.size
            left.setdefault(each.piece.digest, []).append(each)
        del self.held[kept:]
        added: list[Held] = []
        for piece in news:
            again = left.get(piece.digest)
            if again:
                held = again.pop()
                held.piece, held.guess, held.tokens = piece, held.tokens, 0
            elif piece.digest in self._dropped:
                held = self._put_back(piece, turn)
                added.append(held)
            else:
                held = Held(piece, turn, kind=piece.origin, number=len(self.made))
                self.costs.begin(held)
                self.made.append(held)
                added.append(held)
            self.held.append(held)
            self._bytes += piece.size
        still = {id(each) for some in left.values() for each in some}
        dropped = [each for each in behind if id(each) in still]
        for each in dropped:
            each.last = self.turn
            each.gone = True
            self._dropped[each.piece.digest] = each
        self.gone += dropped
        return dropped, added

    def _put_back(self, piece: Piece, turn: int) -> Held:
        """A piece that was dropped in an earlier request is the same one again, with what it cost."""
        held = self._dropped.pop(piece.digest)
        self.gone = [each for each in self.gone if each is not held]
        held.left, held.again, held.gone = held.last, turn, False
        held.piece, held.guess, held.tokens = piece, held.tokens, 0
        self.costs.begin(held)
        return held

    def _count(self, kept: int, sent: Sent) -> None:
        usage = sent.usage
        points = self._points or [(0, 0)]
        del points[bisect_right(points, kept, key=itemgetter(0)) :]
        if usage is None or not usage.asked or not self.held:  # what was counted before stays so
            self._share(kept, len(self.held), None, sent)
            self._points, self._ended, self._answered = points, None, None
            return
        total, whole = usage.asked, len(self.held)
        answered = points[-1] == (kept, self._ended) and self._answered is not None
        while len(points) > 1 and (points[-1][1] > total or (points[-1][0] == whole and points[-1][1] != total)):
            points.pop()  # it cannot be, so it is not known
        stable = len(points)
        if usage.cache_read and usage.cache_read != usage.cached:
            most = kept if len(self._given) > 1 else fixed_in(self.held)
            place, mark = read_up_to(self.held, most, points, usage.cache_read)
            mark = 0 if mark == whole else mark  # how long the whole is says `total`
            if mark and place < len(points):  # between known places: both sides get their tokens at once
                self._share(points[place - 1][0], mark, usage.cache_read - points[place - 1][1], sent)
                self._share(mark, points[place][0], points[place][1] - usage.cache_read, sent)
                stable += 1
            if mark:
                points.insert(place, (mark, usage.cache_read))
        if answered:
            self._point(self._answer_from(kept), self._answered or 0, points, total)
        marked = next((at for at in range(whole, points[-1][0], -1) if self.held[at - 1].piece.mark), 0)
        if usage.cached:
            self._point(marked, usage.cached, points, total)
        if points[-1][0] < whole:
            points.append((whole, total))
        for (first, low), (stop, high) in zip(points[stable - 1 :], points[stable:], strict=False):
            self._share(first, stop, high - low, sent)
        self._points, self._ended = points, total
        seen = total - sum(self._sums[origin] for origin in _HIDDEN)
        self._rate = (self._bytes, seen) if self._bytes and seen > 0 else self._rate
        self._answered = None if sent.again is None else total + sent.again

    def _point(self, at: int, tokens: int, points: list[tuple[int, int]], total: int) -> None:
        """Another place up to which the tokens are known, where it can be one."""
        if points[-1][0] < at < len(self.held) and points[-1][1] <= tokens <= total:
            points.append((at, tokens))

    def _answer_from(self, start: int) -> int:
        """Where the answer of the request before ends, which stands behind so many pieces."""
        at = start
        while at < len(self.held) and self.held[at].piece.origin in ("answer", KEPT):
            at += 1
        return at

    def _share(self, first: int, stop: int, tokens: int | None, sent: Sent) -> None:
        """Give so many tokens to these pieces; None: estimate them."""
        pieces = self.held[first:stop]
        sizes = [0 if each.number in self.cleared else size_of(each.piece, sent.dialect) for each in pieces]
        if tokens is None:
            shares = [self._weight(held, size) // _FINE for held, size in zip(pieces, sizes, strict=True)]
            known = frozenset[int]()
        elif len(pieces) == 1:
            shares, known = [tokens], frozenset({0})
            if pieces[0].number not in self.cleared:
                self._learn(pieces[0].piece, tokens)
        else:
            shares, known = self._shares(pieces, tokens, sizes)
        for at, (held, share) in enumerate(zip(pieces, shares, strict=True)):
            if held.tokens != share:
                self.costs.settle(held)
                self._sums[held.kind] += share - held.tokens
                held.tokens = share
            held.exact = sent.whole and at in known

    def _shares(self, pieces: Sequence[Held], tokens: int, sizes: Sequence[int]) -> tuple[list[int], frozenset[int]]:
        """So many tokens in all, and which of them are as they were counted before."""
        counted = {
            at: self._known[each.piece.digest]
            for at, each in enumerate(pieces)
            if each.piece.digest in self._known and each.number not in self.cleared
        }
        left = tokens - sum(counted.values())
        if left < 0 or (len(counted) == len(pieces) and left):
            counted, left = {}, tokens
        others = [at for at in range(len(pieces)) if at not in counted]
        weights = [self._weight(pieces[at], sizes[at]) for at in others]
        hidden = [at for at, place in enumerate(others) if pieces[place].piece.origin in _HIDDEN]
        if hidden:  # it gets what the others leave
            rest = max(0, left * _FINE - sum(weights) + sum(weights[at] for at in hidden))
            for at in hidden:
                weights[at] = rest // len(hidden)
        shares = dict(counted)
        shares.update(zip(others, shared(left, weights), strict=True))
        return [shares[at] for at in range(len(pieces))], frozenset(counted)

    def _weight(self, held: Held, size: int) -> int:
        """Its tokens as far as they are known, times `_FINE`."""
        guess = held.tokens or held.guess
        if guess and held.number not in self.cleared:
            return guess * _FINE
        length, tokens = self._rates.get(held.piece.origin, self._rate)
        return size * _FINE * tokens // length

    def _learn(self, piece: Piece, tokens: int) -> None:
        """A piece was counted alone."""
        if piece.digest not in self._known and piece.size >= _LEARNT_LEAST and piece.origin != MEDIA:
            length, sum_ = self._rates.get(piece.origin, (0, 0))
            self._rates[piece.origin] = length + piece.size, sum_ + tokens
        self._known[piece.digest] = tokens


def _begins(before: list[_Element], now: list[_Element]) -> int:
    """How many elements at the begin are the same. Mostly all but the newest are."""
    at = max(0, len(before) - _NEWEST)
    if before[:at] != now[:at]:
        at = 0
    while at < min(len(before), len(now)) and (before[at] is now[at] or before[at] == now[at]):
        at += 1
    return at
