"""HTML without a template language: elements are made by one function, and every text in them is escaped."""

import html


class Html(str):
    """Text that is HTML already; everything else is escaped where it enters an element."""

    __slots__ = ()


def escaped(text: str) -> Html:
    return text if isinstance(text, Html) else Html(html.escape(text))


def joined(*parts: str) -> Html:
    return Html("".join(escaped(part) for part in parts))


def element(name: str, *children: str, **attributes: str | float | None) -> Html:
    """`class_` and `for_` lose their underscore, other underscores become hyphens; attributes of None are left out."""
    given = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{html.escape(_value(value))}"'
        for key, value in attributes.items()
        if value is not None
    )
    return Html(f"<{name}{given}>{joined(*children)}</{name}>")


def _value(value: str | float) -> str:
    """Coordinates need no more than a tenth of a pixel."""
    return f"{value:.1f}".removesuffix(".0") if isinstance(value, float) else str(value)


def panel(title: str, *children: str, note: str = "", class_: str = "") -> Html:
    """A titled part of the page."""
    said = element("p", note, class_="note") if note else Html("")
    return element("section", element("h2", title), said, *children, class_=f"panel {class_}".strip())


def table(head: tuple[str, ...], rows: list[tuple[str, ...]], class_: str = "") -> Html:
    """The first column holds names, the others numbers; it scrolls by itself where it does not fit."""
    top = element("tr", *(element("th", title, scope="col") for title in head))
    body = [
        element("tr", element("th", row[0], scope="row"), *(element("td", cell) for cell in row[1:])) for row in rows
    ]
    inner = element("table", element("thead", top), element("tbody", *body), class_=class_ or None)
    return element("div", inner, class_="scroll", tabindex="0")


def signed(text: str, value: float | None) -> Html:
    """A figure with its colour and an arrow: the sign stands without the colour too."""
    if not value or not any(digit in text for digit in "123456789"):
        return element("span", text, class_="flat")
    arrow = element("i", "▲" if value > 0 else "▼", aria_hidden="true")
    return element("span", arrow, text, class_="up" if value > 0 else "down")
