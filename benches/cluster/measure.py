"""Applies and plans objects with two commands in turn: measure.py CAIRN DRIVE KUBE KUBECTL OBJECTS ROUNDS"""

import base64
import hashlib
import json
import os
import pathlib
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time

# A run that takes longer is a failure, in seconds.
TIMEOUT_S = 600
# How large the text of each object is, in bytes.
TEXT_BYTES = 500
# How many requests the runner makes at once.
AT_ONCE = 32


def digest(data):
    return "sha256:" + hashlib.sha256(data).hexdigest()


def namespace(name):
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}


def config_map(name, place, text):
    metadata = {"name": name, "namespace": place}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"a": "1", "text": text}}


def write_bundle(folder, place, objects):
    """A bundle of a namespace and of what is in it, as `cairn profile build` writes one."""
    files, stages = {}, []
    for number, (stage, contents) in enumerate(
        [("namespaces", [namespace(place)]), ("configuration", objects)]
    ):
        planned = []
        for content in contents:
            metadata = content["metadata"]
            # JSON is YAML.
            data = json.dumps(content).encode()
            file = f"010-{place}/{number}-{metadata['name']}.yaml"
            files["manifests/" + file] = data
            object_id = {"apiVersion": content["apiVersion"], "kind": content["kind"], "name": metadata["name"]}
            if "namespace" in metadata:
                object_id["namespace"] = metadata["namespace"]
            planned.append({**object_id, "file": file, "digest": digest(data)})
        stages.append({"stage": stage, "objects": planned})
    layer = {"name": place, "kind": "addon", "stages": stages, "gates": []}
    plan = {"apiVersion": "cairn.dev/v1", "kind": "Plan", "layers": [layer], "edges": []}
    files["plan.json"] = json.dumps(plan).encode()
    for name in ["lock.yaml", "images.json", "sbom.cdx.json", "provenance.json"]:
        files[name] = b"{}\n"
    manifest = {
        "apiVersion": "cairn.dev/v1", "kind": "Bundle", "compiler": "0.1.0",
        "profile": {"name": place, "version": "1.0.0"}, "kubernetes": "1.36.0",
        "layers": [], "objects": len(objects) + 1, "images": 0,
        "files": {path: digest(data) for path, data in files.items()},
    }
    files["bundle.json"] = json.dumps(manifest).encode()
    for path, data in files.items():
        path = folder / path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)


class Cluster:
    """The cluster for tests, for as long as this is there."""

    def __init__(self, program, folder):
        self.folder = folder
        self.process = subprocess.Popen(
            [program, "serve", "--folder", folder, "--linger", "5m"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
        self.process.stdout.readline()
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(str(folder / "control.sock"))
        line = self.socket.makefile().readline()
        if not line.startswith("ready "):
            raise SystemExit(f"error: the cluster does not start: {line}")
        self.kubeconfig = line.split(" ", 1)[1].strip()

    def end(self):
        self.socket.close()
        self.process.terminate()
        self.process.wait()


# The kernel counts the memory of whoever starts a process as that process's own peak, so a small one starts it.
STARTER = """
import os, sys, time
began = time.perf_counter()
process = os.posix_spawn(sys.argv[1], sys.argv[1:], os.environ, file_actions=[(os.POSIX_SPAWN_DUP2, 2, 1)])
_, status, usage = os.wait4(process, 0)
print(time.perf_counter() - began, usage.ru_maxrss / 1024, os.waitstatus_to_exitcode(status))
"""


def timed(command, environment, code="0"):
    """Seconds, and MiB at the peak, of a command from start to exit; it ends with this code."""
    starter = [sys.executable, "-I", "-S", "-c", STARTER, *map(str, command)]
    with tempfile.TemporaryFile() as said:
        printed = subprocess.run(
            starter, env=environment, stdout=subprocess.PIPE, stderr=said, timeout=TIMEOUT_S, check=True, text=True
        ).stdout
        seconds, memory, ended = printed.split()
        if ended != code:
            said.seek(0)
            raise SystemExit(f"error: {command}: {said.read().decode()[-2000:]}")
    return float(seconds), float(memory)


def raw(kubectl, count, scratch, environment):
    """Seconds that the requests of an apply alone take, so many at once as the runner makes: what nobody can do without."""
    place = "raw"
    timed([kubectl, "create", "namespace", place], environment)
    view = [kubectl, "config", "view", "--raw", "--flatten", "-o", "json"]
    config = json.loads(subprocess.run(view, env=environment, stdout=subprocess.PIPE, check=True, text=True).stdout)
    cluster, user = config["clusters"][0]["cluster"], config["users"][0]["user"]
    known = {
        "cacert": cluster["certificate-authority-data"],
        "cert": user["client-certificate-data"],
        "key": user["client-key-data"],
    }
    for option, data in known.items():
        (scratch / option).write_bytes(base64.b64decode(data))
    lines = []
    for index in range(count):
        content = config_map(f"c{index}", place, "x" * TEXT_BYTES)
        path = f"/api/v1/namespaces/{place}/configmaps/c{index}"
        lines += [
            f'url = "{cluster["server"]}{path}?fieldManager=raw&fieldValidation=Strict&force=true"',
            'request = "PATCH"', 'header = "content-type: application/apply-patch+yaml"', "http1.1", "fail",
            f"data = {json.dumps(json.dumps(content))}", 'output = "/dev/null"',
            *(f'{option} = "{scratch / option}"' for option in known), "next",
        ]
    (scratch / "curl").write_text("\n".join(lines[:-1]))
    curl = shutil.which("curl")
    return timed([curl, "-s", "-Z", "--parallel-max", str(AT_ONCE), "-K", scratch / "curl"], environment)


class Watcher:
    """The runner watching over a bundle, which puts back what somebody else changes."""

    def __init__(self, drive, folder, environment):
        self.process = subprocess.Popen([drive, "watch", folder], env=environment, stdout=subprocess.PIPE, text=True)
        self.expect("watching")

    def expect(self, line):
        said = self.process.stdout.readline().strip()
        if said != line:
            raise SystemExit(f"error: the runner said `{said}` instead of `{line}`")

    def end(self):
        self.process.terminate()
        self.process.wait()


def drift(programs, folders, kubectl_files, environment):
    """Seconds from when somebody has changed a field until it is noticed, and until it is put back: by a runner that
    watches, and by `kubectl diff` and `kubectl apply` of the same objects."""
    _, drive, _, kubectl = programs
    name = "c7"

    def change(place):
        patch = ["patch", "configmap", name, "-n", place, "--field-manager=somebody", "-p", '{"data":{"a":"2"}}']
        timed([kubectl, *patch], environment)
        return time.perf_counter()

    def put_back(place):
        get = [kubectl, "get", "configmap", name, "-n", place, "-o", "jsonpath={.data.a}"]
        value = subprocess.run(get, env=environment, stdout=subprocess.PIPE, check=True, text=True).stdout
        if value != "1":
            raise SystemExit(f"error: {place}/{name} has `{value}`")

    watcher = Watcher(drive, folders["ours"], environment)
    try:
        began = change("ours")
        watcher.expect(f"detected {name}")
        detected = time.perf_counter() - began
        watcher.expect(f"corrected {name}")
        ours = {"drift, detected": detected, "drift, corrected": time.perf_counter() - began}
        put_back("ours")
    finally:
        watcher.end()
    change("theirs")
    # What differs is no failure, but has a code of its own.
    detected, memory = timed([kubectl, "diff", *kubectl_files], environment, code="1")
    corrected, more = timed([kubectl, "apply", *kubectl_files], environment)
    put_back("theirs")
    theirs = {"drift, detected": detected, "drift, corrected": detected + corrected}
    return {name: [(ours[name], 0), (theirs[name], max(memory, more))] for name in ours}


def row(name, ours, theirs):
    seconds = [statistics.median(one[0] for one in runs) for runs in (ours, theirs)]
    memory = [max(one[1] for one in runs) for runs in (ours, theirs)]
    ratios = [their[0] / our[0] for our, their in zip(ours, theirs)]
    print(
        f"| {name} | {seconds[0] * 1000:,.0f} ms | {seconds[1] * 1000:,.0f} ms "
        f"| {statistics.median(ratios):.1f}× ({min(ratios):.1f} to {max(ratios):.1f}) "
        f"| {f'{memory[0]:.0f}' if memory[0] else ''} | {memory[1]:.0f} |",
        flush=True,
    )


def round_of(programs, count, number, scratch):
    """Both commands in a cluster that is new, by what they do: who comes first in one round comes second in the next."""
    cairn, _, kube, kubectl = programs
    cluster = Cluster(kube, scratch / "kube")
    environment = {**os.environ, "KUBECONFIG": cluster.kubeconfig, "HOME": str(scratch)}
    try:
        for place in ("warm", "ours", "theirs"):
            objects = [config_map(f"c{index}", place, "x" * TEXT_BYTES) for index in range(count)]
            write_bundle(scratch / place, place, objects)
        files = {
            place: ["--server-side", "--force-conflicts", "-R", "-f", str(scratch / place / "manifests")]
            for place in ("warm", "theirs")
        }
        # What the first requests pay for all.
        timed([kubectl, "create", "namespace", "theirs"], environment)
        timed([kubectl, "apply", *files["warm"]], environment)
        timed([cairn, "plan", scratch / "ours"], environment)
        apply = ([cairn, "apply", scratch / "ours"], [kubectl, "apply", *files["theirs"]])
        plan = ([cairn, "plan", scratch / "ours"], [kubectl, "diff", *files["theirs"]])
        samples = {}
        for name, commands in {"apply, new": apply, "plan, unchanged": plan, "apply, unchanged": apply}.items():
            pair = [None, None]
            for which in (0, 1) if number % 2 else (1, 0):
                pair[which] = timed(commands[which], environment)
            samples[name] = pair
        samples["apply, new, the requests alone"] = [raw(kubectl, count, scratch, environment), samples["apply, new"][1]]
        folders = {place: scratch / place for place in ("ours", "theirs")}
        return samples | drift(programs, folders, files["theirs"], environment)
    finally:
        cluster.end()


def large(programs, scratch):
    """What a bundle of 10 MB takes."""
    cairn, _, kube, _ = programs
    objects = [config_map(f"c{index}", "large", os.urandom(5_000).hex()) for index in range(1_000)]
    write_bundle(scratch / "large", "large", objects)
    cluster = Cluster(kube, scratch / "kube")
    try:
        return timed([cairn, "apply", scratch / "large"], {**os.environ, "KUBECONFIG": cluster.kubeconfig})
    finally:
        cluster.end()


def main():
    *programs, count, rounds = sys.argv[1:]
    count, rounds = int(count), int(rounds)
    runs = {}
    for number in range(rounds):
        with tempfile.TemporaryDirectory() as scratch:
            for name, pair in round_of(programs, count, number, pathlib.Path(scratch)).items():
                runs.setdefault(name, []).append(pair)
    print(f"\n{count:,} ConfigMaps of {TEXT_BYTES} bytes, medians of {rounds} rounds in turn, whole processes\n")
    print("| | cairn | kubectl | ratio | MiB, cairn | MiB, kubectl |\n| --- | --: | --: | --: | --: | --: |")
    for name, pairs in runs.items():
        row(name, *zip(*pairs))
    with tempfile.TemporaryDirectory() as scratch:
        seconds, memory = large(programs, pathlib.Path(scratch))
    print(f"\na bundle of 10 MB: {seconds:.1f} s, {memory:.0f} MiB at the peak")


main()
