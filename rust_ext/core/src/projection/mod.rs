//! Map projections, with PROJ as the oracle of their tests.
