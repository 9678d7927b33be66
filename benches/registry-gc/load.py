"""Fills a registry with orphans, or pushes for some seconds: how many, p50 and p99 in milliseconds.

    load.py orphans HOST:PORT NUMBER
    load.py pushes HOST:PORT SECONDS
"""

import hashlib
import http.client
import itertools
import os
import sys
import threading
import time

CLIENTS = 8
MANIFEST = "application/vnd.oci.image.manifest.v1+json"


def push_blob(connection, repository, content):
    digest = "sha256:" + hashlib.sha256(content).hexdigest()
    path = f"/v2/{repository}/blobs/uploads/?digest={digest}"
    connection.request("POST", path, body=content, headers={"Content-Type": "application/octet-stream"})
    answer = connection.getresponse()
    answer.read()
    assert answer.status == 201, answer.status
    return digest


def push_artifact(connection, repository, number):
    layer = os.urandom(1024)
    digest = push_blob(connection, repository, layer)
    config = push_blob(connection, repository, b"{}")
    manifest = (
        '{"schemaVersion":2,"mediaType":"%s","config":{"mediaType":"application/vnd.oci.empty.v1+json",'
        '"digest":"%s","size":2},"layers":[{"mediaType":"a/b","digest":"%s","size":1024}]}' % (MANIFEST, config, digest)
    )
    path = f"/v2/{repository}/manifests/v{number}"
    connection.request("PUT", path, body=manifest.encode(), headers={"Content-Type": MANIFEST})
    answer = connection.getresponse()
    answer.read()
    assert answer.status == 201, answer.status


def on_all_clients(numbers, work):
    """Calls work(connection, client, number) for the numbers that each of the clients is given."""

    def run(client):
        connection = http.client.HTTPConnection(sys.argv[2], timeout=60)
        for number in numbers(client):
            work(connection, client, number)

    threads = [threading.Thread(target=run, args=(client,)) for client in range(CLIENTS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def main():
    what, amount = sys.argv[1], int(sys.argv[3])
    if what == "orphans":
        on_all_clients(
            lambda client: range(client, amount, CLIENTS),
            lambda connection, client, number: push_blob(connection, f"orphans/{client}", os.urandom(8192)),
        )
        return
    times = []
    end = time.perf_counter() + amount

    def timed(connection, client, number):
        began = time.perf_counter()
        push_artifact(connection, f"pushes/{client}", number)
        times.append((time.perf_counter() - began) * 1000)

    on_all_clients(lambda client: itertools.takewhile(lambda _: time.perf_counter() < end, itertools.count()), timed)
    times.sort()
    print(f"{len(times)} p50 {times[len(times) // 2]:.1f} p99 {times[len(times) * 99 // 100]:.1f} ms")


main()
