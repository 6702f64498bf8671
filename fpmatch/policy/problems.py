"""What in a policy lies outside its author's authority."""

from __future__ import annotations

from fpmatch.policy.registry import Registry


def authority_problems(registry: Registry) -> list[tuple[str, int, str]]:
    """Everything that lies outside its author's authority: (kind, index, why)."""
    scope, declared = registry.scope, registry.declared
    found: list[tuple[str, int, str]] = []
    for i, rule in enumerate(declared.rules):
        found.append(("rule", i, _named(f"rule {rule.id!r}", scope.rule_problem(rule))))
    for i, setting in enumerate(declared.activations):
        problem = scope.activation_problem(setting)
        found.append(("activation", i, _named(f"activation of {setting.who!r}", problem)))
    for i, consent in enumerate(declared.consents):
        problem = scope.consent_problem(consent)
        found.append(("consent", i, _named(f"consent of {consent.who!r}", problem)))
    for i, (mode, expansion) in enumerate(zip(declared.modes, registry.expanded, strict=True)):
        problems = [scope.rule_problem(r) for r in expansion.rules]
        problems += [scope.activation_problem(a) for a in expansion.activations]
        problem = next(filter(None, problems), "")
        found.append(("mode", i, _named(f"mode of {mode.who!r}", problem)))
    return [entry for entry in found if entry[2]]


def _named(what: str, problem: str) -> str:
    return f"{what} lies outside its author's authority: {problem}" if problem else ""
