"""Stages that make a list from a list."""

from __future__ import annotations

import itertools

from .stage import Stage


def _next_larger(a: list[int]) -> list[int]:
    return [next((y for y in a[i:] if y > x), 0) for i, x in enumerate(a)]


def _tank(a: list[int], k: int) -> list[int]:
    return list(itertools.accumulate(a, lambda level, x: sorted((0, level + x, k))[1], initial=0))[1:]


def _climb(a: list[int]) -> list[int]:
    return [x for i, x in enumerate(a) if all(y < x for y in a[:i])]


def _weave(a: list[int], b: list[int]) -> list[int]:
    return [x for pair in itertools.zip_longest(a, b) for x in pair if x is not None]


def _swaps(a: list[int]) -> list[int]:
    return [x for i in range(0, len(a), 2) for x in reversed(a[i : i + 2])]


def _one_pass(a: list[int]) -> list[int]:
    return [min(max(a[: i + 1]), a[i + 1]) for i in range(len(a) - 1)] + ([max(a)] if a else [])


def _halvings(a: list[int]) -> list[int]:
    return [(x & -x).bit_length() - 1 if x else 0 for x in a]


LIST_STAGES = (
    Stage(
        "running_sums",
        "sums",
        "the running sums of {a}",
        ("list",),
        "list",
        lambda a: list(itertools.accumulate(a)),
        (
            "$r = []\n$t = 0\n@each $x in $a\n    {{$t += $x|$r.append($t)}}\n    {{$r.append($t)|$t += $x}}",
            "$r = []\nfor $i in range(len($a)):\n    $r.append(sum($a[:$i{{ + 1|}}]))",
        ),
    ),
    Stage(
        "running_maxima",
        "tops",
        "the running maxima of {a}",
        ("list",),
        "list",
        lambda a: list(itertools.accumulate(a, max)),
        (
            "$r = []\n$m = {{None|0}}\n@each $x in $a\n    if $m is None or $x > $m:\n        $m = $x\n    $r.append($m)",
            "$r = []\n$m = {{$a[0] if $a else 0|0}}\n@each $x in $a\n    $m = max($m, $x)\n    $r.append($m)",
        ),
    ),
    Stage(
        "changes",
        "changes",
        "the differences between neighbours in {a}, each element minus the one before it",
        ("list",),
        "list",
        lambda a: [y - x for x, y in itertools.pairwise(a)],
        (
            "$r = []\n$p = None\n@each $x in $a\n    if $p is not None:\n        $r.append({{$x - $p|$p - $x}})\n    $p = $x",
            "$r = []\nfor $i in range(1, len($a)):\n    $r.append({{$a[$i] - $a[$i - 1]|$a[$i - 1] - $a[$i]}})",
        ),
    ),
    Stage(
        "distinct",
        "uniques",
        "the values of {a}, each one only at its first place",
        ("list",),
        "list",
        lambda a: list(dict.fromkeys(a)),
        (
            "$seen = set()\n$r = []\n@each $x in $a\n    if $x not in {{$seen|$r[-1:]}}:\n        $seen.add($x)\n"
            "        $r.append($x)",
            "$r = []\n@each $x in $a\n    if $x not in {{$r|$r[-1:]}}:\n        $r.append($x)",
        ),
    ),
    Stage(
        "squeeze",
        "squeezed",
        "{a} with each run of equal neighbours cut to one element",
        ("list",),
        "list",
        lambda a: [x for x, _ in itertools.groupby(a)],
        (
            "$r = []\n@each $x in $a\n    if {{not $r or $r[-1] != $x|$x not in $r}}:\n        $r.append($x)",
            "$r = $a[:1]\nfor $i in range(1, len($a)):\n    if {{$a[$i] != $a[$i - 1]|$a[$i] not in $r}}:\n"
            "        $r.append($a[$i])",
        ),
    ),
    Stage(
        "run_lengths",
        "lengths",
        "the lengths of the runs of equal neighbours in {a}",
        ("list",),
        "list",
        lambda a: [len(list(run)) for _, run in itertools.groupby(a)],
        (
            "$r = []\n$c = 0\n@each $i,$x in $a\n    $c += 1\n    if $i == len($a) - 1 or $a[$i + 1] != $x:\n"
            "        $r.append($c{{| - 1}})\n        $c = 0",
            "$r = []\n$p = None\n@each $x in $a\n    if $x == $p:\n        $r[-1] += 1\n    else:\n"
            "        $r.append({{1|0}})\n    $p = $x",
        ),
    ),
    Stage(
        "climb",
        "climb",
        "the elements of {a} that are larger than all elements before them",
        ("list",),
        "list",
        _climb,
        (
            "$r = []\n@each $x in $a\n    if not $r or $x {{>|>=}} $r[-1]:\n        $r.append($x)",
            "$r = []\n@each $i,$x in $a\n    if all($y {{<|<=}} $x for $y in $a[:$i]):\n        $r.append($x)",
        ),
    ),
    Stage(
        "next_larger",
        "larger",
        "for each element of {a} the next larger one to its right, or 0",
        ("list",),
        "list",
        _next_larger,
        (
            "$r = []\n@each $i,$x in $a\n    $m = 0\n    for $j in range($i + 1, len($a)):\n        if $a[$j] {{>|>=}} $x:\n"
            "            $m = $a[$j]\n            break\n    $r.append($m)",
            "$r = [0] * len($a)\n$q = []\n@each $i,$x in $a\n    while $q and $x {{>|>=}} $a[$q[-1]]:\n"
            "        $r[$q.pop()] = $x\n    $q.append($i)",
        ),
    ),
    Stage(
        "smaller_before",
        "ranks",
        "for each element of {a} how many elements before it are smaller",
        ("list",),
        "list",
        lambda a: [sum(y < x for y in a[:i]) for i, x in enumerate(a)],
        (
            "$r = []\n@each $i,$x in $a\n    $c = 0\n    for $j in range($i):\n        if $a[$j] {{<|<=}} $x:\n"
            "            $c += 1\n    $r.append($c)",
            "$r = []\n@each $i,$x in $a\n    $r.append(sum(1 for $y in $a[:$i] if $y {{<|<=}} $x))",
        ),
    ),
    Stage(
        "tank",
        "levels",
        "the levels of a tank that starts at 0, changes by each element of {a} in turn and stays between 0 and {k}",
        ("list",),
        "list",
        _tank,
        (
            "$r = []\n$t = 0\n@each $x in $a\n    $t += $x\n    if $t < 0:\n        $t = 0\n    elif $t > $k:\n"
            "        $t = {{$k|0}}\n    $r.append($t)",
            "$r = []\n$t = 0\n@each $x in $a\n    $t = max(0, $t + $x)\n    if $t > $k:\n        $t = {{$k|0}}\n    $r.append($t)",
        ),
        constants=(12, 15, 20, 25),
    ),
    Stage(
        "windows",
        "windows",
        "the sums of each {k} elements in a row of {a}",
        ("list",),
        "list",
        lambda a, k: [sum(a[i : i + k]) for i in range(len(a) - k + 1)],
        (
            "$r = []\nfor $i in range(len($a) - $k{{ + 1|}}):\n    $t = 0\n    for $j in range($i, $i + $k):\n"
            "        $t += $a[$j]\n    $r.append($t)",
            "$r = []\nfor $i in range(len($a) - $k{{ + 1|}}):\n    $r.append(sum($a[$i:$i + $k]))",
        ),
        constants=(2, 3),
    ),
    Stage(
        "swap_pairs",
        "swapped",
        "{a} with the first and second element swapped, the third and fourth, and so on",
        ("list",),
        "list",
        _swaps,
        (
            "$r = []\n$i = 0\nwhile $i {{< len($a)|+ 1 < len($a)}}:\n    if $i + 1 < len($a):\n        $r.append($a[$i + 1])\n"
            "    $r.append($a[$i])\n    $i += 2",
            "$r = $a[:{{|len($a) // 2 * 2}}]\nfor $i in range(0, len($r) - 1, 2):\n"
            "    $r[$i], $r[$i + 1] = $r[$i + 1], $r[$i]",
        ),
    ),
    Stage(
        "digit_sums",
        "digits",
        "the digit sums of the elements of {a}, without signs",
        ("list",),
        "list",
        lambda a: [sum(map(int, str(abs(x)))) for x in a],
        (
            "$r = []\n@each $x in $a\n    $y = abs($x)\n    $t = 0\n    while $y > {{0|9}}:\n        $t += $y % 10\n"
            "        $y //= 10\n    $r.append($t)",
            "$r = []\n@each $x in $a\n    $r.append(sum(int($y) for $y in str(abs($x)){{|[1:]}}))",
        ),
    ),
    Stage(
        "halvings",
        "twos",
        "for each element of {a} how often it can be halved without a remainder, and 0 for 0",
        ("list",),
        "list",
        _halvings,
        (
            "$r = []\n@each $x in $a\n    $c = {{0|1}}\n    $y = $x\n    while $y != 0 and $y % 2 == 0:\n        $y //= 2\n"
            "        $c += 1\n    $r.append($c)",
        ),
    ),
    Stage(
        "turn_blocks",
        "turned",
        "{a} with each block of {k} elements reversed, and so the shorter block at its end",
        ("list",),
        "list",
        lambda a, k: [x for i in range(0, len(a), k) for x in reversed(a[i : i + k])],
        (
            "$r = []\nfor $i in range(0, len($a){{| - $k + 1}}, $k):\n"
            "    for $j in range(min($i + $k, len($a)) - 1, $i - 1, -1):\n        $r.append($a[$j])",
            "$r = []\nfor $i in range(0, len($a){{| - $k + 1}}, $k):\n    $r += $a[$i:$i + $k][::-1]",
        ),
        constants=(3, 4),
    ),
    Stage(
        "weave",
        "woven",
        "the elements of {a} and {b} by turns, and then the rest of the longer one",
        ("list", "list"),
        "list",
        _weave,
        (
            "$r = []\nfor $i in range({{max|min}}(len($a), len($b))):\n    if $i < len($a):\n        $r.append($a[$i])\n"
            "    if $i < len($b):\n        $r.append($b[$i])",
            "$r = []\n$i = 0\nwhile $i < len($a) {{or|and}} $i < len($b):\n    $r += $a[$i:$i + 1] + $b[$i:$i + 1]\n    $i += 1",
        ),
    ),
    Stage(
        "one_pass",
        "passed",
        "{a} after one pass from left to right that swaps neighbours where the left one is larger",
        ("list",),
        "list",
        _one_pass,
        (
            "$r = []\n$m = 0\n@each $i,$x in $a\n    if $i == 0:\n        $m = $x\n    elif $x {{<|>}} $m:\n        $r.append($x)\n"
            "    else:\n        $r.append($m)\n        $m = $x\nif $a:\n    $r.append($m)",
            "$r = $a[:]\nfor $i in range(len($r) - 1):\n    if $r[$i] {{>|<}} $r[$i + 1]:\n"
            "        $r[$i], $r[$i + 1] = $r[$i + 1], $r[$i]",
        ),
    ),
    Stage(
        "evens_first",
        "parted",
        "the even elements of {a}, followed by the odd ones",
        ("list",),
        "list",
        lambda a: sorted(a, key=lambda x: x % 2),
        (
            "$r = []\n$q = []\n@each $x in $a\n    if $x % 2 == {{0|1}}:\n        $r.append($x)\n    else:\n"
            "        $q.append($x)\n$r += $q",
        ),
    ),
    Stage(
        "hail",
        "hail",
        "the elements of {a}, the even ones halved and the odd ones times {k} plus 1",
        ("list",),
        "list",
        lambda a, k: [(x // 2, k * x + 1)[x % 2] for x in a],
        (
            "$r = []\n@each $x in $a\n    if $x % 2 == 0:\n        $r.append($x // 2)\n    else:\n"
            "        $r.append($k * $x {{+|-}} 1)",
            "$r = [$x // 2 if $x % 2 == 0 else $k * $x {{+|-}} 1 for $x in $a]",
        ),
        constants=(3, 5),
    ),
    Stage(
        "rotate",
        "rotated",
        "{a} rotated to the left by {b} places",
        ("list", "number"),
        "list",
        lambda a, b: [a[(i + b) % len(a)] for i in range(len(a))],
        (
            "$r = []\nfor $i in range(len($a)):\n    $r.append($a[($i {{+|-}} $b) % len($a)])",
            "$n = {{|-}}$b % max(1, len($a))\n$r = $a[$n:] + $a[:$n]",
        ),
    ),
)
