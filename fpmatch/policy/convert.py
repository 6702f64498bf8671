"""From validated tables to the model: resolves what refers to what, and complains with a line."""

from __future__ import annotations

from collections.abc import Iterable

from fpmatch.policy import document as doc
from fpmatch.policy import model
from fpmatch.policy.checks import Checks, Fail
from fpmatch.policy.lines import Location
from fpmatch.policy.model import ACCEPT, ALL, GENERIC_CHARGES, ROOT, SEARCHING


def declared_from(
    parsed: doc.PolicyDocument, agencies: list[model.Agency], fail: Fail
) -> tuple[model.Declared, dict[str, list[int]]]:
    """Convert a document; also tells which table each activation and mode came from.

    Raises what ``fail`` makes of the first inconsistency.

    Parameters
    ----------
    parsed : PolicyDocument
        As read, each key checked by itself.
    agencies : list of Agency
        Of the document and its registry file.
    fail : callable
        Makes the error for a place in the document and a message.
    """
    converter = _Converter(_base(parsed, agencies, fail), fail)
    return converter.complete(parsed), converter.origins


def _base(parsed: doc.PolicyDocument, agencies: list[model.Agency], fail: Fail) -> model.Declared:
    generic = GENERIC_CHARGES & set(parsed.charges)
    if generic:
        raise fail(("charges",), f"{min(generic)!r} is the generic code for 'unknown'; remove it")
    opaque = parsed.status_visibility == "opaque"
    return model.Declared(
        version=parsed.version,
        transactions=parsed.transactions,
        purposes=parsed.purposes,
        roles=parsed.roles,
        charges=parsed.charges,
        dispositions=parsed.dispositions,
        attributes=tuple(sorted(parsed.attributes.items())),
        mandates_enabled=parsed.mandates_enabled,
        partitions=tuple(_partition(p, opaque) for p in parsed.partition),
        jurisdictions=tuple(
            model.Jurisdiction(j.id, j.name, j.kind, j.parent, j.via, j.require_consent)
            for j in parsed.jurisdiction
        ),
        agencies=tuple(agencies),
    )


def _partition(table: doc.PartitionTable, opaque: bool) -> model.Partition:
    own = table.status_visibility
    return model.Partition(
        name=table.name,
        ndr=table.ndr,
        owner=table.owner,
        kind=table.kind,
        requires_activation=table.requires_activation,
        searches_protected=table.searches_protected,
        protected_roles=table.protected_roles,
        minutiae_roles=table.minutiae_roles,
        opaque=own == "opaque" if own else opaque,
    )


class _Converter(Checks):
    """Converts the tables that refer to partitions, nodes and agreements."""

    def complete(self, parsed: doc.PolicyDocument) -> model.Declared:
        self._check_partitions()
        self._check_tree()
        agreements = tuple(self._agreement(i, t) for i, t in enumerate(parsed.agreement))
        self.agreements = {a.id for a in agreements}
        self._unique("agreement", (a.id for a in agreements))
        plan = [(i, a) for i, t in enumerate(parsed.activation) for a in self._activations(i, t)]
        set_modes = [(i, m) for i, t in enumerate(parsed.mode) for m in self._modes(i, t)]
        self.origins = {"activation": [i for i, _ in plan], "mode": [i for i, _ in set_modes]}
        activations = tuple(a for _, a in plan)
        modes = tuple(m for _, m in set_modes)
        self._unique("mode", (m.label for m in modes))
        rules = tuple(self._rule(i, t) for i, t in enumerate(parsed.rule))
        self._unique("rule", (r.id for r in rules))
        optouts = tuple(self._optout(i, t) for i, t in enumerate(parsed.optout))
        self._unique("optout", (o.id for o in optouts))
        return model.Declared(
            **{name: getattr(self.base, name) for name in _BASE_FIELDS},
            agreements=agreements,
            activations=activations,
            consents=tuple(self._consent(i, t) for i, t in enumerate(parsed.consent)),
            rules=rules,
            modes=modes,
            optouts=optouts,
        )

    def _agreement(self, i: int, t: doc.AgreementTable) -> model.Agreement:
        at = ("agreement", i)
        for partition in t.partitions:
            self._known_partition((*at, "partitions"), partition, star=True)
        owners = {p.owner for p in self.base.partitions}
        for party in t.parties:
            if party not in owners and party not in self.nodes:
                raise self.fail(
                    (*at, "parties"), f"{party!r} is no partition owner, agency or jurisdiction"
                )
        if t.terminated is not None and t.terminated.by not in t.parties:
            raise self.fail((*at, "terminated", "by"), f"{t.terminated.by!r} is no party to it")
        self._order((*at, "to"), t.start, t.end)
        return model.Agreement(
            id=t.id,
            parties=t.parties,
            partitions=t.partitions,
            bits=model.permission_bits(t.permissions),
            kind=t.kind,
            start=t.start,
            end=t.end,
            notice_days=t.notice_days,
            terminated_by=t.terminated.by if t.terminated else "",
            terminated_on=t.terminated.on if t.terminated else None,
        )

    def _activations(self, i: int, t: doc.ActivationTable) -> Iterable[model.Activation]:
        at = ("activation", i)
        self._known_partition((*at, "partition"), t.partition)
        self._order((*at, "to"), t.start, t.end)
        authority = self._authority(at, t.authority, t.author, (t.partition,))
        for who in t.who:
            self._known_node((*at, "who"), who)
            yield model.Activation(
                who=who,
                partition=t.partition,
                state=model.ActivationState(t.state),
                author=t.author,
                authority=authority,
                start=t.start,
                end=t.end,
                reason=t.reason,
            )

    def _consent(self, i: int, t: doc.ConsentTable) -> model.Consent:
        at = ("consent", i)
        self._known_partition((*at, "partition"), t.partition)
        self._known_node((*at, "who"), t.who)
        self._order((*at, "to"), t.start, t.end)
        return model.Consent(t.who, t.partition, t.state, t.author, t.start, t.end)

    def _rule(self, i: int, t: doc.RuleTable) -> model.Rule:
        at = ("rule", i)
        for partition in t.partitions:
            self._known_partition((*at, "partitions"), partition, star=True)
        for who in t.who:
            self._known_node((*at, "who"), who)
        self._order((*at, "to"), t.start, t.end)
        if t.id.startswith("mode:"):
            raise self.fail((*at, "id"), "ids that begin with 'mode:' are made by [[mode]]; rename")
        if t.agreement and t.agreement not in self.agreements:
            raise self.fail((*at, "agreement"), f"no [[agreement]] has the id {t.agreement!r}")
        if t.effect is model.Effect.MANDATE:
            self._check_mandate(at, t)
        return model.Rule(
            id=t.id,
            effect=t.effect,
            who=t.who,
            partitions=t.partitions,
            bits=_bits(t),
            author=t.author,
            authority=self._authority(at, t.authority, t.author, t.partitions),
            when=self._conditions((*at, "when"), t.when),
            unless=self._conditions((*at, "unless"), t.unless),
            start=t.start,
            end=t.end,
            agreement=t.agreement,
            legal_basis=t.legal_basis,
            signer=t.signer,
            defer=model.Defer(t.defer.event, t.defer.days) if t.defer else None,
        )

    def _check_mandate(self, at: Location, t: doc.RuleTable) -> None:
        missing = [
            name
            for name, value in (("signer", t.signer), ("legal_basis", t.legal_basis))
            if not value
        ] + (["from"] if t.start is None else [])
        if missing:
            raise self.fail(at, f"a mandate must carry {', '.join(missing)}; add it")
        if t.authority is not model.Authority.MANDATE:
            raise self.fail(at, 'a mandate must say authority = "mandate"; add it')

    def _modes(self, i: int, t: doc.ModeTable) -> Iterable[model.Mode]:
        at = ("mode", i)
        if t.mode == "no_federal_submission":
            if t.partition:
                raise self.fail((*at, "partition"), "this mode covers all federal partitions; drop")
        else:
            self._known_partition((*at, "partition"), t.partition)
        self._order((*at, "to"), t.start, t.end)
        self._order((*at, "until"), t.start, t.until)
        if t.agreement and t.agreement not in self.agreements:
            raise self.fail((*at, "agreement"), f"no [[agreement]] has the id {t.agreement!r}")
        for field, values in (("charge", t.charges), ("role", t.except_roles)):
            for value in values:
                self._known_word(at, field, value)
        names = (t.partition,) if t.partition else (ROOT,)
        authority = self._authority(at, t.authority, t.author, names)
        if authority is model.Authority.MANDATE:
            raise self.fail((*at, "authority"), "a mode is no mandate; write a [[rule]] instead")
        for who in t.who:
            self._known_node((*at, "who"), who)
            yield model.Mode(
                mode=t.mode,
                who=who,
                author=t.author,
                authority=authority,
                partition=t.partition,
                retain=t.retain,
                agreement=t.agreement,
                charges=t.charges,
                event=t.event,
                expires_days=t.expires_days,
                except_roles=t.except_roles,
                until=t.until,
                start=t.start,
                end=t.end,
                legal_basis=t.legal_basis,
                reason=t.reason,
            )

    def _optout(self, i: int, t: doc.OptOutTable) -> model.OptOutRequest:
        at = ("optout", i)
        self._known_partition((*at, "partition"), t.partition)
        self._known_node((*at, "who"), t.who)
        if (t.decided is None) != (t.status is model.OptOutStatus.OPEN):
            raise self.fail((*at, "decided"), "give 'decided' for a closed request, and only then")
        return model.OptOutRequest(
            t.id, t.who, t.partition, t.requested, t.status, t.decided, t.answer
        )

    def _conditions(
        self, at: Location, t: doc.ConditionTable | None
    ) -> tuple[model.Condition, ...]:
        if t is None:
            return ()
        out = []
        for field in ("transaction", "purpose", "role", "charge", "disposition"):
            values = getattr(t, field)
            if values is not None:
                for value in values:
                    self._known_word((*at, field), field, value)
                out.append(model.Condition(field, frozenset(values)))
        if t.protected is not None:
            out.append(model.Condition("protected", frozenset(("yes" if t.protected else "no",))))
        for name, values in sorted(t.attributes.items()):
            field = f"attributes.{name}"
            if field not in self.words:
                raise self.fail(at, f"attribute {name!r} is not declared; add it to [attributes]")
            for value in values:
                self._known_word(at, field, value)
            out.append(model.Condition(field, frozenset(values)))
        if not out:
            raise self.fail(at, f"{at[-1]!r} is empty; name a fact or remove it")
        return tuple(sorted(out, key=lambda c: c.field))


_BASE_FIELDS = (
    "version",
    "transactions",
    "purposes",
    "roles",
    "charges",
    "dispositions",
    "attributes",
    "mandates_enabled",
    "partitions",
    "jurisdictions",
    "agencies",
)


def _bits(t: doc.RuleTable) -> int:
    """Permission bits of a rule. To be searched a probe must be accepted, so a grant implies it."""
    if t.permissions is None:
        return SEARCHING if t.effect is model.Effect.FORBID else ALL & ~model.RETAIN
    bits = model.permission_bits(t.permissions)
    return bits if t.effect is model.Effect.FORBID else bits | ACCEPT
