"""A document of all tables, and its PDF."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

from relattr.errors import BadInput
from relattr.system.atomic import write_bytes

PREAMBLE = r"""% Packages and settings that the tables need; input it in the preamble of a paper.
\usepackage[T1]{fontenc}
\usepackage[utf8]{inputenc}
\usepackage{textcomp,array,booktabs,longtable,graphicx}
\usepackage{siunitx}
\sisetup{detect-weight=true, detect-family=true, mode=text}
\setlength{\belowcaptionskip}{6pt}
% longtable, for tables that are longer than a page, needs a page in one column
\makeatletter
\def\relattronecolumn{\let\relattrbackfromonecolumn\relax
  \if@twocolumn\onecolumn\let\relattrbackfromonecolumn\twocolumn\fi}
\makeatother
"""


def document_to_latex(files: Sequence[str]) -> str:
    """A document that inputs these files, one after another, for proof-reading."""
    inputs = "\n\\clearpage\n".join(rf"\input{{{name}}}" for name in files)
    return (
        "\\documentclass[10pt,a4paper]{article}\n\\usepackage[margin=22mm]{geometry}\n\\usepackage{lmodern}\n"
        "\\input{preamble.tex}\n\\ifdefined\\pdfsuppressptexinfo\\pdfsuppressptexinfo=-1\\fi\n"
        "\\ifdefined\\pdftrailerid\\pdftrailerid{}\\fi\n\\pagestyle{plain}\n"
        "\\makeatletter\\setlength{\\@fptop}{0pt}\\makeatother\n\\begin{document}\n"
        f"\\input{{macros.tex}}\n{inputs}\n\\end{{document}}\n"
    )


def compile_pdf(folder: Path, name: str) -> Path | None:
    """Compile ``<folder>/<name>.tex`` to a PDF beside it, reproducibly; None if pdflatex is not installed.

    Raises `BadInput` with the message of LaTeX if it fails.
    """
    program = shutil.which("pdflatex")
    if program is None:
        return None
    environment = {**os.environ, "SOURCE_DATE_EPOCH": "0", "FORCE_SOURCE_DATE": "1", "max_print_line": "1000"}
    options = ["-interaction=nonstopmode", "-halt-on-error", "-no-shell-escape"]
    with tempfile.TemporaryDirectory() as work:
        for _ in range(3):
            process = subprocess.run(
                [program, *options, f"-output-directory={work}", f"{name}.tex"],
                cwd=folder,
                env=environment,
                capture_output=True,
                text=True,
                errors="replace",
                check=False,
                timeout=600,
            )
            if process.returncode:
                errors = [line for line in process.stdout.splitlines() if line.startswith(("!", "l."))]
                raise BadInput(
                    f"the tables are written, but pdflatex could not compile {folder / name}.tex: "
                    f"{' '.join(errors) or process.stdout[-400:]}"
                )
            if "Rerun LaTeX" not in process.stdout:  # longtable asks for another run to settle its column widths
                break
        write_bytes(folder / f"{name}.pdf", (Path(work) / f"{name}.pdf").read_bytes())
    return folder / f"{name}.pdf"
