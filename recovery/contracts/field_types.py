"""Types of fields with their limits, which the decoder keeps: what is longer or larger is refused while it is read."""

from typing import Annotated

import msgspec

from recovery.contracts.limits import AMOUNT, COUNT, DERIVED_ID_LENGTH, ID_LENGTH, LIST_ITEMS, TEXT_LENGTH

ShortText = Annotated[str, msgspec.Meta(max_length=ID_LENGTH)]
"""An id that Stripe or a merchant chose, or a word such as a status."""
CustomerId = Annotated[str, msgspec.Meta(max_length=ID_LENGTH + 1)]
"""A customer's id; where the customer is unknown, `~` and the id of the object."""
DerivedId = Annotated[str, msgspec.Meta(max_length=DERIVED_ID_LENGTH)]
"""An id that is made of other ids."""
Text = Annotated[str, msgspec.Meta(max_length=TEXT_LENGTH)]
"""A text for people."""
Amount = Annotated[int, msgspec.Meta(ge=-AMOUNT, le=AMOUNT)]
"""Minor units of a currency."""
Count = Annotated[int, msgspec.Meta(ge=-COUNT, le=COUNT)]
"""A count; -1 where it is unknown."""
Most = msgspec.Meta(max_length=LIST_ITEMS)
"""The bound of a list."""
