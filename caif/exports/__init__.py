"""Labels on their way to other training tools: one small module a format, streaming, and a card that says what they are."""
