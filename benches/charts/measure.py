"""Renders charts with two commands in turn: measure.py CAIRN HELM RUNS CHART…"""

import os
import pathlib
import statistics
import subprocess
import sys
import tarfile
import time

TIMED = pathlib.Path(__file__).with_name("timed.py")
# A run that takes longer is a failure, in seconds.
TIMEOUT_S = 60
# Charts are grouped by how many bytes of templates they hold, up to these.
GROUPS_KIB = [4, 16, 64, 256]


def charts(path):
    path = pathlib.Path(path)
    if path.suffix == ".tgz" or (path / "Chart.yaml").exists():
        return [path]
    return sorted(found.parent for found in path.glob("*/Chart.yaml")) + sorted(path.glob("*.tgz"))


def template_bytes(chart):
    """How many bytes of templates are in a folder or an archive, with all charts in it."""
    if chart.is_dir():
        files = [path for path in chart.rglob("*") if path.is_file()]
        packed = [packed_template_bytes(path.open("rb")) for path in files if path.suffix == ".tgz"]
        return sum(packed) + sum(path.stat().st_size for path in files if "templates" in path.relative_to(chart).parts)
    return packed_template_bytes(chart.open("rb"))


def packed_template_bytes(file):
    total = 0
    with file, tarfile.open(fileobj=file) as archive:
        for member in archive:
            if "/templates/" in member.name:
                total += member.size
            elif member.name.endswith(".tgz"):
                total += packed_template_bytes(archive.extractfile(member))
    return total


def output(command):
    ran = subprocess.run(command, capture_output=True, timeout=TIMEOUT_S)
    return ran.stdout if ran.returncode == 0 else None


def started(command):
    null = os.open(os.devnull, os.O_RDWR)
    actions = [(os.POSIX_SPAWN_DUP2, null, 1), (os.POSIX_SPAWN_DUP2, null, 2)]
    process = os.posix_spawn(command[0], command, os.environ, file_actions=actions)
    os.close(null)
    return process


def medians(ours, theirs, runs):
    """Of runs in turn: the median of milliseconds and the most MiB of each."""
    command = [sys.executable, "-I", "-S", str(TIMED), str(runs), *ours, "--", *theirs]
    ran = subprocess.run(command, capture_output=True, check=True, text=True)
    rounds = [[float(figure) for figure in line.split()] for line in ran.stdout.splitlines()]
    return [(statistics.median(row[i] for row in rounds), max(row[i + 1] for row in rounds)) for i in (0, 2)]


def per_second(commands):
    """How many commands end in a second where one runs for each core."""
    began = time.perf_counter()
    running = 0
    for command in commands:
        if running == os.cpu_count():
            os.wait()
            running -= 1
        started(command)
        running += 1
    for _ in range(running):
        os.wait()
    return len(commands) / (time.perf_counter() - began)


def growth(rows, start_ms):
    """The same by bytes of templates; `beside` is without what either takes to start."""
    print("\n| templates | charts | cairn | helm | ratio | beside the start |\n| --: | --: | --: | --: | --: | --: |")
    for low, high in zip([0, *GROUPS_KIB], [*GROUPS_KIB, float("inf")]):
        group = [row for row in rows if low * 1024 <= row["templates"] < high * 1024]
        if not group:
            continue
        ours, theirs, ratio = (statistics.median(row[key] for row in group) for key in ("cairn_ms", "helm_ms", "ratio"))
        beside = statistics.median(beside_start(row, start_ms) for row in group)
        name = f"{low} KiB and more" if high == float("inf") else f"{low} to {high} KiB" if low else f"below {high} KiB"
        print(f"| {name} | {len(group)} | {ours:.1f} ms | {theirs:.1f} ms | {ratio:.1f}× | {beside:.1f}× |")


def beside_start(row, start_ms):
    # What the clock cannot tell from nothing counts as its step.
    ours, theirs = (max(row[key] - start, 0.05) for key, start in zip(("cairn_ms", "helm_ms"), start_ms))
    return theirs / ours


def main():
    cairn, helm, runs = sys.argv[1], sys.argv[2], int(sys.argv[3])
    rows, refused, unsteady, different = [], 0, 0, 0
    for chart in [chart for path in sys.argv[4:] for chart in charts(path)]:
        ours = [cairn, "chart", "template", "release", str(chart)]
        theirs = [helm, "template", "release", str(chart)]
        expected = output(theirs)
        if expected is None:
            refused += 1
            continue
        if output(theirs) != expected or output(ours) is None:
            unsteady += 1
            continue
        different += output(ours) != expected
        (cairn_ms, cairn_mib), (helm_ms, helm_mib) = medians(ours, theirs, runs)
        rows.append({
            "name": chart.name, "ratio": helm_ms / cairn_ms, "templates": template_bytes(chart), "commands": (ours, theirs),
            "cairn_ms": cairn_ms, "helm_ms": helm_ms, "cairn_mib": cairn_mib, "helm_mib": helm_mib,
        })
    print("| chart | cairn | helm | ratio | peak memory |\n| --- | --: | --: | --: | --: |")
    for row in sorted(rows, key=lambda row: row["name"]):
        print(
            "| `{name}` | {cairn_ms:.1f} ms | {helm_ms:.1f} ms | {ratio:.1f}× | {cairn_mib:.0f} / {helm_mib:.0f} MiB |".format(**row)
        )
    if rows:
        start = medians([cairn, "--version"], [helm, "version"], max(runs, 9))
        start_ms = [milliseconds for milliseconds, _ in start]
        growth(rows, start_ms)
        ratios = sorted(row["ratio"] for row in rows)
        beside = statistics.median(beside_start(row, start_ms) for row in rows)
        memory = statistics.median(row["cairn_mib"] / row["helm_mib"] for row in rows)
        batch = [per_second([row["commands"][i] for row in rows]) for i in (0, 1)]
        print(
            f"\n{len(rows)} charts: ratio {statistics.median(ratios):.1f}× at the median, {ratios[len(ratios) // 10]:.1f}× or less"
            f" for a tenth, {ratios[0]:.1f}× at least; {sum(ratio < 10 for ratio in ratios)} below 10×; memory {memory:.2f}"
            f" of Helm's at the median; {different} not byte for byte the same"
        )
        print(
            f"start: cairn {start_ms[0]:.1f} ms, helm {start_ms[1]:.1f} ms; beside it {beside:.1f}× at the median\n"
            f"batch, {os.cpu_count()} at a time: cairn {batch[0]:.0f} charts a second, helm {batch[1]:.0f}; {batch[0] / batch[1]:.1f}×"
        )
    print(f"left out: {refused} that Helm does not render, {unsteady} that are not the same each time")


main()
