"""The scoreboard of the field guide: networks on sketch birds, and what they do in rendered truth."""
