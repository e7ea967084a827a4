"""Amounts as Kubernetes writes them, such as 50m, 1.5 and 2Gi, so that they can be compared.

https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/quantity/
"""

from __future__ import annotations

import re
from decimal import ROUND_CEILING, Decimal
from typing import Final

_FORM: Final = re.compile(r"\+?([0-9]+\.?[0-9]*|\.[0-9]+)(?:([eE][+-]?[0-9]{1,3})|([A-Za-z]*))")
_FACTORS: Final = {
    "": Decimal(1),
    **{suffix: Decimal(10) ** power for suffix, power in {"n": -9, "u": -6, "m": -3, "k": 3}.items()},
    **{letter: Decimal(1000) ** power for power, letter in enumerate("MGTPE", 2)},
    **{f"{letter}i": Decimal(1024) ** power for power, letter in enumerate("KMGTPE", 1)},
}


def thousandths(text: str) -> Decimal:
    """How many thousandths it is, rounded up as the API server does with CPU and memory.

    Raises:
        ValueError: it is no amount.
    """
    found = _FORM.fullmatch(text)
    if found is None or (found[3] or "") not in _FACTORS:
        raise ValueError(f"{text!r} is no amount")
    size = Decimal(found[1] + (found[2] or "")) * _FACTORS[found[3] or ""]
    return (size * 1000).to_integral_value(ROUND_CEILING)
