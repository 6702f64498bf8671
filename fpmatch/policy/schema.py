"""The JSON schema of a policy file, for editors: derived from the models that check one."""

from __future__ import annotations

from typing import Any

from fpmatch.policy.document import PolicyDocument

TITLE = "fpmatch policy"
DIALECT = "https://json-schema.org/draft/2020-12/schema"

MEANING: dict[str, dict[str, str]] = {
    "PolicyDocument": {
        "version": "Number of this version; each change makes the next one.",
        "transactions": "Types of transaction that are accepted; all others are refused.",
        "purposes": "Purpose codes that conditions may name; others are unknown.",
        "roles": "Roles that rules may name.",
        "charges": "Charges that conditions may name; others are unknown, and unknown denies.",
        "dispositions": "Dispositions that conditions may name; pending counts as unknown.",
        "attributes": "Further facts: a name and the values that it may have.",
        "status_visibility": "opaque: submitters see one status for withheld and not searched.",
        "mandates_enabled": "Whether mandates have any effect.",
        "registry": "CSV file beside this one with further agencies: ori,name,kind,parent.",
        "partition": "The galleries, each with one owner; at most 64.",
        "jurisdiction": "Nodes of the tree: states, counties, districts.",
        "agency": "Registered agencies; a submission that another one passed is refused.",
        "agreement": "What a permit by anyone but the owner has to cite.",
        "activation": "Settings of the deployment plan.",
        "consent": "Answers of agencies to the question whether they take part.",
        "rule": "Permits, forbids and mandates.",
        "mode": "The seven meanings of opting out, each short for rules and settings.",
        "optout": "Requests to opt out: on record, without effect by themselves.",
    },
    "PartitionTable": {
        "name": "How rules call it.",
        "ndr": "Repository number, EBTS 2.098.",
        "owner": "Who owns it, and alone may permit its use or cite an agreement.",
        "kind": "no_federal_submission forbids the federal ones.",
        "requires_activation": "Whether an agency without any setting is inactive.",
        "searches_protected": "Whether protected persons are searched here.",
        "protected_roles": "Roles that see protected records.",
        "minutiae_roles": "Roles that see the paired minutiae of candidates.",
        "status_visibility": "As at the top, for this partition.",
    },
    "JurisdictionTable": {
        "id": "How rules call it.",
        "name": "For people.",
        "kind": "state, county, or what it is.",
        "parent": "The jurisdiction above.",
        "via": "Bureau that federal submissions from below must pass.",
        "require_consent": "Partitions for which each agency below must have said yes.",
    },
    "AgencyTable": {
        "ori": "Originating agency identifier, nine characters.",
        "name": "For people.",
        "kind": "sib and federal only relay what others took.",
        "parent": "Its jurisdiction; nothing is read out of the ORI.",
        "acknowledges": "Partitions it is on record as knowing about.",
        "from": "In service from then on.",
        "to": "No longer in service at that time.",
    },
    "TerminationTable": {
        "by": "The party that gave notice.",
        "on": "Day of receipt; the agreement ends notice_days later.",
    },
    "AgreementTable": {
        "id": "How rules cite it.",
        "kind": "MOA or 287(g).",
        "parties": "Owners, agencies and jurisdictions that it binds.",
        "partitions": "What it is about.",
        "permissions": "The most that a permit under it can give.",
        "notice_days": "How long it lives after notice.",
        "terminated": "Notice, once it was given.",
        "from": "In force from then on.",
        "to": "No longer in force at that time.",
    },
    "ActivationTable": {
        "who": "Agencies or jurisdictions.",
        "partition": "The partition.",
        "state": "Of several on one node the most restrictive counts.",
        "author": "Who decided it.",
        "authority": "In which standing; inferred from the author unless written.",
        "reason": "In words.",
        "from": "In force from then on.",
        "to": "No longer in force at that time.",
    },
    "ConsentTable": {
        "who": "The agency.",
        "partition": "The partition.",
        "state": "Its answer.",
        "author": "Who recorded it: the agency's own side, never the owner.",
        "from": "In force from then on.",
        "to": "No longer in force at that time.",
    },
    "ConditionTable": {
        "transaction": "Types of transaction.",
        "purpose": "Purpose codes.",
        "role": "Roles.",
        "charge": "Charges.",
        "disposition": "Dispositions.",
        "protected": "Whether the person is protected.",
        "attributes": "Further facts.",
    },
    "DeferTable": {
        "event": "What the search waits for.",
        "days": "How long at most.",
    },
    "RuleTable": {
        "id": "Its name in decisions, in the log and in reports.",
        "effect": "A forbid beats every permit and every mandate.",
        "who": "Agencies or jurisdictions; * is everyone.",
        "partitions": "Names; * is all.",
        "permissions": "What is given or taken.",
        "author": "Who decided it, and must be entitled to.",
        "authority": "In which standing; inferred from the author unless written.",
        "when": "A permit counts if all of it is true; a forbid unless some is certainly false.",
        "unless": "The exception.",
        "agreement": "The agreement that a permit rests on.",
        "legal_basis": "Copied into decisions, never judged.",
        "signer": "Of a mandate.",
        "defer": "Waits for the outcome of an open case.",
        "from": "In force from then on.",
        "to": "No longer in force at that time.",
    },
    "ModeTable": {
        "mode": "M1 to M7; see docs/policy.md.",
        "who": "Agencies or jurisdictions.",
        "partition": "The partition; not for no_federal_submission.",
        "author": "Who decided it; permits only as owner or under an agreement.",
        "authority": "In which standing; inferred from the author unless written.",
        "retain": "Whether probes may be kept.",
        "agreement": "The agreement that its permit rests on.",
        "charges": "Of conditional_charge.",
        "event": "What deferred_disposition waits for.",
        "expires_days": "How long at most.",
        "except_roles": "Of results_withheld: roles that do see the result.",
        "until": "Of not_activated: active from then on.",
        "legal_basis": "Copied into decisions, never judged.",
        "reason": "In words.",
        "from": "In force from then on.",
        "to": "No longer in force at that time.",
    },
    "OptOutTable": {
        "id": "Its name.",
        "who": "Who asks.",
        "partition": "The partition.",
        "requested": "When.",
        "status": "How far it has come.",
        "decided": "When it was answered.",
        "answer": "In words.",
    },
}
"""What each key means, shown by editors; `docs/policy.md` says more."""


def policy_schema() -> dict[str, Any]:
    """The JSON schema (draft 2020-12) of a policy file.

    TOML's dates are text of the formats "date" and "date-time" here, as editors see them. What
    refers to what is not in it: `Policy.load` checks that.
    """
    made = PolicyDocument.model_json_schema(by_alias=True)
    tables = made.pop("$defs")
    for name, table in {**tables, "PolicyDocument": made}.items():
        for key, value in table.get("properties", {}).items():
            meaning = MEANING.get(name, {}).get(key, "")
            table["properties"][key] = _plain(value) | {"description": meaning}
        table.pop("title", None)
    made.pop("description", None)
    about = {"$schema": DIALECT, "title": TITLE, "description": "Who may search what, and why."}
    return {**about, **made, "$defs": tables}


def _plain(value: dict[str, Any]) -> dict[str, Any]:
    """Without what TOML cannot say (null), and without generated titles."""
    out = {k: v for k, v in value.items() if k != "title" and not (k == "default" and v is None)}
    choices = [c for c in out.get("anyOf", ()) if c != {"type": "null"}]
    if len(choices) == 1:
        return {**{k: v for k, v in out.items() if k != "anyOf"}, **choices[0]}
    return out | ({"anyOf": choices} if choices else {})
