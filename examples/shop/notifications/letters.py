"""What a mail says. Release 1 has a bug that only a real customer could find; release 2 mends it.

Release 1 puts the name into the template before it fills the template in, so a customer who calls himself
`Bobby {Tables}` breaks it. The demo parks his mails, deploys release 2, and drives them again.
"""

import os


class Letters:
    """The text of each mail, as one release of this service writes it."""

    def __init__(self, release: int = 2) -> None:
        self.release = release

    @classmethod
    def here(cls) -> "Letters":
        """The release that this process runs (SHOP_LETTERS)."""
        return cls(int(os.environ.get("SHOP_LETTERS", "2")))

    def write(self, name: str, order_id: str, text: str) -> str:
        if self.release == 1:
            template = f"Dear {name}, about your order {{order}}: {{text}}"
            return template.format(order=order_id, text=text)
        return f"Dear {name}, about your order {order_id}: {text}"
