"""Exported models: which rows have an answer that does not depend on the order of sums."""

import numpy as np

import glassnet as gn
from glassnet.export.model import Column, Feature, Member, Model
from glassnet.export.sources.runs import answers_of


def test_overflows_are_rows_whose_terms_are_too_large_though_their_sum_is_not():
    network = gn.Network((2, 1), output="identity")
    theta = network.initialize(0)
    theta.flat[:] = [2.0, -2.0, 0.0]
    columns = tuple(Column(name, place, ()) for place, name in enumerate("ab"))
    model = Model(tuple(map(Feature, "ab")), (Member(columns, network, theta),), answers_of(network, None))
    rows = np.array([[1e308, 1e308], [1e307, 1e307], [np.inf, 1.0], [1.0, 2.0]])
    assert model.overflows(rows).tolist() == [True, False, False, False]
