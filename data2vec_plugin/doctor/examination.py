"""What is installed, what was patched and why, what is missing, and how to fix it.

Runs with fairseq, or anything else, broken or missing: all imports happen in a separate
process (probe.py).
"""

import json
import platform
import subprocess
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Dict, List, Optional, Tuple

from ..files import shared_memory
from ..runs.tables import Row, print_table
from . import remedies

OK, WARNING, FATAL = "ok", "warning", "fatal"
PROBE = Path(__file__).with_name("probe.py")
PROBE_SECONDS = 300
SHOWN_MODULES = 3
ENOUGH_SHARED = 256 << 20
"""Bytes: a few batches of each worker of the recipes."""
NEEDED_FOR = {
    "torchaudio": " (only fairseq's own speech-to-text and text-to-speech need it; `data2vec align` is faster with it)",
    "torchvision": " (needed for images only)",
    "PIL": " (needed for images only)",
    "soxr": " (needed for `data2vec manifest --resample-to`)",
    "flashlight-text": " (needed for beam search only)",
}


@dataclass
class Finding:
    """One line of the table: what was examined, what was found, how to fix it."""

    what: str
    found: str
    state: str = OK
    mend: str = ""


def examine_and_tell(as_json: bool) -> bool:
    """Print the findings, as tables or as JSON; whether training can start."""
    probed = probe()
    findings = examine(probed)
    patches: List[Dict[str, str]] = probed.get("shim", {}).get("patches", [])
    fatal = any(finding.state == FATAL for finding in findings)
    if as_json:
        report = {
            "training_can_start": not fatal,
            "findings": [asdict(finding) for finding in findings],
            "patches": patches,
        }
        print(json.dumps(report, indent=2))
    else:
        show(findings, patches, fatal)
    return not fatal


def probe() -> Dict[str, Any]:
    """The result of probe.py, or {"error": …} if its process died."""
    try:
        done = subprocess.run(
            [sys.executable, "-W", "ignore", str(PROBE)],
            capture_output=True,
            text=True,
            timeout=PROBE_SECONDS,
            check=False,
        )
        result: Dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    except subprocess.TimeoutExpired:
        return {"error": f"importing torch and fairseq took more than {PROBE_SECONDS} s"}
    except (IndexError, ValueError):
        last = (done.stderr.strip().splitlines() or ["no output"])[-1]
        return {"error": f"the process that tests imports exited with code {done.returncode}: {last}"}
    return result


def examine(probed: Dict[str, Any]) -> List[Finding]:
    """Turns the probe's results into findings."""
    findings = [Finding("python", f"{platform.python_version()} ({sys.executable})")]
    if "error" in probed:
        findings.append(Finding("imports", probed["error"], FATAL, remedies.REINSTALL_TORCH))
        return findings
    packages = probed["packages"]
    torch = packages["torch"]["version"]
    for name, needed in (
        ("torch", FATAL),
        ("torchaudio", OK),
        ("torchvision", OK),
        ("PIL", OK),
        ("numpy", FATAL),
        ("omegaconf", FATAL),
        ("hydra", FATAL),
        ("soundfile", FATAL),
        ("soxr", WARNING),
        ("editdistance", WARNING),
    ):
        findings.append(_package(name, packages[name], needed, remedies.for_package(name, torch)))
    findings.append(_beam_search(packages["flashlight.lib.text.decoder"]))
    findings.append(_gpus(probed["gpus"]))
    findings.append(_shared_memory(shared_memory.room()))
    findings.extend(_fairseq(probed["fairseq"]))
    findings.append(_shim(probed["shim"]))
    findings.append(_plugin(probed["plugin"]))
    return findings


def _package(name: str, probed: Dict[str, Optional[str]], needed: str, fix: str) -> Finding:
    if probed["version"] is None:
        return Finding(name, f"not installed{NEEDED_FOR.get(name, '')}", needed, fix)
    if probed["error"]:
        state = needed if needed != OK else WARNING
        # without the patches hydra 1.0 does not import on Python 3.11
        fix = remedies.TURN_ON if "mutable default" in probed["error"] and remedies.is_turned_off() else fix
        return Finding(name, f"{probed['version']}, broken: {probed['error']}", state, fix)
    return Finding(name, str(probed["version"]))


def _beam_search(probed: Dict[str, Optional[str]]) -> Finding:
    """Whether beam search can run, and what to do if it cannot: not every Python has a wheel."""
    finding = _package("flashlight-text", probed, OK, remedies.for_beam_search())
    if probed["version"] is None:
        finding.found += f": {finding.mend}"
    return finding


def _gpus(probed: Dict[str, Any]) -> Finding:
    names = probed["names"]
    if names:
        return Finding("GPUs", f"{len(names)} (CUDA {probed['cuda']}): {', '.join(names)}")
    built = f"CUDA {probed['cuda']}" if probed["cuda"] else "a build without CUDA"
    return Finding("GPUs", f"none; torch has {built}. Use +run=cpu")


def _shared_memory(room: Optional[shared_memory.Room]) -> Finding:
    """Docker's default is 64 MiB, too little for the workers of one run."""
    if room is None:
        return Finding("shared memory", f"none: there is no {shared_memory.FOLDER}")
    found = f"{room} in {shared_memory.FOLDER}"
    if room.free >= ENOUGH_SHARED:
        return Finding("shared memory", found)
    return Finding(
        "shared memory",
        f"{found}; data loader workers pass batches through it",
        WARNING,
        f"{shared_memory.ENLARGE}, or train with dataset.num_workers=0",
    )


def _fairseq(probed: Dict[str, Any]) -> List[Finding]:
    if probed["version"] is None and probed["error"]:
        return [Finding("fairseq", "not installed", FATAL, remedies.INSTALL_FAIRSEQ)]
    if probed["error"]:
        found = f"{probed['version']}, does not import: {probed['error']}"
        return [Finding("fairseq", found, FATAL, remedies.for_import_error(probed["error"]))]
    where = f"{probed['version']} ({probed['flavour']}) in {probed['path']}"
    findings = [Finding("fairseq", f"{where}, imports in {probed['seconds']} s")]
    broken = [error for error in probed["extensions"].values() if error]
    if broken:
        findings.append(Finding("C++ extension", broken[0], FATAL, remedies.BUILD_FAIRSEQ))
    else:
        findings.append(Finding("C++ extension", "built"))
    return findings


def _shim(probed: Dict[str, Any]) -> Finding:
    if remedies.is_turned_off():
        return Finding("shim", "turned off by DATA2VEC_COMPAT", WARNING, remedies.TURN_ON)
    if probed["active"] != ".pth":
        found = "only after `import data2vec_plugin`; fairseq's own commands start without it"
        return Finding("shim", found, WARNING, remedies.INSTALL_PLUGIN)
    failed = [patch["name"] for patch in probed["patches"] if patch["state"] == "failed"]
    if failed:
        return Finding("shim", f"active, but failed: {', '.join(failed)}", WARNING)
    return Finding("shim", "active in every interpreter (data2vec_compat.pth)")


def _plugin(probed: Dict[str, Optional[str]]) -> Finding:
    if probed["error"]:
        fix = remedies.TURN_ON if remedies.is_turned_off() else remedies.INSTALL_PLUGIN
        return Finding("plugin", probed["error"], FATAL, fix)
    return Finding("plugin", "data2vec_plugin imports")


def show(findings: List[Finding], patches: List[Dict[str, str]], fatal: bool) -> None:
    """Prints the tables, then how to fix what was found."""
    marks = {OK: "ok", WARNING: "warning", FATAL: "MISSING"}
    rows = [(finding.what, finding.found, marks[finding.state]) for finding in findings]
    print_table("Installed", ("what", "found", "state"), rows)
    if patches:
        print_table("Patched at run time", ("patch", "why", "modules"), _by_patch(patches))
    fixes: Dict[str, List[str]] = {}
    for finding in filter(_to_fix, findings):
        fixes.setdefault(finding.mend, []).append(finding.what)
    if fixes:
        print("\nTo fix:")
        for fix, whats in fixes.items():
            print(f"  {', '.join(whats)}: {fix}")
    print("\nTraining could not start." if fatal else "\nTraining can start.")


def _by_patch(patches: List[Dict[str, str]]) -> List[Row]:
    """One row per patch; a patch may apply to several modules, of which some may not need it."""
    rows: Dict[Tuple[str, str], Dict[str, List[str]]] = {}
    for entry in patches:
        states = rows.setdefault((entry["name"], entry["why"]), {})
        states.setdefault(f"{entry['state']} {entry['detail']}".strip(), []).append(entry["module"])
    return [
        (name, why, "\n".join(f"{_counted(modules)}: {state}" for state, modules in states.items()))
        for (name, why), states in rows.items()
    ]


def _counted(modules: List[str]) -> str:
    """The modules, or how many they are; `--json` lists all."""
    return ", ".join(modules) if len(modules) <= SHOWN_MODULES else f"{len(modules)} modules of fairseq"


def _to_fix(finding: Finding) -> bool:
    return bool(finding.mend) and finding.state != OK
