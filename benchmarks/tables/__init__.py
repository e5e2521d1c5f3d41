"""Tables by name: those that scikit-learn ships, and made-up ones in the shapes that people have."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from benchmarks.tables import people, things
from benchmarks.tables.shipped import SHIPPED
from benchmarks.tables.table import Table

TABLES: Mapping[str, Callable[[], Table]] = SHIPPED | {
    function.__name__: function
    for function in (
        *(people.passengers, people.incomes, people.churn, people.deposits),
        *(people.students, people.glucose, people.credit),
        *(things.cars, things.houses, things.concrete, things.bicycles, things.heating, things.wings),
        *(things.echoes, things.shells, things.faults, things.noise, things.parity, things.spirals),
    )
}
"""Every table's maker by its name; each makes the same table each time."""

__all__ = ["TABLES", "Table"]
