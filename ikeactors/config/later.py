"""Keys of swanctl.conf that are known here and not available yet."""

from __future__ import annotations

_SUBJECTS = {
    "a virtual address": "pools vips",
    "choosing certificates by what is in them": "authorities ca_id cacert cert groups",
    "EAP": "aaa_id eap_id",
    "IKEv1": "aggressive pull xauth_id",
    "the updown script's firewall rule for the host": "hostaccess",
    "mediation": "mediated_by mediation mediation_peer",
    "": "inactivity interface label label_mode per_cpu_sas sha256_96",
}

_SUBJECT_OF = {key: subject for subject, keys in _SUBJECTS.items() for key in keys.split()}


def why_not_yet(key: str) -> str:
    """What to say of such a key; nothing of any other."""
    if key not in _SUBJECT_OF:
        return ""
    return f"{_SUBJECT_OF[key]} is not available yet: leave it out".lstrip()
