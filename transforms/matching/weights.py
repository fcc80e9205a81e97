"""How often people who belong together, and not one person, have a field in common.

Belongs here: fixed probabilities of the model that are no matter of one field. Does not belong here: how often
records of one person agree (with each field).

They come from what is known of households, offices and chains of shops, not from any data set.
"""

from collections.abc import Mapping

HOUSEHOLD: Mapping[str, float] = {
    "given name": 0.003,
    "family name": 0.5,
    "date of birth": 0.003,
    "e-mail": 0.02,
    "phone": 0.4,
    "street": 0.85,
    "postcode": 0.9,
    "city": 0.9,
    "region": 0.95,
    "company": 0.9,
    "domain": 0.9,
}
"""Two people of one household."""

COLLEAGUES: Mapping[str, float] = {
    "given name": 0.003,
    "family name": 0.01,
    "date of birth": 0.003,
    "e-mail": 0.02,
    "phone": 0.5,
    "street": 0.9,
    "postcode": 0.95,
    "city": 0.95,
    "region": 0.98,
    "company": 0.99,
    "domain": 0.99,
}
"""Two people of one company; how many there are is counted in the data."""

CHAIN: Mapping[str, float] = {
    "name": 0.5,
    "domain": 0.6,
    "e-mail": 0.3,
    "phone": 0.2,
    "street": 0.01,
    "postcode": 0.05,
    "city": 0.3,
    "region": 0.8,
}
"""Two branches of one organisation."""

BUILDING: Mapping[str, float] = {
    "name": 0.02,
    "domain": 0.02,
    "e-mail": 0.02,
    "phone": 0.1,
    "street": 0.95,
    "postcode": 0.98,
    "city": 0.98,
    "region": 0.98,
}
"""Two tenants of one building."""

OTHERWISE = 0.05
"""Any field that is not named."""

RELATED_BITS = 1.0
"""How much rarer they are than two records of one: half as many."""

RARE_NAME_BITS = 4.0
"""So many bits beyond the prior a name is so rare that with one company it makes a match; alone it never does."""
