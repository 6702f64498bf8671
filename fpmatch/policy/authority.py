"""Who may decide what: the scope of each authority class.

=================  ==========================================  ================================
class              who may claim it                            about whom
=================  ==========================================  ================================
``local``          an agency, or a jurisdiction                itself and what lies below it
``sib``            an agency of kind "sib"                     everything below its own parent
``partition-owner``  the owner of every partition concerned    anyone, on those partitions
``mandate``        any named authority; needs signer, date     anyone
=================  ==========================================  ================================

A permit by anyone but the owner must cite an agreement to which the owner is a party.
"""

from __future__ import annotations

from fpmatch.policy.model import Activation, Authority, Consent, Effect, Rule
from fpmatch.policy.tree import Tree


class Scope:
    """Answers whether an author may do what a rule or setting says; "" where it may."""

    def __init__(self, tree: Tree) -> None:
        self._tree = tree

    def seat(self, author: str) -> str:
        """The node whose subtree an author speaks for; "" for one outside the tree.

        A state bureau speaks for the jurisdiction it sits in, everyone else for itself.
        """
        agency = self._tree.agencies.get(author)
        if agency is not None:
            return (agency.parent or agency.ori) if agency.kind == "sib" else agency.ori
        return author if author in self._tree.jurisdictions else ""

    def infer(self, author: str, partitions: tuple[str, ...]) -> Authority | None:
        """The class in which an author speaks when none was written; None if it has none."""
        names = self._tree.names(partitions)
        if all(self._tree.partitions[p].owner == author for p in names):
            return Authority.OWNER
        agency = self._tree.agencies.get(author)
        if agency is not None:
            return Authority.SIB if agency.kind == "sib" else Authority.LOCAL
        return Authority.LOCAL if author in self._tree.jurisdictions else None

    def may_set(
        self, author: str, authority: Authority, who: str, partitions: tuple[str, ...]
    ) -> str:
        """Why an author may not decide about ``who`` on those partitions; "" if it may.

        Parameters
        ----------
        author : str
            The principal that speaks: an ORI, a jurisdiction or an owner.
        authority : Authority
            The class in which it speaks.
        who : str
            The agency or jurisdiction that it is about; ``*`` is all.
        partitions : tuple of str
            Names; ``*`` is all.
        """
        if authority is Authority.MANDATE:
            return ""
        if authority is Authority.OWNER:
            foreign = [
                p for p in self._tree.names(partitions) if self._tree.partitions[p].owner != author
            ]
            return f"{author} does not own partition {foreign[0]!r}" if foreign else ""
        agency = self._tree.agencies.get(author)
        if authority is Authority.SIB and (agency is None or agency.kind != "sib"):
            return f"{author} is no registered agency of kind 'sib'"
        if authority is Authority.LOCAL and agency is not None:
            seat = agency.ori
        else:
            seat = self.seat(author)
        if not seat:
            return f"{author} is no registered agency or jurisdiction"
        if seat not in self._tree.path(who):
            return f"{who} does not lie within {seat}, for which {author} speaks"
        return ""

    def rule_problem(self, rule: Rule) -> str:
        """Why the rule lies outside its author's authority; "" if it does not."""
        if rule.effect is Effect.MANDATE and rule.authority is not Authority.MANDATE:
            return f"only the authority class 'mandate' may mandate, not {rule.authority.value!r}"
        if rule.effect is Effect.PERMIT and rule.authority is Authority.MANDATE:
            return "the authority class 'mandate' may mandate or forbid, not permit"
        for who in rule.who:
            problem = self.may_set(rule.author, rule.authority, who, rule.partitions)
            if problem:
                return problem
        return self._needs_agreement(rule) if rule.effect is Effect.PERMIT else ""

    def _needs_agreement(self, rule: Rule) -> str:
        for name in self._tree.names(rule.partitions):
            owner = self._tree.partitions[name].owner
            if owner == rule.author:
                continue
            agreement = self._tree.agreements.get(rule.agreement)
            if agreement is None:
                return f"{rule.author} may open {owner}'s partition {name!r} only by agreement"
            if owner not in agreement.parties:
                return f"{owner}, owner of {name!r}, is no party to agreement {agreement.id!r}"
        return ""

    def activation_problem(self, setting: Activation) -> str:
        """Why the setting lies outside its author's authority; "" if it does not."""
        if setting.authority is Authority.MANDATE:
            return "a mandate is a rule, not a setting of the deployment plan"
        return self.may_set(setting.author, setting.authority, setting.who, (setting.partition,))

    def consent_problem(self, consent: Consent) -> str:
        """Consent is recorded by the agency's own side, never by the partition's owner."""
        if self.seat(consent.author) in self._tree.path(consent.who):
            return ""
        return f"{consent.author} may not answer for {consent.who}"
