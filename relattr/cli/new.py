"""``relattr new``: a file to start a plugin from."""

from __future__ import annotations

import keyword
import re
from pathlib import Path

import click

from relattr.cli.output import echo
from relattr.errors import BadInput

TEMPLATE = '''"""{label}: describe in one line how it compares two images."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from relattr import Method, register_method

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from relattr import Images, Run, TrainingSet


@register_method("{name}", label="{label}")
class {cls}(Method):
    """Ranks images by their mean colour, with weights fitted to the training pairs."""

    ridge: float = 1e-3  # a parameter: relattr run ... --set ridge=0.1

    def fit(self, train: TrainingSet, run: Run) -> None:
        """Fit one weight for each colour. ``run`` provides the seed, the device and a progress bar."""
        colours = self.colours(train.images)
        pairs = train.pairs.ordered()  # label +1: the left image has more; -1: the right one; without similar pairs
        differences = (colours[pairs.left] - colours[pairs.right]) * pairs.label[:, None]
        # least squares: every difference, with the sign of its label, should be mapped to 1
        gram = differences.T @ differences / max(len(pairs), 1) + self.ridge * np.eye(3)
        self.weights_ = np.linalg.solve(gram, differences.mean(axis=0))  # attributes ending in _ are saved and loaded

    def strength(self, images: Images) -> NDArray[np.floating]:
        """One number for each image, larger = more of the attribute."""
        return self.colours(images) @ self.weights_

    def colours(self, images: Images) -> NDArray[np.floating]:
        """The mean red, green and blue of each image, in [0, 1]: ``(n, 3)``."""
        return np.array([images[k].mean(axis=(0, 1)) / 255 for k in range(len(images))])
'''


@click.group("new")
def command() -> None:
    """Write a template file for a new plugin."""


@command.command()
@click.argument("name")
@click.option(
    "--dir",
    "folder",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("my_methods"),
    show_default=True,
    metavar="DIR",
    help="The folder to write to.",
)
def method(name: str, folder: Path) -> None:
    """Write a complete method called NAME, in one file."""
    from relattr.catalogue import load_catalogue

    words = re.findall(r"[A-Za-z0-9]+", name)
    if not words or not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", name):
        raise BadInput(
            f"{name!r} is not a valid name: expected lower-case letters and digits, separated by hyphens, for example "
            "my-method"
        )
    if any(entry.name == name for entry in load_catalogue().methods):
        raise BadInput(f"a method called {name} already exists; choose another name. Nothing was written")
    cls = "".join(word.capitalize() for word in words)
    cls = f"Method{cls}" if not cls.isidentifier() or keyword.iskeyword(cls) else cls
    path = folder / f"{'_'.join(words)}.py"
    if path.exists():
        raise BadInput(f"{path} already exists; nothing was written")
    folder.mkdir(parents=True, exist_ok=True)
    with path.open("x", encoding="utf-8") as file:
        file.write(TEMPLATE.format(name=name, label=" ".join(words).capitalize(), cls=cls))
    echo(f"wrote {path}; it runs as it is:")
    echo(f"    relattr check method {name} --plugins {folder}")
    echo(f"    relattr run quick --plugins {folder} --methods {name}")
