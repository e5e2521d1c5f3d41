"""Made-up tables of measurements: quantities in their units, counts by the hour, sounds and shells."""

from __future__ import annotations

import numpy as np
from numpy.random import RandomState

from benchmarks.tables.table import Table, blank, choose, effect, happens, text


def cars() -> Table:
    """398 cars: miles for a gallon, by weight, power, cylinders, year and origin."""
    random, n = RandomState(11), 398
    cylinders = random.choice([4.0, 6.0, 8.0], size=n, p=[0.52, 0.22, 0.26])
    volume = cylinders * random.normal(31, 5, n) + np.where(cylinders == 8, 90, 0)
    power = np.clip(volume * 0.38 + random.normal(28, 10, n), 46, 230).round()
    weight = (1500 + 7.6 * volume + random.normal(0, 220, n)).round()
    year = random.randint(70, 83, n).astype(np.float64)
    origin = choose(random, ["usa", "europe", "japan"], [0.62, 0.18, 0.2], n)
    miles = 62_000 / (weight + 350) + 0.55 * (year - 76) * (weight < 3000) + 0.25 * (year - 76)
    miles += effect(origin, {"japan": 2.0, "europe": 0.8}) - 0.015 * power + random.normal(4, 2.2, n)
    return Table(
        {
            "cylinders": cylinders,
            "displacement": volume.round(),
            "horsepower": blank(random, power, 0.015),
            "weight": weight,
            "acceleration": (20 - 0.04 * power + random.normal(0, 1.5, n)).round(1),
            "year": year,
            "origin": origin,
            "mpg": miles.round(1),
        },
        "mpg",
        False,
    )


def houses() -> Table:
    """8,000 districts: the price of a house, capped, by incomes and rooms of heavy tails and by place."""
    random, n = RandomState(12), 8_000
    north = random.uniform(size=n)
    west = random.uniform(size=n)
    income = np.clip(np.exp(random.normal(1.22, 0.45, n)), 0.5, 15)
    rooms = 5.4 * np.exp(random.standard_t(4, n) * 0.18)
    people = 2.9 * np.exp(random.standard_t(3, n) * 0.22)
    coast = west + 0.35 * north < 0.55
    city = np.exp(-((west - 0.3) ** 2 + (north - 0.7) ** 2) / 0.01) + np.exp(
        -((west - 0.45) ** 2 + (north - 0.2) ** 2) / 0.02
    )
    price = 0.9 + 0.36 * income + 0.6 * coast + 0.9 * city * np.sqrt(income / 4) - 0.25 * np.log(people)
    price *= np.exp(random.normal(0, 0.22, n))
    return Table(
        {
            "longitude": (-124 + 10 * west).round(2),
            "latitude": (32.5 + 9.5 * north).round(2),
            "age": random.randint(1, 53, n).astype(np.float64),
            "rooms": rooms.round(3),
            "bedrooms": blank(random, (rooms / 5 * random.normal(1, 0.08, n)).round(3), 0.01),
            "people": people.round(3),
            "households": np.exp(random.normal(6, 0.8, n)).round(),
            "income": income.round(4),
            "ocean": text(np.where(coast, np.where(west < 0.2, "near ocean", "<1h ocean"), "inland")),
            "price": (np.minimum(price, 5) * 100_000).round(-2),
        },
        "price",
        False,
    )


def concrete() -> Table:
    """1,030 mixtures: strength by water, cement, other parts and days, which count on a log scale."""
    random, n = RandomState(13), 1_030
    cement = random.uniform(102, 540, n)
    slag = np.where(random.uniform(size=n) < 0.46, 0, random.uniform(10, 360, n))
    ash = np.where(random.uniform(size=n) < 0.55, 0, random.uniform(60, 200, n))
    water = np.clip(random.normal(181, 21, n), 122, 247)
    days = random.choice(
        [1, 3, 7, 14, 28, 56, 90, 180, 365], size=n, p=np.array([1, 13, 12, 6, 42, 9, 9, 5, 3]) / 100
    )
    binder = cement + 0.75 * slag + 0.45 * ash
    strength = 26 * (binder / water) ** 1.15 * (0.28 + 0.22 * np.log1p(days)) / 1.05
    strength *= 1 - 0.12 * (ash > 150) * (days < 14)
    return Table(
        {
            "cement": cement.round(1),
            "slag": slag.round(1),
            "ash": ash.round(1),
            "water": water.round(1),
            "plasticizer": np.where(random.uniform(size=n) < 0.37, 0, random.uniform(2, 30, n)).round(1),
            "coarse": random.normal(973, 78, n).round(1),
            "fine": random.normal(774, 80, n).round(1),
            "days": days.astype(np.float64),
            "strength": (strength + random.normal(0, 4.2, n)).clip(2).round(2),
        },
        "strength",
        False,
    )


def bicycles() -> Table:
    """Every hour of 500 days: how many bicycles are lent, a count, by date, hour and weather."""
    random, n = RandomState(14), 500 * 24
    hour, day = np.arange(n) % 24, np.arange(n) // 24
    weekday, season = day % 7, np.sin(2 * np.pi * (day - 110) / 365)
    weather = choose(random, ["clear", "mist", "rain"], [0.64, 0.27, 0.09], n)
    warmth = 14 + 11 * season + 4 * np.sin(2 * np.pi * (hour - 9) / 24) + random.normal(0, 2.5, n)
    damp = np.clip(random.normal(62, 17, n) + 18 * (weather == "rain"), 10, 100)
    works = weekday < 5
    rush = np.exp(-((hour - 8) ** 2) / 2.5) + 1.3 * np.exp(-((hour - 17.5) ** 2) / 4)
    stroll = np.exp(-((hour - 14) ** 2) / 22)
    level = 3.1 + 0.55 * season + 0.0011 * day - 3.2 * np.exp(-((hour - 3.5) ** 2) / 7)
    level += np.where(works, 1.9 * rush + 0.9 * stroll, 2.0 * stroll) + 0.028 * np.minimum(warmth, 26)
    level += effect(weather, {"mist": -0.1, "rain": -0.9}) - 0.004 * (damp - 62)
    lent = random.poisson(np.exp(level) * random.gamma(12, 1 / 12, n))
    start = np.datetime64("2021-01-01T00:00")
    return Table(
        {
            "hour": hour.astype(np.float64),
            "weekday": text(np.array(["mon", "tue", "wed", "thu", "fri", "sat", "sun"])[weekday]),
            "date": (start + np.arange(n) * np.timedelta64(1, "h")).astype("datetime64[us]"),
            "weather": weather,
            "temperature": warmth.round(1),
            "humidity": damp.round(),
            "wind": random.gamma(2.2, 5.5, n).round(1),
            "lent": lent.astype(np.float64),
        },
        "lent",
        False,
    )


def heating() -> Table:
    """768 buildings on a grid of eight shapes: the energy for heating, all but free of noise."""
    random = RandomState(15)
    walls = [245, 294, 318.5, 343, 416.5]
    rows = [
        (height, wall, glass, side, facing)
        for height in (3.5, 7.0)
        for wall in walls
        for glass in (0.0, 0.1, 0.25, 0.4)
        for side in (1, 2, 3, 4, 5)
        for facing in (2, 3, 4, 5)
    ]
    chosen = np.array(rows)[random.permutation(len(rows))[:768]]
    height, wall, glass, side, facing = chosen.T
    roof = np.where(height > 5, 110 + 0.2 * (wall - 245), 220 - 0.1 * (wall - 245))
    heat = 4 + 3.1 * height * np.sqrt(wall / 300) - 0.02 * roof + 22 * glass * (1 + 0.15 * (height > 5))
    heat += 1.2 * (side == 1) * (glass > 0) + random.normal(0, 0.5, len(chosen))
    return Table(
        {
            "height": height,
            "wall": wall,
            "roof": roof.round(2),
            "glass": glass,
            "distribution": side,
            "orientation": facing,
            "heating": heat.round(2),
        },
        "heating",
        False,
    )


def wings() -> Table:
    """1,503 wing sections in a tunnel: the sound's level, a smooth function of five quantities."""
    random, n = RandomState(16), 1_503
    frequency = random.choice(200 * 2 ** np.arange(0, 7, 1 / 3), size=n).round()
    angle = random.choice([0, 2, 4, 5.4, 7.3, 9.9, 12.6, 15.6, 22.2], size=n)
    chord = random.choice([0.0254, 0.0508, 0.1016, 0.1524, 0.2286, 0.3048], size=n)
    speed = random.choice([31.7, 39.6, 55.5, 71.3], size=n)
    thick = chord * (0.008 + 0.006 * angle) * np.exp(random.normal(0, 0.05, n))
    peak = np.log2(speed / thick / 8)
    sound = 126 + 18 * np.log10(speed / 50) + 9 * np.log10(thick / 0.01)
    sound -= 1.15 * (np.log2(frequency) - peak) ** 2 + random.normal(0, 1.4, n) * 1.0 + 0.06 * angle
    return Table(
        {
            "frequency": frequency,
            "angle": angle.astype(np.float64),
            "chord": chord,
            "speed": speed,
            "thickness": thick.round(7),
            "sound": sound.round(3),
        },
        "sound",
        False,
    )


def echoes() -> Table:
    """208 echoes of rocks and metal in 60 bands: more columns than such few rows can well tell apart."""
    random, n = RandomState(17), 208
    metal = random.uniform(size=n) < 0.53
    bands = np.arange(60)
    center = np.where(metal, 24, 30) + random.normal(0, 6, n)
    shape = np.exp(-(((bands - center[:, None]) / 12) ** 2))
    second = np.where(metal, 0.45, 0.15)[:, None] * np.exp(-(((bands - center[:, None] - 20) / 5) ** 2))
    ripple = 0.12 * np.sin(bands / 2.5 + random.uniform(0, 6.3, n)[:, None])
    energy = np.clip(
        shape + second * random.uniform(0.3, 1.4, (n, 1)) + ripple + random.normal(0, 0.1, (n, 60)), 0, 1
    )
    columns = {f"band_{i + 1}": energy[:, i].round(4) for i in bands}
    return Table({**columns, "kind": text(np.where(metal, "M", "R"))}, "kind", True)


def shells() -> Table:
    """4,177 shells: rings, which are years, by sizes and weights that grow together and stop growing."""
    random, n = RandomState(18), 4_177
    rings = 3 + np.minimum(random.gamma(3.2, 2.1, n), 24).round()
    grown = 1 - np.exp(-rings / 5.5)
    length = np.clip(0.72 * grown * np.exp(random.normal(0, 0.13, n)), 0.07, 0.82)
    width = length * random.normal(0.79, 0.025, n)
    height = np.where(random.uniform(size=n) < 0.001, 0, width * random.normal(0.345, 0.03, n))
    whole = 6.3 * length**3 * np.exp(random.normal(0, 0.1, n))
    sex = np.where(
        rings < 7,
        choose(random, ["I", "M", "F"], [0.8, 0.1, 0.1], n),
        choose(random, ["M", "F", "I"], [0.46, 0.42, 0.12], n),
    )
    shell = whole * (0.22 + 0.006 * rings) * np.exp(random.normal(0, 0.07, n))
    return Table(
        {
            "sex": text(sex),
            "length": length.round(3),
            "diameter": width.round(3),
            "height": height.round(3),
            "whole_weight": whole.round(4),
            "meat_weight": (whole * random.normal(0.43, 0.03, n) - 0.003 * rings).clip(0.001).round(4),
            "shell_weight": shell.round(4),
            "rings": rings,
        },
        "rings",
        False,
    )


def faults() -> Table:
    """5,000 machines: five kinds of state by sensors, the rarest in one of 200 rows."""
    random, n = RandomState(19), 5_000
    kind = random.choice(5, size=n, p=[0.8, 0.1, 0.06, 0.035, 0.005])
    speed, load = random.normal(1500, 180, n), random.gamma(8, 5, n)
    heat = 40 + 0.4 * load + 12 * (kind == 1) + random.normal(0, 4, n)
    shake = 0.8 + 0.0006 * speed + 0.9 * (kind == 2) * (speed > 1450) + random.gamma(2, 0.15, n)
    current = 3 + 0.09 * load + 2.0 * (kind == 3) - 1.2 * (kind == 4) + random.normal(0, 0.5, n)
    names = np.array(["fine", "hot", "loose", "short", "worn"])
    return Table(
        {
            "model": choose(random, ["L", "M", "H"], [0.6, 0.3, 0.1], n),
            "speed": speed.round(),
            "load": load.round(1),
            "temperature": blank(random, heat.round(1), 0.02),
            "vibration": shake.round(3),
            "current": current.round(2),
            "state": text(names[kind]),
        },
        "state",
        True,
    )


def noise() -> Table:
    """600 rows of numbers and words that say nothing about the answer: 50 % is the best there is."""
    random, n = RandomState(20), 600
    columns = {f"x{i}": random.normal(size=n).round(4) for i in range(8)}
    words = choose(random, ["a", "b", "c", "d"], [1, 1, 1, 1], n)
    return Table({**columns, "word": words, "answer": happens(random, np.zeros(n))}, "answer", True)


def parity() -> Table:
    """2,000 rows: whether two of six numbers have one sign, which no sum of columns can tell."""
    random, n = RandomState(21), 2_000
    X = random.normal(size=(n, 6)).round(4)
    logit = 4 * np.tanh(3 * X[:, 0] * X[:, 1]) + 0.3 * X[:, 2]
    return Table({**{f"x{i}": X[:, i] for i in range(6)}, "same": happens(random, logit)}, "same", True)


def spirals() -> Table:
    """800 points on two spirals, a turn and a half each, with some noise."""
    random, n = RandomState(22), 800
    arm = random.randint(0, 2, n)
    turn = np.sqrt(random.uniform(0.02, 1, n)) * 3 * np.pi
    x = turn * np.cos(turn + np.pi * arm) + random.normal(0, 0.45, n)
    y = turn * np.sin(turn + np.pi * arm) + random.normal(0, 0.45, n)
    return Table({"x": x.round(4), "y": y.round(4), "arm": text(np.array(["a", "b"])[arm])}, "arm", True)
