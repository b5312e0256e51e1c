# SPDX-License-Identifier: MIT
"""Reading lehr/plugin.h: its structs with their fields and its constants; and the header that a later
minor version could be."""
import re


def without_comments(text):
    """The text with comments blanked, so that positions stay."""
    return re.sub(r"/\*.*?\*/", lambda m: re.sub(r"[^\n]", " ", m.group(0)), text, flags=re.S)


def fields_of(body):
    names = []
    for part in body.split(";"):
        part = " ".join(part.split())
        if not part:
            continue
        pointer = re.search(r"\(\s*\*\s*(\w+)\s*\)\s*\(", part)
        if pointer:
            names.append(pointer.group(1))
            continue
        for declarator in part.split(","):
            names.append(re.search(r"(\w+)\s*(\[\w*\])?\s*$", declarator).group(1))
    return names


def structs(text):
    """{name: [field, ...]} in the header's order."""
    code = without_comments(text)
    found = {}
    for match in re.finditer(r"(typedef )?struct (\w+) \{(.*?)\}\s*(\w+)?;", code, re.S):
        found[match.group(4) or match.group(2)] = fields_of(match.group(3))
    return found


def constants(text):
    """Names of enumerators."""
    code = without_comments(text)
    names = []
    for match in re.finditer(r"enum\s*\{(.*?)\}", code, re.S):
        names += re.findall(r"\b(LEHR_\w+)\s*=", match.group(1))
    return names


def later(text):
    """The header as version 1.1 could be: each struct has fields that only LEHR_ABI_MINOR 1 sees."""
    text = text.replace("#define LEHR_ABI_MINOR_LATEST 0", "#define LEHR_ABI_MINOR_LATEST 1")
    extra = "\n#if LEHR_ABI_MINOR >= 1\n    uint64_t later_number; const char *later_text;\n#endif\n"
    ends = []
    for match in re.finditer(r"(typedef )?struct (\w+) \{[^{}]*?\}(\s*\w+)?;", without_comments(text), re.S):
        name = (match.group(3) or match.group(2)).strip()
        if name in GROWING:
            ends.append(match.start() + match.group(0).rindex("}"))
    assert len(ends) == len(GROWING), (len(ends), len(GROWING))
    for end in reversed(ends):
        text = text[:end] + extra + text[end:]
    return text


# Structs that may gain fields at their end; the others are fixed for good: they lie in arrays whose
# stride nobody declares, or are handed over by value.
GROWING = ("lehr_param", "lehr_preset", "lehr_var", "lehr_host", "lehr_progress", "lehr_metric",
           "lehr_schedule", "lehr_slot", "lehr_reduce", "lehr_pass", "lehr_update", "lehr_optimizer",
           "lehr_tensor", "lehr_device_api", "lehr_custom", "lehr_stream", "lehr_opaque", "lehr_plugin")
