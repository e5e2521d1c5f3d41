"""Run the code of docs/worked-example.md and keep its pictures, with 256 colors each, in docs/pictures.

To be run in the development environment: ``python tools/example_pictures.py``. What it prints belongs into
the page, block by block; the tests compare the two.
"""

import os
import re
import tempfile
from pathlib import Path

import matplotlib
from PIL import Image

DOCS = Path(__file__).resolve().parent.parent / "docs"


def main() -> None:
    """Run every block in a folder that is thrown away."""
    matplotlib.use("Agg")
    blocks = re.findall(r"^```python\n(.*?)^```$", (DOCS / "worked-example.md").read_text(), re.M | re.S)
    names: dict[str, object] = {}
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        Path("pictures").mkdir()
        for number, block in enumerate(blocks, 1):
            print(f"---- block {number}")
            exec(block, names)
        for picture in sorted(Path("pictures").glob("*.png")):
            with Image.open(picture) as image:
                image.convert("RGB").quantize(256).save(DOCS / picture, optimize=True)
        os.chdir(DOCS)


if __name__ == "__main__":
    main()
