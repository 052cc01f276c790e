"""A report's page as a browser shows it: opened in a size and a theme, with what it said and asked for meanwhile."""

from dataclasses import dataclass, field
from pathlib import Path

from playwright.sync_api import Browser, Page

SIZES = {"desk": (1440, 900), "phone": (390, 844)}
# How many pixels of the canvases in an element differ from the most frequent one of theirs.
DRAWN = """(id) => [...document.querySelectorAll(`#${id} canvas`)].reduce((sum, canvas) => {
  if (!canvas.width || !canvas.height) return sum;
  const copy = new OffscreenCanvas(canvas.width, canvas.height).getContext("2d", { willReadFrequently: true });
  copy.drawImage(canvas, 0, 0);
  const pixels = new Uint32Array(copy.getImageData(0, 0, canvas.width, canvas.height).data.buffer);
  const counts = new Map();
  for (const pixel of pixels) counts.set(pixel, (counts.get(pixel) || 0) + 1);
  return sum + pixels.length - Math.max(...counts.values());
}, 0)"""


@dataclass
class Seen:
    """What a page said and asked for while it was open."""

    page: Page
    complaints: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)


def open_page(chromium: Browser, path: Path, *, dark: bool = False, size: str = "desk") -> Seen:
    """The page once its table of trades is there."""
    width, height = SIZES[size]
    context = chromium.new_context(
        viewport={"width": width, "height": height},
        color_scheme="dark" if dark else "light",
        has_touch=size == "phone",
        is_mobile=size == "phone",
    )
    seen = Seen(context.new_page())
    seen.page.on("console", lambda message: seen.complaints.append(message.text))
    seen.page.on("pageerror", lambda error: seen.complaints.append(str(error)))
    seen.page.on("request", lambda request: seen.requests.append(request.url))
    seen.page.goto(path.as_uri())
    seen.page.wait_for_function("document.querySelector('#trades tbody')")
    return seen
