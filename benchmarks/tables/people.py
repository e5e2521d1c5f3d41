"""Made-up tables about people, in the shapes that small networks train on: texts, gaps, rare classes."""

from __future__ import annotations

import numpy as np
from numpy.random import RandomState

from benchmarks.tables.table import Table, blank, choose, effect, happens, text


def passengers() -> Table:
    """891 passengers of a ship that sinks: who survives, with half of the cabins and some ages missing."""
    random, n = RandomState(1), 891
    first = random.choice([1, 2, 3], size=n, p=[0.24, 0.21, 0.55])
    sex = choose(random, ["male", "female"], [0.65, 0.35], n)
    age = np.clip(random.gamma(6, 5.2, n) - 2 * (first == 3), 0.5, 80).round()
    siblings = random.choice([0, 1, 2, 3, 4], size=n, p=[0.68, 0.23, 0.04, 0.03, 0.02])
    parents = random.choice([0, 1, 2, 3], size=n, p=[0.76, 0.13, 0.09, 0.02])
    fare = np.exp(random.normal(4.3 - 0.75 * first, 0.45)) * (1 + 0.4 * (siblings + parents))
    port = choose(random, ["S", "C", "Q"], [0.72, 0.19, 0.09], n)
    child, woman = age < 13, sex == "female"
    logit = -1.6 + 2.9 * woman - 1.4 * (woman & (first == 3)) + 1.0 * (first == 1) + 1.9 * child
    logit += -0.55 * np.maximum(siblings + parents - 2, 0) - 1.2 * (child & (first == 3))
    logit += effect(port, {"C": 0.35}) - 0.012 * (age - 30)
    deck = text([f"{'ABCDE'[random.randint(5)]}{random.randint(2, 120)}" for _ in range(n)])
    return Table(
        {
            "class": first.astype(np.float64),
            "sex": sex,
            "age": blank(random, age, 0.2),
            "siblings": siblings.astype(np.float64),
            "parents": parents.astype(np.float64),
            "fare": fare.round(2),
            "deck": blank(random, text([cell[0] for cell in deck]), np.where(first == 1, 0.2, 0.92)),
            "port": blank(random, port, 0.003),
            "survived": happens(random, logit),
        },
        "survived",
        True,
    )


def incomes() -> Table:
    """12,000 people: who earns more than a threshold, by education, work, hours and capital gains."""
    random, n = RandomState(2), 12_000
    age = np.clip(random.gamma(7, 5.5, n), 17, 90).round()
    schools = ["primary", "some-high", "high-school", "some-college", "bachelor", "master", "doctor"]
    school = choose(random, schools, [0.04, 0.1, 0.33, 0.24, 0.18, 0.08, 0.03], n)
    years = effect(school, dict(zip(schools, [5, 8, 10, 11.5, 14, 16, 19], strict=True)))
    jobs = ["clerk", "craft", "manager", "sales", "service", "machine", "professional", "farming", "other"]
    job = choose(random, jobs, [0.13, 0.14, 0.14, 0.12, 0.12, 0.1, 0.14, 0.04, 0.07], n)
    employer = choose(
        random, ["private", "self", "state", "federal", "none"], [0.72, 0.12, 0.1, 0.04, 0.02], n
    )
    married = random.uniform(size=n) < 1 / (1 + np.exp(-(age - 30) / 6)) * 0.72
    status = np.where(
        married, "married", choose(random, ["single", "divorced", "widowed"], [0.6, 0.3, 0.1], n)
    )
    sex = choose(random, ["male", "female"], [0.66, 0.34], n)
    hours = np.clip(random.normal(40.5, 12, n), 2, 99).round()
    gain = np.where(random.uniform(size=n) < 0.08, np.exp(random.normal(8.4, 1.1, n)), 0).round()
    logit = -3.6 + 0.33 * (years - 10) + 2.1 * married + 0.03 * (hours - 40)
    logit += -0.0035 * (age - 50) ** 2 / 2 + 0.9 + 1.1 * (gain > 5000) - 0.6 * ((gain > 0) & (gain < 3000))
    logit += effect(
        job, {"manager": 0.9, "professional": 0.6, "service": -0.9, "farming": -1.1, "craft": 0.1}
    )
    logit += 0.35 * (sex == "male") * (~married) + 0.5 * (employer == "federal")
    return Table(
        {
            "age": age,
            "employer": blank(random, employer, 0.055),
            "education": school,
            "status": text(status),
            "occupation": blank(random, job, 0.055),
            "sex": sex,
            "capital_gain": gain,
            "hours": hours,
            "income": happens(random, logit, ">50K", "<=50K"),
        },
        "income",
        True,
    )


def churn() -> Table:
    """7,000 customers of a telephone company: who leaves, by contract, months and charges."""
    random, n = RandomState(3), 7_000
    contract = choose(random, ["month-to-month", "one year", "two years"], [0.55, 0.21, 0.24], n)
    months = np.clip(random.exponential(22, n) + 20 * (contract == "two years"), 0, 72).round()
    internet = choose(random, ["fiber", "dsl", "no"], [0.44, 0.34, 0.22], n)
    has = {name: random.uniform(size=n) < share for name, share in _SERVICES.items()}
    services = {
        name: text(np.where(internet == "no", "no internet", np.where(yes, "yes", "no")))
        for name, yes in has.items()
    }
    payment = choose(random, ["check", "mail", "transfer", "card"], [0.34, 0.23, 0.22, 0.21], n)
    charge = 20 + effect(internet, {"fiber": 50, "dsl": 25}) + random.normal(0, 4, n)
    charge += sum(5 * (values == "yes") for values in services.values())
    total = charge * months * np.clip(random.normal(1, 0.03, n), 0.8, 1.2)
    logit = -1.1 + effect(contract, {"one year": -1.3, "two years": -2.4}) - 0.035 * months
    logit += effect(internet, {"fiber": 1.1, "no": -0.9}) + effect(payment, {"check": 0.5})
    logit += -0.7 * (services["support"] == "yes") * (internet == "fiber") - 0.5 * (
        services["security"] == "yes"
    )
    logit += 0.9 * (months < 4) * (contract == "month-to-month")
    return Table(
        {
            "months": months,
            "contract": contract,
            "internet": internet,
            **services,
            "senior": (random.uniform(size=n) < 0.16).astype(np.float64),
            "payment": payment,
            "charge": charge.round(2),
            "total": np.where(months == 0, np.nan, total.round(2)),
            "churn": happens(random, logit),
        },
        "churn",
        True,
    )


_SERVICES = {"security": 0.37, "backup": 0.44, "support": 0.37, "television": 0.5}


def deposits() -> Table:
    """10,000 calls of a bank: who opens a deposit, one in nine."""
    random, n = RandomState(4), 10_000
    jobs = ["admin", "blue-collar", "technician", "management", "retired", "student", "services", "unknown"]
    job = choose(random, jobs, [0.25, 0.22, 0.17, 0.14, 0.05, 0.03, 0.12, 0.02], n)
    age = np.clip(
        random.normal(40, 10, n) + 25 * (job == "retired") - 17 * (job == "student"), 18, 92
    ).round()
    months = ["jan", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]
    month = choose(random, months, [1, 1.3, 6.4, 33, 13, 17, 15, 1.4, 1.7, 10, 0.4], n)
    before = choose(random, ["nonexistent", "failure", "success"], [0.86, 0.1, 0.04], n)
    calls = 1 + random.geometric(0.42, n) - 1
    rate = np.where(np.isin(month, ["may", "jun", "jul", "aug"]), 4.8, 1.3) + random.normal(0, 0.25, n)
    balance = np.where(random.uniform(size=n) < 0.07, -1, 1) * np.exp(random.normal(6.2, 1.4, n))
    logit = -2.6 + effect(before, {"success": 2.6, "failure": 0.3}) - 0.42 * (rate - 2.5)
    logit += effect(job, {"student": 0.7, "retired": 0.6, "blue-collar": -0.3}) - 0.15 * np.minimum(
        calls, 8
    )
    logit += 1.1 * np.isin(month, ["mar", "sep", "oct", "dec"]) + 0.0012 * (age - 43) ** 2
    logit += 0.25 * np.tanh(balance / 2000) + 0.8 * (before == "failure") * (rate < 2)
    return Table(
        {
            "age": age,
            "job": job,
            "marital": choose(random, ["married", "single", "divorced"], [0.6, 0.28, 0.12], n),
            "balance": balance.round(),
            "loan": choose(random, ["no", "yes", "unknown"], [0.82, 0.15, 0.03], n),
            "month": month,
            "calls": calls.astype(np.float64),
            "before": before,
            "rate": rate.round(3),
            "deposit": happens(random, logit),
        },
        "deposit",
        True,
    )


def students() -> Table:
    """649 students: the final grade, 0 to 20, by school, family, habits and absences."""
    random, n = RandomState(5), 649
    study, failures = random.randint(1, 5, n), np.minimum(random.poisson(0.25, n), 3)
    absences, alcohol = random.poisson(random.gamma(1.2, 3.5, n)), random.randint(1, 6, n)
    mother, father = random.randint(0, 5, n), random.randint(0, 5, n)
    school = choose(random, ["GP", "MS"], [0.65, 0.35], n)
    wants = choose(random, ["yes", "no"], [0.89, 0.11], n)
    grade = (
        10.6 + 0.55 * study - 2.0 * failures + 0.35 * np.maximum(mother, father) - 1.2 * (school == "MS")
    )
    grade += 1.6 * (wants == "yes") - 0.07 * absences * (alcohol > 3) - 0.25 * alcohol
    grade += random.normal(0, 2.3, n)
    return Table(
        {
            "school": school,
            "sex": choose(random, ["F", "M"], [0.59, 0.41], n),
            "age": random.randint(15, 20, n).astype(np.float64),
            "mother_education": mother.astype(np.float64),
            "father_education": father.astype(np.float64),
            "mother_job": choose(
                random, ["home", "health", "services", "teacher", "other"], [2, 1, 3, 1, 4], n
            ),
            "study_time": study.astype(np.float64),
            "failures": failures.astype(np.float64),
            "wants_university": wants,
            "alcohol": alcohol.astype(np.float64),
            "absences": absences.astype(np.float64),
            "grade": np.clip(grade, 0, 20).round(),
        },
        "grade",
        False,
    )


def glucose() -> Table:
    """768 women: who has diabetes; blood pressure, insulin and skin are 0 where nobody measured."""
    random, n = RandomState(6), 768
    age = np.clip(21 + random.exponential(12, n), 21, 81).round()
    weight = np.clip(random.normal(32, 7, n), 18, 67)
    sugar = np.clip(random.normal(112 + 0.35 * (age - 33) + 0.6 * (weight - 32), 27), 44, 199).round()
    insulin = np.where(
        random.uniform(size=n) < 0.49, 0, np.exp(random.normal(4.6 + 0.01 * (sugar - 120), 0.6))
    )
    family = random.gamma(2.0, 0.23, n)
    logit = -1.1 + 0.037 * (sugar - 120) + 0.09 * (weight - 32) + 0.9 * (family - 0.47)
    logit += 0.05 * np.minimum(age - 33, 15) + 0.0009 * (sugar - 120) * (weight - 32)
    return Table(
        {
            "pregnancies": random.poisson(np.clip((age - 18) / 5, 0, 8)).astype(np.float64),
            "glucose": np.where(random.uniform(size=n) < 0.01, 0, sugar),
            "pressure": np.where(random.uniform(size=n) < 0.05, 0, random.normal(72, 12, n)).round(),
            "skin": np.where(
                random.uniform(size=n) < 0.3, 0, random.normal(29 + 0.6 * (weight - 32), 7)
            ).round(),
            "insulin": insulin.round(),
            "bmi": np.where(random.uniform(size=n) < 0.015, 0, weight).round(1),
            "pedigree": family.round(3),
            "age": age,
            "diabetes": happens(random, logit),
        },
        "diabetes",
        True,
    )


def credit() -> Table:
    """15,000 loans of which 3 % are not paid back, with incomes of heavy tails and some missing."""
    random, n = RandomState(7), 15_000
    income = np.exp(random.normal(8.4, 0.8, n))
    debt = random.beta(1.2, 3.5, n) * np.where(random.uniform(size=n) < 0.01, 20, 1)
    used = np.clip(random.beta(0.6, 1.2, n), 0, 1)
    late = random.poisson(random.gamma(0.25, 1.2, n))
    age = np.clip(random.normal(48, 14, n), 21, 95).round()
    purpose = choose(
        random, ["car", "house", "business", "other", "school"], [0.35, 0.2, 0.12, 0.25, 0.08], n
    )
    logit = -6.1 + 2.4 * used + 1.0 * np.minimum(late, 4) - 0.45 * (np.log(income) - 8.4)
    logit += -0.03 * (age - 48) + 0.7 * (purpose == "business") + 1.4 * (used > 0.9) * (late > 0)
    logit += 1.2 * np.minimum(debt, 1.5)
    return Table(
        {
            "income": blank(random, income.round(), 0.15),
            "debt_ratio": debt.round(4),
            "used": used.round(4),
            "late": late.astype(np.float64),
            "age": age,
            "dependents": blank(random, random.poisson(0.7, n).astype(np.float64), 0.03),
            "purpose": purpose,
            "default": happens(random, logit),
        },
        "default",
        True,
    )
