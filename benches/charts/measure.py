"""Renders charts with two commands in turn: measure.py CAIRN HELM RUNS CHART…"""

import os
import pathlib
import statistics
import subprocess
import sys
import time

# A run that takes longer is a failure, in seconds.
TIMEOUT_S = 60


def charts(path):
    path = pathlib.Path(path)
    if path.suffix == ".tgz" or (path / "Chart.yaml").exists():
        return [path]
    return sorted(found.parent for found in path.glob("*/Chart.yaml")) + sorted(path.glob("*.tgz"))


def output(command):
    ran = subprocess.run(command, capture_output=True, timeout=TIMEOUT_S)
    return ran.stdout if ran.returncode == 0 else None


def measured(command):
    """Seconds and MiB of one run whose output nobody reads."""
    null = os.open(os.devnull, os.O_RDWR)
    actions = [(os.POSIX_SPAWN_DUP2, null, 1), (os.POSIX_SPAWN_DUP2, null, 2)]
    began = time.perf_counter()
    process = os.posix_spawn(command[0], command, os.environ, file_actions=actions)
    _, _, usage = os.wait4(process, 0)
    seconds = time.perf_counter() - began
    os.close(null)
    return seconds, usage.ru_maxrss / 1024


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
        pairs = [(measured(ours), measured(theirs)) for _ in range(runs)]
        cairn_ms, helm_ms = (statistics.median(pair[i][0] for pair in pairs) * 1000 for i in (0, 1))
        cairn_mib, helm_mib = (max(pair[i][1] for pair in pairs) for i in (0, 1))
        rows.append((helm_ms / cairn_ms, cairn_ms, helm_ms, cairn_mib, helm_mib, chart.name))
    print("| chart | cairn | helm | ratio | peak memory |\n| --- | --: | --: | --: | --: |")
    for ratio, cairn_ms, helm_ms, cairn_mib, helm_mib, name in sorted(rows, key=lambda row: row[5]):
        print(f"| `{name}` | {cairn_ms:.1f} ms | {helm_ms:.1f} ms | {ratio:.1f}× | {cairn_mib:.0f} / {helm_mib:.0f} MiB |")
    if rows:
        ratios = sorted(row[0] for row in rows)
        memory = statistics.median(row[3] / row[4] for row in rows)
        print(
            f"\n{len(rows)} charts: ratio {statistics.median(ratios):.1f}× at the median, {ratios[len(ratios) // 10]:.1f}× or less"
            f" for a tenth, {ratios[0]:.1f}× at least; {sum(ratio < 10 for ratio in ratios)} below 10×; memory {memory:.2f}"
            f" of Helm's at the median; {different} not byte for byte the same"
        )
    print(f"left out: {refused} that Helm does not render, {unsteady} that are not the same each time")


main()
