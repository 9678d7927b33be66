#!/usr/bin/env python3
"""Writes merge-keys.txt: how lists of built-in Kubernetes types merge. For developers only.

The source is the PyPI package `kubernetes-validate` (Apache-2.0), which carries Kubernetes'
OpenAPI definitions of many minor versions with their `x-kubernetes-*` extensions. Refresh:

    pip download --no-deps kubernetes-validate
    python3 compiler/data/generate-merge-keys.py kubernetes_validate-*.whl --newest 1.36 \
        > compiler/data/merge-keys.txt

The newest version wins; types and fields that only older versions have are added, so that
patches of removed types still merge. Only definitions from which a field with a rule of its own
can be reached are written, and definitions that say the same are written once.

The format, one line each, fields separated by spaces:

    type GROUP/VERSION KIND DEFINITION      a kind and its definition (the core group is `VERSION`)
    DEFINITION FIELD>BELOW[:RULE] ...       the fields of a definition that matter

FIELD `*` stands for every key of a map. BELOW is the definition of the field's value (of a list:
of its items), `-` when nothing below matters. RULE is absent for maps that merge; otherwise

    :key,key=default    a list that merges by these keys; a default completes an item without it
    :*                  a list of scalars that merges by value
    :!                  a map that is replaced as a whole
"""

import argparse
import json
import re
import sys
import zipfile

# Kubernetes fills these in before it compares list items; the published schemas do not say so.
KEY_DEFAULTS = {"protocol": "TCP"}
OBJECT_META = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"
SCHEMAS = re.compile(r".*/v(\d+)\.(\d+)\.\d+-local/_definitions\.json$")


def read_definitions(wheel, newest):
    """All definitions up to a minor version; fields of newer versions win."""
    with zipfile.ZipFile(wheel) as archive:
        found = {}
        for name in archive.namelist():
            if match := SCHEMAS.match(name):
                found[int(match[1]), int(match[2])] = name
        versions = sorted((v for v in found if v <= newest), reverse=True)
        merged = {}
        for version in versions:
            for name, schema in json.loads(archive.read(found[version]))["$defs"].items():
                known = merged.setdefault(name, dict(schema, properties={}))
                for field, property_ in (schema.get("properties") or {}).items():
                    known["properties"].setdefault(field, property_)
    return merged, versions


def reference(schema):
    """The definition a schema refers to, through lists, or None."""
    if "$ref" in schema:
        return schema["$ref"].removeprefix("#/$defs/")
    if "items" in schema:
        return reference(schema["items"])
    return None


def is_list(schema):
    return "items" in schema


def rule_of(schema):
    """The merge rule of a field, or the empty text."""
    strategies = schema.get("x-kubernetes-patch-strategy", "").split(",")
    if not is_list(schema):
        return ":!" if "replace" in strategies else ""
    keys = schema.get("x-kubernetes-list-map-keys") or []
    if not keys and "x-kubernetes-patch-merge-key" in schema:
        keys = [schema["x-kubernetes-patch-merge-key"]]
    if keys:
        complete = [f"{key}={KEY_DEFAULTS[key]}" if key in KEY_DEFAULTS else key for key in keys]
        return ":" + ",".join(complete)
    return ":*" if "merge" in strategies else ""


def edges(definitions):
    """{definition: {field: (definition below or None, rule)}}, lists without a rule left out."""
    graph = {}
    for name, schema in definitions.items():
        fields = graph.setdefault(name, {})
        for field, property_ in schema["properties"].items():
            rule, below = rule_of(property_), reference(property_)
            values = property_.get("additionalProperties")
            if isinstance(values, dict) and not is_list(values) and reference(values):
                below = f"{name}.{field}.*"
                graph[below] = {"*": (reference(values), "")}
            if rule or (below and not is_list(property_)):
                fields[field] = (below, rule)
    return graph


def prune(graph):
    """Drops definitions from which no rule can be reached, and references to them."""
    useful = {name for name, fields in graph.items() if any(rule for _, rule in fields.values())}
    while True:
        more = {
            name
            for name, fields in graph.items()
            if name not in useful and any(below in useful for below, _ in fields.values())
        }
        if not more:
            break
        useful |= more
    return {
        name: {
            field: (below if below in useful else None, rule)
            for field, (below, rule) in fields.items()
            if rule or below in useful
        }
        for name, fields in graph.items()
        if name in useful
    }


def classes(graph):
    """{definition: class}, equal for definitions that say the same (partition refinement)."""
    colour = {name: 0 for name in graph}
    while True:
        signature = {
            name: repr(sorted((f, rule, colour.get(below, "-")) for f, (below, rule) in fields.items()))
            for name, fields in graph.items()
        }
        number = {text: index for index, text in enumerate(sorted(set(signature.values())))}
        refined = {name: number[signature[name]] for name in graph}
        if len(number) == len(set(colour.values())):
            return refined
        colour = refined


def kinds(definitions):
    """(group/version, kind, definition) of what can stand in a manifest."""
    for name, schema in definitions.items():
        metadata = schema["properties"].get("metadata", {})
        if reference(metadata) == OBJECT_META:
            for gvk in schema.get("x-kubernetes-group-version-kind", []):
                group = gvk["group"] + "/" if gvk["group"] else ""
                yield group + gvk["version"], gvk["kind"], name


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("wheel")
    parser.add_argument("--newest", default="1.36", help="the newest minor version to read")
    arguments = parser.parse_args()
    newest = tuple(int(part) for part in arguments.newest.split("."))
    definitions, versions = read_definitions(arguments.wheel, newest)
    graph = prune(edges(definitions))
    colour = classes(graph)
    types = sorted((gv, kind, colour[name]) for gv, kind, name in kinds(definitions) if name in graph)
    # Numbered in the order in which the types reach them, so that a refresh gives a small diff.
    number, queue = {}, [c for _, _, c in types]
    fields_of = {colour[name]: fields for name, fields in sorted(graph.items(), reverse=True)}
    while queue:
        current = queue.pop(0)
        if current not in number:
            number[current] = len(number)
            fields = fields_of[current]
            queue += [colour[fields[f][0]] for f in sorted(fields) if fields[f][0]]
    out = sys.stdout
    oldest, latest = (".".join(map(str, v)) for v in (versions[-1], versions[0]))
    out.write(f"# Merge rules of Kubernetes {oldest} to {latest}, from its OpenAPI definitions\n")
    out.write("# (Copyright The Kubernetes Authors, Apache-2.0). Written by generate-merge-keys.py,\n")
    out.write("# which describes the format; do not edit.\n")
    for group_version, kind, c in types:
        out.write(f"type {group_version} {kind} {number[c]}\n")
    for c, index in sorted(number.items(), key=lambda item: item[1]):
        fields = fields_of[c]
        cells = [
            f"{f}>{number[colour[below]] if below else '-'}{rule}"
            for f, (below, rule) in sorted(fields.items())
        ]
        out.write(f"{index} {' '.join(cells)}\n")


if __name__ == "__main__":
    main()
