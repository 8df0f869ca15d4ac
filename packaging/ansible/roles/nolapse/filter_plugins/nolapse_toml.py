"""nolapse's configuration out of an Ansible variable: the dictionary is the file, key by key.

Nothing here knows which keys there are; nolapse judges them. A key whose value is null, or
Ansible's `omit`, is left out.
"""

import json
import re

from ansible.errors import AnsibleFilterError


def toml_key(name):
    return name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else toml_string(name)


def toml_string(text):
    # A JSON string is a TOML string, but for one character.
    return json.dumps(str(text), ensure_ascii=False).replace("\x7f", "\\u007f")


def toml_value(where, value):
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return str(value)
    if isinstance(value, str):
        return toml_string(value)
    if isinstance(value, list):
        return "[" + ", ".join(toml_value(where, one) for one in value) + "]"
    if isinstance(value, dict):
        pairs = (toml_key(key) + " = " + toml_value(where, one) for key, one in value.items())
        return "{ " + ", ".join(pairs) + " }"
    raise AnsibleFilterError(
        "%s is of the type %s, which has no place in nolapse's configuration; put it in quotes"
        % (where, type(value).__name__))


def is_list_of_tables(value):
    return isinstance(value, list) and bool(value) and all(isinstance(one, dict) for one in value)


def is_left_out(value):
    return value is None or str(value).startswith("__omit_place_holder__")


def toml_table(header, path, table):
    """The lines of a table: its own values first, because the next header ends them."""
    values, tables = [], []
    for key, value in table.items():
        below = path + [toml_key(key)]
        name = ".".join(below)
        if is_left_out(value):
            continue
        if isinstance(value, dict):
            tables += toml_table("[%s]" % name, below, value)
        elif is_list_of_tables(value):
            for one in value:
                tables += toml_table("[[%s]]" % name, below, one)
        else:
            values.append(toml_key(key) + " = " + toml_value(name, value))
    if tables and not values and not header.startswith("[["):
        return tables
    return ["", header] + values + tables


def nolapse_toml(configuration, folder):
    """The text; what `include` names is looked for in the folder that the file will be in."""
    if not isinstance(configuration, dict):
        raise AnsibleFilterError("nolapse_configuration has to be a dictionary")
    include = configuration.get("include", ["conf.d/*.toml"])
    if isinstance(include, list):
        include = [str(one) if str(one).startswith("/") else folder.rstrip("/") + "/" + str(one)
                   for one in include]
    header = "# Written by Ansible."
    return "\n".join(toml_table(header, [], {**configuration, "include": include})[1:]) + "\n"


class FilterModule:
    def filters(self):
        return {"nolapse_toml": nolapse_toml}
