"""The compiled loops over bags of words (see `bag`).

numba knows that what it keeps is out of date when the file of the function changed, not when
another one did: so these call and read nothing of other modules.
"""

from __future__ import annotations

from math import exp, log, log1p, sqrt

import numpy as np
from numpy.typing import NDArray

from processors.compiled import compiled

Keys = NDArray[np.uint32]
Weights = NDArray[np.float32]
Floats = NDArray[np.float64]
Numbers = NDArray[np.int64]

# The heaviest terms carry the cosine; this bounds the memory of an article and each comparison.
TERMS = 48
# Few headlines have more words that say anything.
TITLE = 16
WIDTH = TERMS + TITLE
NAMES, NUMBERS = 24, 16
# Where in a block the names begin, the numbers, and the next block.
NAMED = 2 * WIDTH
NUMBERED = NAMED + NAMES
BLOCK = NUMBERED + NUMBERS
# A term of the headline counts as if it stood this often in the text.
TITLE_TIMES = 3
# The headline of an article without one: so many words of the text.
OPENING = 12
# Slots of a table of a bag's keys: a power of two, four times as many as there can be keys.
SLOTS = 256


@compiled
def counted(heading: Keys, body: Keys) -> tuple[Keys, Floats]:
    """The distinct keys in order, and how often each stands."""
    distinct = np.empty(len(heading) + len(body), dtype=np.uint32)
    times = np.zeros(len(distinct))
    size = 16
    while size < 4 * len(distinct):
        size *= 2
    slots = np.zeros(size, dtype=np.int64)
    found = 0
    for part, more in ((body, 1), (heading, TITLE_TIMES)):
        for key in part:
            at = place_in(slots, distinct, key)
            if slots[at] == 0:
                distinct[found] = key
                found += 1
                slots[at] = found
            times[slots[at] - 1] += more
    return distinct[:found], times[:found]


@compiled
def mark(keys: Keys, lengths: Numbers, short: int) -> None:
    """Tells short words by the last bit; none is 0, which is no key."""
    for n in range(len(keys)):
        keys[n] = keys[n] | 1 if lengths[n] <= short else max(2, keys[n] & 0xFFFFFFFE)


@compiled
def fill(
    distinct: Keys, times: Floats, rarity: Floats, opening: Keys, keys: Keys, weights: Weights
) -> None:
    """The block of an article whose headline, or what stands for it, is `opening`."""
    tfidf, named = np.zeros(len(distinct)), np.zeros(len(distinct))
    for n in range(len(distinct)):
        tfidf[n] = (1 + log(times[n])) * rarity[n]
        for key in opening:
            if key == distinct[n]:
                named[n] = rarity[n]
                break
    length, whole = 0.0, 0.0
    chosen = heaviest(distinct, tfidf, TERMS)
    for n in chosen:
        length += tfidf[n] * tfidf[n]
    for i in range(len(chosen)):
        keys[i] = distinct[chosen[i]]
        weights[WIDTH + i] = tfidf[chosen[i]] / sqrt(length)
    chosen = heaviest(distinct, named, TITLE)
    for n in chosen:
        whole += named[n]
    for i in range(len(chosen)):
        keys[TERMS + i] = distinct[chosen[i]]
        weights[WIDTH + TERMS + i] = named[chosen[i]] / whole


@compiled
def place_in(slots: Numbers, keys: Keys, key: int) -> int:
    """The slot with the number (from 1 on) of the key among `keys`, or the free one for it."""
    last = len(slots) - 1
    at = (key >> 1) & last
    while slots[at] != 0 and keys[slots[at] - 1] != key:
        at = (at + 1) & last
    return at


@compiled
def table_of(keys: Keys) -> Numbers:
    """Slots for up to a quarter as many keys; key 0 ends them."""
    slots = np.zeros(SLOTS, dtype=np.int64)
    for n in range(len(keys)):
        if keys[n] == 0:
            break
        slots[place_in(slots, keys, keys[n])] = n + 1
    return slots


@compiled
def heaviest(keys: Keys, weights: Floats, most: int) -> Numbers:
    """The numbers of the highest weights over 0, heaviest first; of equals the lower key."""
    chosen = np.empty(most, dtype=np.int64)
    held = 0
    for n in range(len(keys)):
        if weights[n] <= 0.0:
            continue
        at = held
        while at > 0:
            other = chosen[at - 1]
            if weights[other] > weights[n]:
                break
            if weights[other] == weights[n] and keys[other] < keys[n]:
                break
            at -= 1
        if at == most:
            continue
        held = min(held + 1, most)
        for i in range(held - 1, at, -1):
            chosen[i] = chosen[i - 1]
        chosen[at] = n
    return chosen[:held]


@compiled
def grow(made: Keys, floats: Weights, size: int, keys: Keys, weights: Weights, sign: int) -> int:
    """Adds to the `size` first columns in place; how many columns there are then."""
    room = 16
    while room < 4 * (size + len(keys)):
        room *= 2
    slots = np.zeros(room, dtype=np.int64)
    for n in range(size):
        slots[place_in(slots, made[0], made[0, n])] = n + 1
    for i in range(len(keys)):
        at = place_in(slots, made[0], keys[i])
        n = slots[at] - 1
        if n < 0:
            if sign < 0:
                continue
            n = size
            size += 1
            made[0, n] = keys[i]
            slots[at] = size
        floats[1, n] += sign * weights[i]
        made[2, n] += sign
    left = 0
    for n in range(size):
        if made[2, n] != 0:
            for line in range(3):
                made[line, left] = made[line, n]
            left += 1
    return left


@compiled
def products(keys: Keys, weights: Weights, first: int, most: int, found: Weights) -> None:
    for one in range(found.shape[0]):
        own = keys[one, first : first + most]
        heavy = weights[one, WIDTH + first : WIDTH + first + most]
        slots = table_of(own)
        for other in range(found.shape[1]):
            found[one, other] = shared(own, heavy, slots, keys[other], weights[other], first, most)


# -- an article against the stories in question ----------------------------------------------------


@compiled
def compare(
    said: tuple[Keys, Weights],
    cosines: Weights,
    about: Floats,
    blocks: tuple[Keys, Weights],
    sums: tuple[Keys, Weights],
    lengths: Numbers,
    article: tuple[float, float],
    rows: Floats,
) -> None:
    """Fills the first columns of `rows`, one for each story, in the order of `signals.NAMES`.

    `said`: the article's block. `cosines`: to the members of stories of more than one. `about`,
    `sums` and `lengths`: see `signals` (without sums a story says what its newest member does).
    `blocks`: of all members. `article`: the background, whether it is a headline."""
    own, heavy = said[0][:TERMS], said[1][WIDTH : WIDTH + TERMS]
    title, share = said[0][TERMS:WIDTH], said[1][WIDTH + TERMS :]
    slots, title_slots = table_of(own), table_of(title)
    background, headline_only = article
    names, numbers = said[0][NAMED:NUMBERED], said[0][NUMBERED:BLOCK]
    member, measured, at = 0, 0, 0
    for story in range(len(about)):
        members = int(about[story, 4])
        centre = about[story, 5]
        nearest, total, both, headlines_alike = 0.0, 0.0, 0.0, 0.0
        first = member
        for one in range(first, first + members):
            cosine = centre
            if not alone(about[story]):
                cosine = np.float64(cosines[measured])
                measured += 1
            nearest = max(nearest, cosine)
            total += cosine
            both = max(both, shared(own, heavy, slots, blocks[0][one], blocks[1][one], 0, TERMS))
            alike = least(title, share, title_slots, blocks[0][one], blocks[1][one])
            headlines_alike = max(headlines_alike, alike)
        member += members
        originals = about[story, 0]
        keys, weights, counts, count = (
            sums[0][at : at + lengths[story, 0, 0]],
            sums[1][at + lengths[story, 0, 0] : at + 2 * lengths[story, 0, 0]],
            sums[0][at + 2 * lengths[story, 0, 0] : at + 3 * lengths[story, 0, 0]],
            lengths[story, 0, 0],
        )
        at += lengths[story, 0, 1]
        their_names = sums[0][at : at + lengths[story, 1, 0]]
        at += lengths[story, 1, 1]
        their_numbers = sums[0][at : at + lengths[story, 2, 0]]
        at += lengths[story, 2, 1]
        if count == 0 and member > first:
            newest = blocks[0][member - 1]
            keys, weights = newest[:TERMS], blocks[1][member - 1, WIDTH : WIDTH + TERMS]
            their_names, their_numbers = newest[NAMED:NUMBERED], newest[NUMBERED:BLOCK]
        product, square, rare, core, core_kept, known = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
        for n in range(len(keys)):
            if keys[n] == 0:
                break
            square += np.float64(weights[n]) * weights[n]
            in_core = count == 0 or originals <= 2 or 2 * counts[n] >= originals
            if in_core:
                core += weights[n]
            found = slots[place_in(slots, own, keys[n])]
            if found:
                product += np.float64(weights[n]) * heavy[found - 1]
                rare += heavy[found - 1]
                if in_core:
                    core_kept += weights[n]
            found = title_slots[place_in(title_slots, title, keys[n])]
            if found:
                known += share[found - 1]
        same_names, other_names = overlap(names, their_names)
        same_numbers, other_numbers = overlap(numbers, their_numbers)
        headlines = about[story, 1] / originals if originals else 0.0
        values = (
            centre,
            nearest,
            total / members if members else 0.0,
            centre - background,
            product / sqrt(square) if square > 0 else 0.0,
            both,
            known,
            core_kept / core if core > 0 else 0.0,
            same_names,
            other_names,
            same_numbers,
            other_numbers,
            log1p(about[story, 2]),
            about[story, 3],
            abs(headline_only - headlines),
            nearest * both,
            headlines_alike,
            log1p(rare),
        )
        for n in range(len(values)):
            rows[story, n] = values[n]


@compiled
def alone(about: Floats) -> bool:
    """Whether the story is one article, which is its centre then."""
    return bool(about[0] == 1 and about[4] == 1)


@compiled
def shared(
    own: Keys, heavy: Weights, slots: Numbers, keys: Keys, weights: Weights, first: int, most: int
) -> float:
    """The product of the article's bag with that of a block, from `first` on."""
    total = 0.0
    for n in range(first, first + most):
        if keys[n] == 0:
            break
        found = slots[place_in(slots, own, keys[n])]
        if found:
            total += np.float64(heavy[found - 1]) * weights[WIDTH + n]
    return total


@compiled
def least(title: Keys, share: Weights, slots: Numbers, keys: Keys, weights: Weights) -> float:
    """The share of two headlines that both have."""
    total = 0.0
    for n in range(TERMS, WIDTH):
        if keys[n] == 0:
            break
        found = slots[place_in(slots, title, keys[n])]
        if found:
            total += min(share[found - 1], weights[WIDTH + n])
    return total


@compiled
def overlap(found: Keys, known: Keys) -> tuple[float, float]:
    """(log of how many are shared, 1 when both have some and share none)."""
    if len(found) == 0 or found[0] == 0 or len(known) == 0 or known[0] == 0:
        return 0.0, 0.0
    same = 0
    for key in found:
        if key == 0:
            break
        for other in known:
            if key == other:
                same += 1
                break
    return (log1p(same), 0.0) if same else (0.0, 1.0)


@compiled
def set_against(
    rows: Floats, measured: int, ahead: Numbers, mixes: Floats, slopes: Floats, levels: Floats
) -> None:
    """Fills the columns from `measured` on: each candidate against its rivals, see signals."""
    count, at = len(rows), measured
    for column in ahead:
        best, second = -np.inf, -np.inf
        for n in range(count):
            value = rows[n, column]
            if value > best:
                best, second = value, best
            elif value > second:
                second = value
        for n in range(count):
            value = rows[n, column]
            rows[n, at] = value - (second if value == best else best) if count > 1 else 0.0
        at += 1
    for mix in range(len(mixes)):
        total = 1.0
        for n in range(count):
            level = 0.0
            for column in range(measured):
                level += mixes[mix, column] * rows[n, column]
            rows[n, at] = exp(slopes[mix] * (level - levels[mix]))
            total += rows[n, at]
        for n in range(count):
            rows[n, at] /= total
        at += 1


@compiled
def most(
    rows: NDArray[np.int32], counts: Numbers, weights: Weights, sums: Floats, limit: int
) -> Numbers:
    """The rows with the highest sums, at most so many, highest first; of equals the lower row. So
    many `counts` of the rows have each of the weights. `sums`, by row, are 0 before and after."""
    at = 0
    for term in range(len(counts)):
        for n in range(at, at + counts[term]):
            sums[rows[n]] += weights[term]
        at += counts[term]
    best = np.empty(limit, dtype=np.int64)
    found = 0
    while found < limit:
        row = -1
        for n in range(at):
            one = rows[n]
            if sums[one] > 0 and (
                row < 0 or sums[one] > sums[row] or (sums[one] == sums[row] and one < row)
            ):
                row = one
        if row < 0:
            break
        best[found] = row
        found += 1
        sums[row] = 0.0
    for n in range(at):
        sums[rows[n]] = 0.0
    return best[:found]
