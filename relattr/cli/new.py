"""``relattr new``: a file to start a plugin from."""

from __future__ import annotations

import keyword
import re
from pathlib import Path

import click

from relattr.cli.shared import load_registry
from relattr.errors import BadInput

TEMPLATE = '''"""{label}: say in a line how it compares two images."""

from __future__ import annotations

from typing import TYPE_CHECKING

from relattr import Method, register_method

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from relattr import Images, Run, TrainingSet


@register_method("{name}", label="{label}")
class {cls}(Method):
    """Ranks images by their mean colour, weighted so that the training pairs come out right."""

    ridge: float = 1e-3  # a parameter: relattr run ... --set ridge=0.1

    def fit(self, train: TrainingSet, run: Run) -> None:
        """Learn one weight for each colour. ``run`` has the seed, the device and a progress bar."""
        import numpy as np

        colours = self.colours(train.images)
        pairs = train.pairs.ordered()  # label +1: the left image has more; -1: the right one; 0, similar, left out
        differences = (colours[pairs.left] - colours[pairs.right]) * pairs.label[:, None]
        # least squares: every difference, signed so that more is positive, should come out as 1
        gram = differences.T @ differences / max(len(pairs), 1) + self.ridge * np.eye(3)
        self.weights_ = np.linalg.solve(gram, differences.mean(axis=0))  # what ends in _ is saved and loaded

    def strength(self, images: Images) -> NDArray[np.floating]:
        """One number for each image, larger = more of the attribute."""
        return self.colours(images) @ self.weights_

    def colours(self, images: Images) -> NDArray[np.floating]:
        """The mean red, green and blue of each image, in [0, 1]: ``(n, 3)``."""
        import numpy as np

        return np.array([images[k].mean(axis=(0, 1)) / 255 for k in range(len(images))])
'''


@click.group()
def new() -> None:
    """Write a file to start a plugin from."""


@new.command()
@click.argument("name")
@click.option(
    "--dir",
    "folder",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("my_methods"),
    show_default=True,
    metavar="DIR",
    help="The folder to write it into.",
)
def method(name: str, folder: Path) -> None:
    """Write a method called NAME that runs, in one file."""
    words = re.findall(r"[A-Za-z0-9]+", name)
    if not words or not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", name):
        raise BadInput(f"{name!r} should be small letters and digits with hyphens between them, for example my-method")
    registry = load_registry([])
    if name in registry.methods or name in registry.constants:
        raise BadInput(f"there is a method called {name} already; choose another name. Nothing was written")
    cls = "".join(word.capitalize() for word in words)
    cls = f"Method{cls}" if not cls.isidentifier() or keyword.iskeyword(cls) else cls
    path = folder / f"{'_'.join(words)}.py"
    if path.exists():
        raise BadInput(f"{path} is there already; nothing was written")
    folder.mkdir(parents=True, exist_ok=True)
    with path.open("x", encoding="utf-8") as file:
        file.write(TEMPLATE.format(name=name, label=" ".join(words).capitalize(), cls=cls))
    click.echo(f"wrote {path}; it runs as it is:")
    click.echo(f"    relattr check method {name} --plugins {folder}")
    click.echo(f"    relattr run quick --plugins {folder} --methods {name}")
