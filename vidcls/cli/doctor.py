"""``vidcls doctor``: what is installed, what works, and the commands that mend the rest."""

from __future__ import annotations

import dataclasses
import json

from vidcls import __version__
from vidcls.cli.argument_parser import OneLineParser
from vidcls.cli.health_checks import Finding, Status, all_findings

DESCRIPTION = """Look at everything that vidcls stands on: packages, devices, decoders (by decoding a small video), flow
methods, folders and configurations, with the command that mends what is missing.

Exit status: 0 all that is required works, 1 something required does not."""
_MARKS: dict[Status, str] = {"ok": "ok  ", "note": "--  ", "fail": "FAIL"}


def main(argv: list[str]) -> int:
    """Check everything and print what was found; returns the exit status."""
    parser = OneLineParser("doctor", DESCRIPTION)
    parser.add_argument("--json", action="store_true", help="print one JSON object in place of the text")
    options = parser.parse_args(argv)
    findings: list[Finding] = []
    for finding in all_findings():
        findings.append(finding)
        if not options.json:
            _print_finding(finding, is_first_of_group=len(findings) < 2 or findings[-2].group != finding.group)
    works = all(finding.status != "fail" for finding in findings)
    if options.json:
        content = {"vidcls": __version__, "ok": works, "findings": [dataclasses.asdict(found) for found in findings]}
        print(json.dumps(content, indent=2))
    else:
        _print_summary(findings, works)
    return 0 if works else 1


def _print_finding(finding: Finding, *, is_first_of_group: bool) -> None:
    if is_first_of_group:
        print(finding.group)
    print(f"  {_MARKS[finding.status]}  {finding.name:<16} {finding.detail}", flush=True)


def _print_summary(findings: list[Finding], works: bool) -> None:
    print("\nAll that is required works." if works else "\nSomething required does not work.")
    for status, heading in (("fail", "To mend it:"), ("note", "If you want the rest (marked --):")):
        fixes = {finding.fix: finding.name for finding in findings if finding.status == status and finding.fix}
        if fixes:
            print(heading)
        for fix, name in fixes.items():
            print(f"  {name}: {fix}")
