"""Others' programs look at a package. Prints a JSON object: checker -> "ok" or what it found.

Each is a public Python package; none of them is ours. Runs without a network: the RO-Crate validator's
request cache is filled from the context that the package `rocrate` carries.
"""

import json
import os
import sys
import tempfile
import warnings

package = os.path.abspath(sys.argv[1])
only = set(sys.argv[2:])
found = {}


def checker(function):
    if only and function.__name__ not in only:
        return function
    try:
        found[function.__name__] = function() or "ok"
    except BaseException as error:  # a validator that exits has found something
        found[function.__name__] = f"{type(error).__name__}: {error}"[:600]
    return function


def path(name):
    return os.path.join(package, name)


def meta(name):
    with open(path(name), encoding="utf-8") as file:
        return json.load(file)


def seed(cache, url, body):
    import requests
    import requests_cache
    from requests.adapters import BaseAdapter

    class Answer(BaseAdapter):
        def send(self, request, **kwargs):
            response = requests.Response()
            response.status_code = 200
            response.url = request.url
            response.request = request
            response.headers["Content-Type"] = "application/ld+json"
            import io
            from urllib3.response import HTTPResponse

            response.raw = HTTPResponse(io.BytesIO(body), status=200, preload_content=False,
                                        headers={"Content-Type": "application/ld+json"})
            return response

        def close(self):
            pass

    session = requests_cache.CachedSession(cache, expire_after=-1)
    session.mount("https://", Answer())
    session.get(url)
    session.get(url, headers={"Accept": "application/ld+json, application/json"})


@checker
def croissant():
    import mlcroissant

    dataset = mlcroissant.Dataset(path("croissant.json"))
    rai = [k for k in meta("croissant.json") if k.startswith("rai:")]
    read = dataset.metadata.to_json()
    lost = [k for k in rai if k not in read]
    if lost:
        return f"not read back: {lost}"
    rows = {r["path"]: r.get("rows") for r in meta("datapackage.json")["resources"]}
    for record_set in dataset.metadata.record_sets:
        n = sum(1 for _ in dataset.records(record_set.uuid))
        if n != rows[f"data/{record_set.uuid}.csv"]:
            return f"{record_set.uuid}: {n} rows"


@checker
def ro_crate():
    import rocrate
    from rocrate_validator import services, models

    context = os.path.join(os.path.dirname(rocrate.__file__), "data", "ro-crate.jsonld")
    with open(context, "rb") as file:
        body = file.read()
    cache = os.path.join(tempfile.mkdtemp(), "cache")
    seed(cache, "https://w3id.org/ro/crate/1.3/context", body)
    settings = services.ValidationSettings(
        rocrate_uri=package,
        profile_identifier="ro-crate-1.3",
        requirement_severity=models.Severity.REQUIRED,
        offline=True,
        cache_path=cache,
    )
    result = services.validate(settings)
    if result.has_issues():
        return "; ".join(str(i.message) for i in result.get_issues())[:600]


@checker
def frictionless():
    """From within the package, so that its own guard against paths that lead out stays on."""
    import frictionless

    os.chdir(package)
    report = frictionless.validate("datapackage.json")
    if not report.valid:
        return json.dumps(report.flatten(["type", "message"]))[:600]


@checker
def cff():
    from cffconvert import Citation

    with open(path("CITATION.cff"), encoding="utf-8") as file:
        Citation(file.read()).validate()


@checker
def datacite():
    from datacite import schema45

    schema45.validator.validate(meta("datacite.json"))


@checker
def provenance():
    from prov.model import ProvDocument

    document = ProvDocument.deserialize(path("prov.json"), format="json")
    again = ProvDocument.deserialize(content=document.serialize(format="json"), format="json")
    if document != again:
        return "does not go round"


@checker
def votables():
    import glob

    import pyarrow.parquet
    from astropy.io import votable

    for name in sorted(glob.glob(path("data/*.vot"))):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            table = votable.parse(name, verify="exception").get_first_table()
        n = pyarrow.parquet.read_metadata(name.replace(".vot", ".parquet")).num_rows
        if len(table.array) != n:
            return f"{name}: {len(table.array)} rows"


@checker
def sums():
    """GNU coreutils, as the README tells people."""
    import subprocess

    said = subprocess.run(["sha256sum", "--check", "--strict", "--quiet", "SHA256SUMS"], cwd=package,
                          capture_output=True, text=True)
    if said.returncode:
        return (said.stdout + said.stderr)[:600]


@checker
def perl_sums():
    """Perl's `shasum`, which does not forgive the line ends that coreutils forgives."""
    import subprocess

    said = subprocess.run(["shasum", "--algorithm", "256", "--check", "SHA256SUMS"], cwd=package,
                          capture_output=True)
    if said.returncode:
        return said.stderr.decode(errors="replace")[:600]


@checker
def audit():
    """`hashdeep`: every file has its checksum, and there is no file beside these."""
    import hashlib
    import subprocess

    with open(path("SHA256SUMS"), encoding="utf-8") as file:
        known = [line.rstrip("\r\n").split("  ", 1) for line in file]
    with open(path("SHA256SUMS"), "rb") as file:
        known.append([hashlib.sha256(file.read()).hexdigest(), "SHA256SUMS"])
    with tempfile.NamedTemporaryFile("w", suffix=".hashdeep") as file:
        file.write("%%%% HASHDEEP-1.0\n%%%% size,sha256,filename\n")
        for digest, name in known:
            size = os.path.getsize(path(name)) if os.path.exists(path(name)) else 0
            file.write(f"{size},{digest},./{name}\n")
        file.flush()
        said = subprocess.run(["hashdeep", "-c", "sha256", "-a", "-v", "-l", "-r", "-k", file.name, "."],
                              cwd=package, capture_output=True)
    if said.returncode:
        return (said.stdout + said.stderr).decode(errors="replace")[:600]


@checker
def strict_json():
    """Python's own parser: UTF-8 without a mark, and no key twice."""
    import glob

    def once(pairs):
        keys = [k for k, _ in pairs]
        if len(set(keys)) < len(keys):
            raise ValueError(f"a key stands twice among {keys}"[:200])
        return dict(pairs)

    for name in sorted(glob.glob(path("*.json"))):
        with open(name, encoding="utf-8") as file:
            json.load(file, object_pairs_hook=once)


@checker
def k_anonymity():
    name = path("data/volunteers.parquet")
    if not os.path.exists(name):
        return
    import pandas
    from pycanon import anonymity

    frame = pandas.read_parquet(name).fillna("*").astype(str)
    if frame.empty:
        return
    columns = ["activity", "first", "country", "group"]
    report = meta("privacy_report.json")["protection"]["k_anonymity"]
    k = anonymity.k_anonymity(frame, columns)
    l = anonymity.l_diversity(frame, columns, ["skill_decile"])
    if k != report["smallest_group"] or l != report["fewest_sensitive"]:
        return f"pyCANON k {k}, l {l}; the package says {report}"


@checker
def model_card():
    import glob

    import yaml
    from huggingface_hub import ModelCard

    names = sorted(glob.glob(path("card.md")) + glob.glob(path("models/*/card.md")))
    for name in names:
        card = ModelCard.load(name)
        with open(name, encoding="utf-8") as file:
            front = yaml.safe_load(file.read().split("---\n")[1])
        written = front["model-index"][0]["results"][0]["metrics"]
        read = card.data.eval_results
        if [(m["type"], m["value"]) for m in written] != [(m.metric_type, m.metric_value) for m in read]:
            return f"{name}: other measures are read than were written"
        if not written or not all(low <= high for low, high in (
                (m["args"]["low"], m["args"]["high"]) for m in written if "args" in m)):
            return f"{name}: no measures, or an interval that ends before it begins"
        again = ModelCard(str(card))
        if again.data.to_dict() != card.data.to_dict():
            return f"{name}: does not go round"
        if not card.data.license or "More Information Needed" in card.text:
            return f"{name}: not filled in"
    return None if names or not only else "no card"


print(json.dumps(found, indent=1))
