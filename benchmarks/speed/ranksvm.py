"""Compare time and memory of the RankSVM solver with scikit-learn's LinearSVC, and with its lower bound.

LinearSVC (LIBLINEAR) solves the same problem on the explicit differences of pairs:

    |w|^2 / 2 + C/2 sum max(0, 1 - w.(x_i - x_j))^2     (its own C is half of this one)

The two are compared at equal accuracy: every solver is run with ever smaller tol until its objective is within 1e-4
of the minimum (which RankSVM with tol 1e-9 gives), and the time of that tol counts. LinearSVC is run in both its
forms, dual and primal, and the faster one counts; forming the differences is not charged to it. RankSVM's default
tol, which proves 1e-6, has a row of its own. Each solver runs in a fresh process, whose peak memory is the kernel's
figure, libraries included; "added" excludes imports, features and pairs.

The floor of a fit is the passes it makes over the features times the time of one product X v, measured beside
it: reading X from memory. A pass over the features rounded to 8 bits counts as a quarter of one over float32. Where
many fits share a pass, arithmetic can be the limit instead: there a pass counts what NumPy needs for as many
multiplications in a large square product, if that is longer.

Features are synthetic, 4,096 of them in float32, similar to a ReLU layer of a network: correlated
(256 factors of decaying strength), a third of them above zero, each image of length one. Strengths are a planted
direction plus as much noise as makes C matter. With thousands of pairs there are two values of C, 0.1 as Parikh &
Grauman have it and about the best on held-out images; with millions only the latter (of a hundred times as many pairs
each weighs a hundredth as much). The 70 fits in lock step are run to Parikh & Grauman's own tolerance, 1e-4.

On a busy machine wall-clock time is unreliable: "cpu s" is the processor time of all threads, and its ratio is printed
too; that ratio ignores the gain from RankSVM's second thread. The first fit is discarded, so the times exclude
compilation, which is measured once, separately.

    python benchmarks/speed/ranksvm.py                      everything (LinearSVC takes minutes and 3 GB)
    python benchmarks/speed/ranksvm.py --cases ten-million all-pairs --json speed.json
    python benchmarks/speed/ranksvm.py --no-linearsvc --repeats 9
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

SCHEMA = 1
N_FEATURES = 4096
N_IMAGES = 8062
FACTORS = 256
ATTRIBUTES = 10
GRID = tuple(10.0**k for k in range(-4, 3))
ACCURATE = 1e-4  # how near LinearSVC must come to the minimum
TOLS = (1e-1, 1e-2, 1e-3, 1e-4, 1e-5, 1e-6)
DEFAULT, PRECISION = 1e-6, 1e-4  # of RankSVM, and of Parikh & Grauman's solver


@dataclass(frozen=True)
class Case:
    """A problem: how many images and pairs (0: all of them, implied by their strengths), and C."""

    what: str
    images: int
    pairs: int
    C: float
    against_linearsvc: bool = False


CASES = {
    "few-images": Case("240 images, 18,900 pairs", 240, 18_900, 0.1, True),
    "pairs": Case("8,062 images, 20,000 pairs", N_IMAGES, 20_000, 0.1, True),
    "pairs-best-C": Case("8,062 images, 20,000 pairs", N_IMAGES, 20_000, 1.0, True),
    "ten-million": Case("8,062 images, 10 million pairs", N_IMAGES, 10_000_000, 1e-3),
    "all-pairs": Case("8,062 images, all 32.5 million pairs", N_IMAGES, 0, 1e-3),
    "lock-step": Case(f"70 fits: {ATTRIBUTES} attributes x 7 C, 20,000 pairs each", N_IMAGES, 20_000, 0.0),
}


# ---------------------------------------------------------------------- data


def make_data(folder: Path, seed: int) -> None:
    """Write features ``(8062, 4096)`` float32 and strengths ``(8062, 10)``."""
    rng = np.random.default_rng(seed)
    decay = (np.arange(1, FACTORS + 1) ** -0.5).astype(np.float32)[:, None]
    factors = rng.standard_normal((FACTORS, N_FEATURES), dtype=np.float32) * decay
    x = rng.standard_normal((N_IMAGES, FACTORS), dtype=np.float32) @ factors
    x += 1.5 * rng.standard_normal(x.shape, dtype=np.float32)
    x -= 0.45 * x.std()
    np.maximum(x, 0, out=x)
    x /= np.linalg.norm(x, axis=1, keepdims=True)
    strengths = x @ rng.standard_normal((N_FEATURES, ATTRIBUTES), dtype=np.float32)
    strengths = (strengths - strengths.mean(0)) / strengths.std(0) + 0.5 * rng.standard_normal(strengths.shape)
    np.save(folder / "x.npy", x)
    np.save(folder / "strengths.npy", strengths)


def load(folder: Path, case: Case) -> tuple[Any, Any]:
    """Features and one `Pairs` per attribute of the case."""
    from relattr.pairs import Pairs

    x = np.array(np.load(folder / "x.npy", mmap_mode="r")[: case.images])
    strengths = np.load(folder / "strengths.npy")[: case.images]
    count = case.pairs or None
    used = range(ATTRIBUTES) if case.C == 0.0 else range(1)
    return x, [Pairs.from_scores(strengths[:, a], count=count, seed=a) for a in used]


# ---------------------------------------------------------------------- measurements, in a separate process


def memory(field: str) -> float:
    """Return MB of this process: ``VmHWM`` peak, ``VmRSS`` current; NaN where unavailable."""
    try:
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith(field + ":"):
                return int(line.split()[1]) / 1024
    except OSError:
        pass
    return float("nan")


def timed(run: Callable[[], Any], repeats: int) -> tuple[list[float], list[float], Any]:
    """Return wall-clock and processor seconds of each run, and the last result."""
    clock, processor, result = [], [], None
    for _ in range(repeats):
        before = time.process_time()
        start = time.perf_counter()
        result = run()
        clock.append(time.perf_counter() - start)
        processor.append(time.process_time() - before)
    return clock, processor, result


@contextmanager
def counted() -> Iterator[dict[bool, list[int]]]:
    """Record the number of vectors in each pass over the features; key True: over those rounded to 8 bits."""
    from relattr.ranksvm.products import PrimalSpace

    passes: dict[bool, list[int]] = {False: [], True: []}
    names = "matmat", "exact_matmat", "rmatmat", "rounded_matmat", "rounded_rmatmat"
    before = {name: getattr(PrimalSpace, name) for name in names}

    def counting(product: Callable[..., Any], rounded: bool) -> Callable[..., Any]:
        def run(self: Any, vectors: list[Any]) -> Any:
            passes[rounded].append(len(vectors))
            return product(self, vectors)

        return run

    for name, product in before.items():
        setattr(PrimalSpace, name, counting(product, name.startswith("rounded")))
    try:
        yield passes
    finally:
        for name, product in before.items():
            setattr(PrimalSpace, name, product)


def pass_seconds(x: Any) -> float:
    """The fastest product X v seen, of NumPy's and our own."""
    from relattr.ranksvm.products import matvec

    v = np.ones(x.shape[1], np.float32)
    wide = v.astype(np.float64)
    return min(min(timed(lambda: x @ v, 15)[0]), min(timed(lambda: matvec(x, wide), 15)[0]))


def multiplication_rate() -> float:
    """Multiplications (with their additions) per second in a large square float32 product."""
    a = np.ones((2048, 2048), np.float32)
    return 2048**3 / min(timed(lambda: a @ a, 5)[0])


def run_ranksvm(folder: Path, case: Case, repeats: int, *, default: bool) -> dict[str, Any]:
    from relattr.ranksvm import RankSVM

    x, (pairs,) = load(folder, case)
    len(pairs.left) if pairs.order is None else None
    before = memory("VmRSS")
    first, _, model = timed(lambda: RankSVM(case.C).fit(x, pairs), 1)
    tol, best, kept = DEFAULT, model.objective_, folder / f"best-{case.what}-{case.C:g}.npy"
    if default and kept.exists():
        best = float(np.load(kept))
    elif not default:
        best = RankSVM(case.C, tol=1e-9).fit(x, pairs).objective_
        for tol in TOLS:
            if RankSVM(case.C, tol=tol).fit(x, pairs).objective_ <= best * (1 + ACCURATE):
                break
    clock, processor, model = timed(lambda: RankSVM(case.C, tol=tol).fit(x, pairs), repeats)
    peak = memory("VmHWM")
    with counted() as passes:
        RankSVM(case.C, tol=tol).fit(x, pairs)
    if not default:
        np.save(kept, best)
    one = pass_seconds(x)
    return {
        "seconds": clock,
        "processor_seconds": processor,
        "first_seconds": first[0],
        "peak_mb": peak,
        "added_mb": peak - before,
        "newton": model.n_newton_,
        "cg": model.n_cg_,
        "passes": len(passes[False]),
        "rounded_passes": len(passes[True]),
        "pass_seconds": one,
        "floor_seconds": one * (len(passes[False]) + len(passes[True]) / x.itemsize),
        "objective": model.objective_,
        "excess": model.objective_ / best - 1,
        "tol": tol,
        "reached": True,
        "gap": model.gap_,
        "train_accuracy": model.score(x, pairs),
        "C": case.C,
    }


def objective(x: Any, pairs: Any, w: Any, c: float) -> float:
    """The objective from the margins of the pairs, in float64."""
    s = x.astype(np.float64) @ w
    slack = np.maximum(0, 1 - pairs.label * (s[pairs.left] - s[pairs.right]))
    return float(0.5 * w @ w + 0.5 * c * slack @ slack)


def run_linearsvc(folder: Path, case: Case, repeats: int, *, dual: bool) -> dict[str, Any]:
    import warnings

    from sklearn.exceptions import ConvergenceWarning
    from sklearn.svm import LinearSVC

    x, (pairs,) = load(folder, case)
    before = memory("VmRSS")
    best = float(np.load(folder / f"best-{case.what}-{case.C:g}.npy"))
    start = time.perf_counter()
    differences = x[pairs.left] - x[pairs.right]
    forming = time.perf_counter() - start
    tried = []
    for tol in TOLS:
        svc = LinearSVC(
            C=case.C / 2, loss="squared_hinge", dual=dual, tol=tol, fit_intercept=False, max_iter=10_000, random_state=0
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            clock, processor, _ = timed(lambda svc=svc: svc.fit(differences, pairs.label), 1)  # type: ignore[misc]
        excess = objective(x, pairs, svc.coef_[0].astype(np.float64), case.C) / best - 1
        tried.append({"tol": tol, "seconds": clock[0], "excess": excess})
        if excess <= ACCURATE:
            break
    if repeats > 1 and excess <= ACCURATE:
        more, more_processor, _ = timed(lambda: svc.fit(differences, pairs.label), repeats - 1)
        clock, processor = clock + more, processor + more_processor
    return {
        "seconds": clock,
        "processor_seconds": processor,
        "excess": excess,
        "reached": bool(excess <= ACCURATE),
        "tol": tol,
        "tried": tried,
        "forming_seconds": forming,
        "peak_mb": memory("VmHWM"),
        "added_mb": memory("VmHWM") - before,
        "dual": dual,
        "C": case.C,
    }


def run_lock_step(folder: Path, case: Case, repeats: int, *, attributes: int) -> dict[str, Any]:
    from relattr.ranksvm import RankSVM, fit_many

    x, attribute_pairs = load(folder, case)
    problems = [(pairs, c) for pairs in attribute_pairs for c in GRID]
    before = memory("VmRSS")
    fit_many(x, problems, max_newton=1, max_cg=2, tol=0.5)
    clock, processor, together = timed(lambda: fit_many(x, problems, tol=PRECISION), repeats)
    peak = memory("VmHWM")
    with counted() as passes:
        fit_many(x, problems, tol=PRECISION)
    some = problems[: attributes * len(GRID)]
    RankSVM(GRID[0]).fit(x, some[0][0])
    alone_clock, alone_processor, alone = timed(
        lambda: [RankSVM(c, tol=PRECISION).fit(x, pairs) for pairs, c in some], 1
    )
    one, rate = pass_seconds(x), multiplication_rate()
    scale = len(problems) / len(some)
    differ = max(abs(a.objective_ / b.objective_ - 1) for a, b in zip(alone, together, strict=False))
    return {
        "seconds": clock,
        "processor_seconds": processor,
        "peak_mb": peak,
        "added_mb": peak - before,
        "newton": sum(m.n_newton_ for m in together),
        "cg": sum(m.n_cg_ for m in together),
        "passes": len(passes[False]),
        "rounded_passes": len(passes[True]),
        "pass_seconds": one,
        "floor_seconds": sum(
            max(one / (x.itemsize if rounded else 1), k * x.size / rate)
            for rounded, counts in passes.items()
            for k in counts
        ),
        "one_by_one_seconds": alone_clock[0] * scale,
        "one_by_one_processor_seconds": alone_processor[0] * scale,
        "one_by_one_fits_run": len(some),
        "largest_difference_of_objectives": differ,
        "C": list(GRID),
    }


def run_child(name: str, solver: str, folder: Path, repeats: int, attributes: int) -> dict[str, Any]:
    case = CASES[name]
    if solver == "lock-step":
        return run_lock_step(folder, case, repeats, attributes=attributes)
    if solver.startswith("ranksvm"):
        return run_ranksvm(folder, case, repeats, default=solver == "ranksvm-default")
    return run_linearsvc(folder, case, repeats, dual=solver == "linearsvc-dual")


# ---------------------------------------------------------------------- the run and its table


def measure(
    name: str, solver: str, folder: Path, args: argparse.Namespace, repeats: int, **more: str
) -> dict[str, Any]:
    """Run one solver on one case in a new process."""
    threads = str(args.threads)
    environment = {**os.environ, "OMP_NUM_THREADS": threads, "NUMBA_NUM_THREADS": threads, **more}
    command = [
        sys.executable,
        str(Path(__file__).resolve()),
        "--child",
        name,
        solver,
        str(folder),
        "--repeats",
        str(repeats),
        "--one-by-one",
        str(args.one_by_one),
    ]
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{solver} on {name} ended with status {done.returncode}; its message is above")
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return {"case": name, "solver": solver, **result}


def report(results: list[dict[str, Any]]) -> list[str]:
    """Format the table, one line per row."""
    lines = [f"{'case':<54}{'solver':<16}{'s':>9}{'cpu s':>9}{'peak MB':>9}{'added':>8}  notes"]
    for row in results:
        if row["solver"] == "compile":
            lines.append(f"{'compiling the kernels, once a machine':<54}{'ranksvm':<16}{row['compile_seconds']:>9.1f}")
            continue
        notes = []
        if "newton" in row:
            notes.append(
                f"{row['newton']} Newton, {row['cg']} CG steps, {row['passes']} passes, {row['rounded_passes']} in 8 bits"
            )
            if row["passes"]:
                ratio = min(row["seconds"]) / row["floor_seconds"]
                notes.append(
                    f"floor {row['floor_seconds']:.3f} s (pass {1e3 * row['pass_seconds']:.1f} ms): {ratio:.2f}x"
                )
        if "train_accuracy" in row:
            notes.append(f"gap proven {row['gap'] / row['objective']:.1e}, training pairs {row['train_accuracy']:.1%}")
        if "excess" in row:
            notes.append(f"C {row['C']:g}, tol {row['tol']:g}, objective {row['excess']:+.1e}")
            notes.append("" if row["reached"] else "DID NOT REACH 1e-4")
        if "one_by_one_seconds" in row:
            measured = "" if row["one_by_one_fits_run"] == 70 else f", scaled up from {row['one_by_one_fits_run']} fits"
            gain = row["one_by_one_seconds"] / min(row["seconds"])
            notes.append(f"one by one {row['one_by_one_seconds']:.1f} s{measured}: {gain:.1f}x")
            notes.append(f"objectives differ by {row['largest_difference_of_objectives']:.0e}")
        if "seconds_ratio" in row:
            notes.append(
                f"RankSVM is {row['seconds_ratio']:.0f}x faster ({row['processor_ratio']:.0f}x by processor time) "
                f"in 1/{row['memory_ratio']:.1f} of the memory (1/{row['added_ratio']:.0f} of what is added)"
            )
        what = CASES[row["case"]].what
        lines.append(
            f"{what:<54}{row['solver']:<16}{min(row['seconds']):>9.4f}{min(row['processor_seconds']):>9.4f}"
            f"{row['peak_mb']:>9.0f}{row['added_mb']:>8.0f}  {'; '.join(n for n in notes if n)}"
        )
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", nargs="+", choices=list(CASES), default=list(CASES), help="which; default all")
    parser.add_argument("--repeats", type=int, default=5, help="runs of each RankSVM fit; the fastest counts (5)")
    parser.add_argument(
        "--one-by-one", type=int, default=ATTRIBUTES, metavar="N", help="attributes fitted one by one (10)"
    )
    parser.add_argument("--no-linearsvc", action="store_true", help="leave scikit-learn's solver out")
    parser.add_argument("--threads", type=int, default=min(2, os.cpu_count() or 1), help="threads of each process (2)")
    parser.add_argument("--seed", type=int, default=0, help="of the synthetic data (0)")
    parser.add_argument("--json", type=Path, metavar="PATH", help="write all raw numbers there")
    parser.add_argument("--child", nargs=3, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.child:
        name, solver, folder = args.child
        print(json.dumps(run_child(name, solver, Path(folder), args.repeats, args.one_by_one)))
        return

    results: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        make_data(folder, args.seed)
        kernels = folder / "kernels"
        cold = [
            measure(n, "ranksvm-default", folder, args, 1, NUMBA_CACHE_DIR=str(kernels))
            for n in ("few-images", "pairs")
        ]
        compiling = sum(row["first_seconds"] - row["seconds"][0] for row in cold)
        results.append({"case": "pairs", "solver": "compile", "compile_seconds": compiling})
        for name in args.cases:
            if name == "lock-step":
                results.append(measure(name, "lock-step", folder, args, min(args.repeats, 2)))
                continue
            ours = measure(name, "ranksvm", folder, args, args.repeats * (4 if name == "few-images" else 1))
            results += [ours, measure(name, "ranksvm-default", folder, args, args.repeats)]
            if CASES[name].against_linearsvc and not args.no_linearsvc:
                theirs = [measure(name, f"linearsvc-{form}", folder, args, 2) for form in ("dual", "primal")]
                for row in theirs:
                    row["seconds_ratio"] = min(row["seconds"]) / min(ours["seconds"])
                    row["processor_ratio"] = min(row["processor_seconds"]) / min(ours["processor_seconds"])
                    row["memory_ratio"] = row["peak_mb"] / ours["peak_mb"]
                    row["added_ratio"] = row["added_mb"] / ours["added_mb"]
                results += theirs
        for row in results:
            row.pop("folder", None)

    print("\n".join(report(results)))
    if args.json:
        import sklearn

        about = {
            "schema": SCHEMA,
            "seed": args.seed,
            "threads": args.threads,
            "command": sys.argv,
            "cpu": platform.processor(),
            "cores": os.cpu_count(),
            "python": platform.python_version(),
            "numpy": np.__version__,
            "scikit-learn": sklearn.__version__,
            "load": os.getloadavg() if hasattr(os, "getloadavg") else None,
        }
        part = args.json.with_name(args.json.name + ".part")
        part.write_text(json.dumps({**about, "results": results}, indent=1))
        os.replace(part, args.json)


if __name__ == "__main__":
    main()
