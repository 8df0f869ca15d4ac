#!/usr/bin/python3
"""Runs one command of nolapse and tells Ansible what came of it.

Everything is taken from nolapse itself: its JSON document says what was done, its exit status
whether all is well. In check mode `renew` is a dry run, which touches neither the host nor the CA's
rate limits.
"""

import json
import os

from ansible.module_utils.basic import AnsibleModule

DOCUMENTATION = r"""
module: nolapse
short_description: Renews, looks at and checks the certificates of nolapse
description:
  - Runs C(nolapse renew), C(nolapse status), C(nolapse check) or C(nolapse config check) on the
    host.
  - The task fails where the exit status is not 0, with nolapse's own words. The status is returned
    as C(rc), so that a playbook can be more lenient; where C(failed_when) is
    C(result.rc in [1, 2]), what is merely undecided passes, such as a CA that asks to wait.
options:
  command:
    description:
      - C(renew) obtains what is missing, renews what is due, deploys and verifies. It is a change
        when a certificate was issued or deployed. In check mode it says what would be done.
      - C(status) fails unless every certificate is served and will be renewed.
      - C(check) runs the self-tests and fails unless all is well.
      - C(config_check) reads the configuration alone.
    type: str
    choices: [renew, status, check, config_check]
    required: true
  names:
    description: Certificates; none means all.
    type: list
    elements: str
    default: []
  config:
    description: The configuration file.
    type: path
    default: /etc/nolapse/nolapse.toml
  content:
    description:
      - What that file shall contain. C(config_check) judges this in place of the file, and so does
        C(renew) in check mode, because the file is not written then.
      - Relative paths in C(include) would be looked for in the wrong folder; write absolute ones.
    type: str
  state_dir:
    description: Overrides the state directory of the file.
    type: path
  program:
    description: nolapse, by its path or as found in PATH and the sbin folders.
    type: str
    default: nolapse
  force:
    description: C(renew) now, due or not. Each run is a change, and costs the CA's rate limits.
    type: bool
    default: false
  ca:
    description: C(renew) from this CA only.
    type: str
  deep:
    description: Whether C(check) also asks the CAs, proves control of each name and runs the hooks' checks.
    type: bool
    default: false
  deploy:
    description: Whether C(renew) deploys.
    type: bool
    default: true
"""

EXAMPLES = r"""
- name: Renew what is due
  nolapse:
    command: renew

- name: Fail unless shop is served and will be renewed
  nolapse:
    command: status
    names: [shop]

- name: Fail unless every way to break a renewal was looked for and none was found
  nolapse:
    command: check
    deep: true
"""

RETURN = r"""
rc:
  description: nolapse's exit status; 1 failed, 2 usage or configuration, 3 undecided.
  type: int
  returned: always
msg:
  description: A line per certificate or problem that there is something to say about.
  type: str
  returned: always
certificates:
  description: The certificates of nolapse's JSON document.
  type: list
  returned: renew and status
findings:
  description: The findings of nolapse's JSON document, those that are fine as well.
  type: list
  returned: check
problems:
  description: What is wrong with the configuration.
  type: list
  returned: where it is
"""

CHANGES = ("renewed", "deployed", "would_renew", "would_deploy")


class Nolapse:
    def __init__(self, module):
        self.module = module
        self.config = module.params["config"]
        self.content = module.params["content"]

    def run(self, arguments):
        """The exit status, the JSON document and what was logged."""
        command = [self.program(), "--config", self.config_in_use(), "--json"]
        if self.module.params["state_dir"]:
            command += ["--state-dir", self.module.params["state_dir"]]
        status, output, log = self.module.run_command(command + arguments)
        try:
            return status, json.loads(output), log
        except ValueError:
            last = (log.strip().splitlines() or ["it said nothing"])[-1]
            self.module.fail_json(rc=status, msg="nolapse ended with %d: %s" % (status, last))

    def program(self):
        name = self.module.params["program"]
        folders = ["/usr/sbin", "/usr/local/sbin"]
        path = name if "/" in name else self.module.get_bin_path(name, opt_dirs=folders)
        if path is None or not os.access(path, os.X_OK):
            self.module.fail_json(
                rc=2, msg="%s was not found; install nolapse, or set program" % name)
        return path

    def config_in_use(self):
        """The file, or what shall become it, in Ansible's own temporary folder."""
        if self.content is None:
            return self.config
        path = os.path.join(self.module.tmpdir, "nolapse.toml")
        with open(path, "w", encoding="utf-8") as file:
            file.write(self.content)
        return path

    def renamed(self, text):
        """Speaks of the file that the operator knows."""
        if self.content is None:
            return text
        return text.replace(os.path.join(self.module.tmpdir, "nolapse.toml"), self.config)

    def end(self, status, lines, **result):
        result["rc"] = status
        result["msg"] = self.renamed("\n".join(lines))
        if status == 0:
            self.module.exit_json(**result)
        self.module.fail_json(**result)

    def refused(self, status, document):
        """Ends where nolapse did not come to the command itself."""
        if "error" in document:
            self.end(status, [document["error"]["message"]])
        problems = document.get("problems", [])
        for problem in problems:
            problem["file"] = self.renamed(problem["file"])
        if problems:
            self.end(status, [problem_line(problem) for problem in problems], problems=problems)


def problem_line(problem):
    place = problem["file"]
    if problem["line"]:
        place += ":%d" % problem["line"]
    parts = [place, problem["key"], problem["reason"]]
    return ": ".join(part for part in parts if part) + "; " + problem["fix"]


def renewal_line(certificate):
    action = certificate["action"]
    if action == "failed":
        what = "ISSUED BUT NOT SERVED" if certificate["issued"] else "FAILED"
        return "%s: %s: %s" % (certificate["name"], what, certificate["error"]["message"])
    if action == "waiting":
        return "%s: WAITING: %s" % (certificate["name"], certificate["error"]["message"])
    said = action.replace("would_renew", "would be renewed")
    said = said.replace("would_deploy", "would be deployed again").replace("_", " ")
    return "%s: %s (%s)" % (certificate["name"], said, certificate["reason"])


def status_line(certificate):
    line = "%s: serving now %s, will renew %s" % (
        certificate["name"], certificate["serving"], certificate["renewal"])
    errors = [certificate["last_error"]]
    errors += [one["last_error"] for one in certificate["deployments"]
               if one["stage"] != "verified"]
    return ": ".join([line] + [error["message"] for error in errors if error])


def finding_line(finding):
    line = "%s %s: %s" % (finding["severity"], finding["code"], finding["summary"])
    if finding["evidence"]:
        line += " [%s]" % finding["evidence"]
    return line + ("; do: " + finding["fix"] if finding["fix"] else "")


def renew(nolapse, params):
    arguments = ["renew"]
    if params["force"]:
        arguments.append("--force")
    if params["ca"]:
        arguments += ["--ca", params["ca"]]
    if not params["deploy"]:
        arguments.append("--no-deploy")
    if nolapse.module.check_mode:
        arguments.append("--dry-run")
    else:
        nolapse.content = None
    status, document, log = nolapse.run(arguments + ["--"] + params["names"])
    nolapse.refused(status, document)
    certificates = document["certificates"]
    changed = any(one["action"] in CHANGES or one["issued"] for one in certificates)
    if status == 0:
        lines = [renewal_line(one) for one in certificates if one["action"] != "not_due"]
        lines = lines or ["nothing is due"]
    else:
        lines = [renewal_line(one) for one in certificates if one["error"]]
        lines = lines or log.strip().splitlines()[-1:] or ["undecided; see `nolapse status`"]
    nolapse.end(status, lines, changed=changed, certificates=certificates)


def status(nolapse, params):
    result, document, _ = nolapse.run(["status", "--"] + params["names"])
    nolapse.refused(result, document)
    certificates = document["certificates"]
    lines = [status_line(one) for one in certificates]
    nolapse.end(result, lines, changed=False, certificates=certificates)


def check(nolapse, params):
    arguments = ["check"] + (["--deep"] if params["deep"] else [])
    result, document, _ = nolapse.run(arguments + ["--"] + params["names"])
    nolapse.refused(result, document)
    findings = document["findings"]
    lines = [finding_line(one) for one in findings if one["severity"] != "ok"]
    lines = lines or ["%d checks fine" % len(findings)]
    nolapse.end(result, lines, changed=False, findings=findings)


def config_check(nolapse, _):
    result, document, _ = nolapse.run(["config", "check"])
    nolapse.refused(result, document)
    nolapse.end(result, ["%s is good" % nolapse.config], changed=False)


def main():
    module = AnsibleModule(
        argument_spec={
            "command": {"required": True, "choices": ["renew", "status", "check", "config_check"]},
            "names": {"type": "list", "elements": "str", "default": []},
            "config": {"type": "path", "default": "/etc/nolapse/nolapse.toml"},
            "content": {"type": "str"},
            "state_dir": {"type": "path"},
            "program": {"type": "str", "default": "nolapse"},
            "force": {"type": "bool", "default": False},
            "ca": {"type": "str"},
            "deep": {"type": "bool", "default": False},
            "deploy": {"type": "bool", "default": True},
        },
        supports_check_mode=True,
    )
    commands = {"renew": renew, "status": status, "check": check, "config_check": config_check}
    commands[module.params["command"]](Nolapse(module), module.params)


if __name__ == "__main__":
    main()
