"""The examiner's page: what it shows, what it may not show, and hostile names; saved responses."""

from __future__ import annotations

import base64
import dataclasses
import html
import json
import random
import re
from html.parser import HTMLParser

import numpy as np
import pytest
from engine_helpers import HELD, KEEPS, LATER, OFF, ON, POLICY, engine, print_of, record, request

import fpmatch as fp
from fpmatch.audit import verify_proof
from fpmatch.errors import InputError
from fpmatch.examiner import render
from fpmatch.examiner.page import HIDDEN, NEVER
from fpmatch.types import Coverage, Outcome, read_response

ROLES = 'protected_roles = ["advocate"]'
SHOWS = POLICY.replace(ROLES, f'{ROLES}\nminutiae_roles = ["officer"]')
OPAQUE = SHOWS.replace(ROLES, 'status_visibility = "opaque"')
HOSTILE = (
    "<script>alert(1)</script>", "\"><img src=x onerror=alert(1)>", "'onload='alert(1)",
    "&lt;b&gt;", "]]></style><script>", "--></title><b>", "\u202etxt.exe", "a=b#2",
    "</pre></details><h1>ID</h1>",
)  # fmt: skip


class Page(HTMLParser):
    """Tags, attributes and words of a page."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.words: list[str] = []
        self.feed(text)
        self.close()
        assert not self.open

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in ("meta", "img", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] != "style":
            self.words.append(data)

    @property
    def text(self):
        return " ".join(" ".join(self.words).split())


def search(e, ori=ON, **more):
    return e.search(request(ori, role="officer", minutiae=True, **more))


def drawn(page: str) -> list[str]:
    found = re.findall(r"data:image/svg\+xml;base64,([A-Za-z0-9+/=]+)", page)
    return [base64.b64decode(data).decode() for data in found]


def test_the_page_says_what_it_is_and_fetches_nothing():
    with engine(text=SHOWS) as e:
        page = render(search(e), engine=e)
    parsed = Page(page)
    assert NEVER in parsed.text
    assert parsed.text.index("never identities") < parsed.text.index("Partition")
    names = {tag for tag, _ in parsed.tags}
    assert not names & {"script", "link", "iframe", "object", "form", "base"}
    for _, attributes in parsed.tags:
        assert not [a for a in attributes if a.startswith("on")]
        for value in attributes.values():
            assert not re.search(r"https?:|//", (value or "").partition("base64,")[0])
    assert "url(" not in page
    assert "@import" not in page


def test_each_candidate_has_its_score_its_rarity_and_its_minutiae():
    with engine(text=SHOWS) as e:
        response = search(e, threshold=0.0)
        page = render(response, engine=e)
    words = Page(page).text
    for section in response:
        for rank, c in enumerate(section.candidates, 1):
            assert f"{rank}. Record {c.record}, score {c.score:.2f}" in words
            for f in c.fingers:
                if f.pairing is None:
                    assert section.partition == "criminal"
                else:
                    assert f"It rests on {len(f.pairing.pairs)} paired minutiae" in words
    pictures = drawn(page)
    assert len(pictures) == 2 * len(response["immigration"].candidates)
    (first, *_) = response["immigration"].candidates
    numbers = re.findall(r">(\d+)</text>", pictures[0])
    wanted = [str(n) for n in range(1, len(first.fingers[0].pairing.pairs) + 1)]
    assert sorted(numbers, key=int) == wanted
    assert "no image" in pictures[0]
    assert "They were not asked for" not in words
    assert "Fewer than one in 100 000" in words
    assert "About one in" in words


def test_the_prints_that_are_handed_in_are_drawn():
    rng = np.random.default_rng(0)
    gray = fp.FingerImage(rng.integers(0, 255, (320, 320), dtype=np.uint8))
    with engine(text=SHOWS) as e:
        response = search(e)
    page = render(response, probes=[print_of(1, 5)], prints={("I-1", 0): gray})
    pictures = drawn(page)
    assert len(pictures) == 3
    assert [p.count("<image") for p in pictures] == [0, 0, 1]
    assert "not paired" in pictures[1]
    with pytest.raises(InputError, match="another one"):
        render(response, prints={"I-1": fp.FingerImage(gray.pixels[:200])})
    with pytest.raises(InputError, match="another one"):
        render(response, probes=[fp.FingerImage(gray.pixels[:200])])
    with pytest.raises(InputError, match="no candidate"):
        render(response, prints={"I-9": gray})
    for bad in ("x", [b"x"], 5):
        with pytest.raises(InputError):
            render(response, probes=bad)
    with pytest.raises(InputError):
        render("response")


def test_without_a_pairing_the_page_compares_only_what_was_handed_in(synthetic_data):
    with engine(text=SHOWS) as e:
        response = e.search(request(ON))
    none = render(response)
    assert not drawn(none)
    assert "not asked for, or not shown" in Page(none).text
    page = render(response, probes=[print_of(1, 5)], prints={"I-1": print_of(1, 1)})
    assert len(drawn(page)) == 3
    score = fp.compare(print_of(1, 5), print_of(1, 1)).value
    assert f"its score is {score:.2f}" in Page(page).text


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names_stay_words(name):
    people = {"immigration": [record(name, 1, 1)], "criminal": [record("C-1", 2)]}
    tcn = f"T{name}"[:40]
    with engine(people, SHOWS) as e:
        response = search(e, tcn=tcn)
        assert response["immigration"].candidates[0].record == name
        page = render(response, engine=e)
        plain = Page(render(dataclasses.replace(search(e, tcn="T"), audit_seq=0), engine=e))
    parsed = Page(page)
    shown = name.replace("\u202e", "\ufffd")
    assert f"Record {' '.join(shown.split())}" in parsed.text
    assert [tag for tag, _ in parsed.tags].count("script") == 0
    assert {t for t, _ in parsed.tags} == {t for t, _ in plain.tags}
    for picture in drawn(page):
        assert "<script" not in picture
        assert "\u202e" not in picture
    assert "\u202e" not in page


def test_the_proofs_on_the_page_hold():
    with engine(text=SHOWS) as e:
        for ori, claim in ((OFF, "NOT_SEARCHED"), (HELD, "WITHHELD"), (LATER, "NOT_SEARCHED")):
            page = render(search(e, ori), engine=e)
            (proof,) = re.findall(r"<pre>(.*?)</pre>", page)
            said = html.unescape(proof)
            assert json.loads(said)["claim"] == claim
            report = verify_proof(said)
            assert report.ok
            assert report.sentence in Page(page).text
            assert f"checkpoint {json.loads(said)['checkpoint']['size']} records" in Page(page).text


def test_the_page_says_whether_the_list_is_the_one_that_was_logged():
    with engine(text=SHOWS) as e:
        response = search(e)
        assert "is the one that the log recorded" in Page(render(response, engine=e)).text
        section = response["immigration"]
        better = dataclasses.replace(section.candidates[0], score=200.0)
        forged = dataclasses.replace(
            response,
            sections=tuple(
                dataclasses.replace(s, candidates=(better,)) if s == section else s
                for s in response
            ),
        )
        assert "is NOT the one that the log recorded" in Page(render(forged, engine=e)).text
        lied = dataclasses.replace(
            response,
            sections=tuple(
                dataclasses.replace(s, outcome=Outcome.NOT_SEARCHED, candidates=None)
                for s in response
            ),
        )
        with pytest.raises(InputError, match="something else"):
            render(lied, engine=e)
        with pytest.raises(InputError, match="no search"):
            render(dataclasses.replace(response, tcn="OTHER"), engine=e)
        with pytest.raises(InputError, match="no search"):
            render(response, engine=e, agency=OFF)


def test_several_agencies_of_one_number_are_told_apart():
    with engine(text=SHOWS) as e:
        mine, other = search(e, ON, tcn="SAME"), search(e, OFF, tcn="SAME")
        with pytest.raises(InputError, match="several agencies"):
            render(mine, engine=e)
        assert "is the one" in Page(render(mine, engine=e, agency=ON)).text
        assert "ORI_DEACTIVATED" in Page(render(other, engine=e, agency=OFF)).text


def test_of_a_hidden_partition_the_page_tells_nothing():
    """Searched and withheld, denied, waiting: one page, but for numbers, times and agency."""
    seen = set()
    for ori in (HELD, OFF, LATER):
        with engine(text=OPAQUE) as e:
            page = Page(render(search(e, ori, tcn="T"), engine=e)).text
        assert HIDDEN in page
        start = page.index("Partition immigration")
        seen.add(page[start : page.index("Log intent")])
    assert len(seen) == 1
    assert "Proof" not in next(iter(seen))
    assert "Why" not in next(iter(seen))


def test_a_withheld_result_is_the_same_page_with_a_hit_and_without():
    pages = []
    for people in (None, {"criminal": [record("C-1", 1)], "immigration": [record("I-9", 9)]}):
        with engine(people, SHOWS) as e:
            page = Page(render(search(e, HELD, tcn="T"), engine=e)).text
        part = page[page.index("Partition immigration") : page.index("Log intent")]
        pages.append(re.sub(r"[0-9a-f]{16,}|\d{4}-\d\d-\d\dT[\d:.]+Z|\d+", "", part))
    assert pages[0] == pages[1]


def test_names_of_an_opaque_partition_are_those_of_the_submitter():
    with engine(text=OPAQUE) as e:
        page = render(search(e, KEEPS), engine=e)
    assert "I-1" not in page
    assert "the one that the log recorded" not in page[page.index("Partition immigration") :]


# -- saved responses ---------------------------------------------------------------------------


@pytest.mark.parametrize("ori", [ON, OFF, HELD, LATER, KEEPS, "ZZ0000000"])
def test_a_saved_response_comes_back_whole(ori):
    with engine(text=SHOWS) as e:
        fingers = [print_of(1, 5), print_of(2, 5), print_of(1, 6)]
        response = search(e, ori, fingers=fingers, threshold=0.0)
    back = read_response(response.to_bytes())
    assert back == response
    assert back.to_bytes() == response.to_bytes()
    assert read_response(json.dumps(response.to_dict(), indent=2)) == response


def test_what_a_saved_score_claims_follows_from_the_score():
    with engine() as e:
        said = e.search(request(ON)).to_dict()
    said["partitions"][0]["candidates"][0]["fmr"] = 1e-300
    back = read_response(json.dumps(said))
    assert back.sections[0].candidates[0].fmr == 1e-5


def _places(value, path=()):
    yield path
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _places(inner, (*path, key))
    elif isinstance(value, list):
        for i, inner in enumerate(value[:2]):
            yield from _places(inner, (*path, i))


WRONG = (None, "x", -1, 1e9, [], {}, True, [1, 2, 3], "\x00", {"a": 1}, 10**400, ["a"] * 3)


def test_anything_else_is_refused_in_our_words():
    with engine(text=SHOWS) as e:
        whole = search(e, fingers=[print_of(1, 5), print_of(2, 5)]).to_dict()
    rng = random.Random(1)
    refused = longest = 0
    for path in list(_places(whole)):
        for wrong in rng.sample(WRONG, 6):
            said = json.loads(json.dumps(whole))
            if not path:
                said = wrong
            else:
                at = said
                for key in path[:-1]:
                    at = at[key]
                at[path[-1]] = wrong
            try:
                back = read_response(json.dumps(said))
            except InputError as error:
                longest = max(longest, len(str(error)))
                refused += 1
            else:
                assert Page(render(back))
    assert refused > 300
    assert longest < 400
    for bad in (b"", b"\xff", "{", 5, None, b"[" * 100_000, "NaN"):
        with pytest.raises(InputError):
            read_response(bad)


# -- the page of the documentation ---------------------------------------------------------------


def test_the_examples_of_the_page_run(tmp_path, monkeypatch, synthetic_data):
    root = synthetic_data.parents[1]
    text = (root / "docs" / "examiner.md").read_text("utf-8")
    first, second = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "synthetic").symlink_to(synthetic_data)
    monkeypatch.chdir(tmp_path)
    demo = (root / "fpmatch" / "cli" / "demo_policy.toml").read_text("utf-8")
    (table,) = re.findall(r"```toml\n(.*?)```", text, re.DOTALL)
    roles, shows = table.strip().splitlines()[0], table.strip().splitlines()[-1]
    demo = demo.replace('transactions = ["CAR"]', f'transactions = ["CAR"]\n{roles}')
    demo = demo.replace('name = "criminal"', f'name = "criminal"\n{shows}', 1)
    names: dict = {}
    exec(compile(first, "examiner.md", "exec"), names)
    with fp.Engine.create(tmp_path / "g.fpm") as made:
        made.add_partition("criminal", ndr=1, owner="DOJ-FBI")
        made.add_partition("immigration", ndr=9, owner="DHS")
        made.enrol("criminal", [fp.Record("C-107", [names["b"]])])
        made.publish(fp.Policy.parse(demo))
        exec(compile(second, "examiner.md", "exec"), {**names, "engine": made})
    for file in ("probe.png", "pairs.svg", "candidate.png"):
        assert (tmp_path / file).stat().st_size > 10_000


# -- nothing on the page is untrue ---------------------------------------------------------------


def part_of(page: str, partition: str) -> str:
    said = Page(page).text
    return said[said.index(f"Partition {partition}") : said.index("Log intent")]


def test_of_a_partition_that_was_not_asked_for_the_page_does_not_say_that_it_is_searched():
    with engine(text=SHOWS) as e:
        said = part_of(render(search(e, partitions=["criminal"]), engine=e), "immigration")
    assert "NOT_REQUESTED" in said
    assert "did not ask for it" in said
    assert "It is searched" not in said


def test_a_decision_under_the_terms_of_a_kept_probe_is_not_explained_as_another():
    with engine(text=SHOWS) as e:
        search(e, KEEPS, retain=True, partitions=["immigration"])
        lifted = SHOWS.replace("retain = true", "")
        e.publish(fp.Policy.parse(lifted).with_version(2))
        (answer,) = e.cascade("immigration")
        said = part_of(render(answer, engine=e), "immigration")
    assert "not searched" in said.lower() or "Never searched" in said
    assert "It is searched" not in said


def test_what_was_not_completed_is_never_shown_as_no_candidate():
    with engine(text=SHOWS) as e:
        whole = part_of(render(search(e, person=99), engine=e), "criminal")
        response = search(e, person=99, deadline_ms=0.001)
        assert not response["criminal"].complete
        cut = part_of(render(response, engine=e), "criminal")
        page = Page(render(response)).text
        coverage = dataclasses.replace(
            response,
            sections=tuple(dataclasses.replace(s, coverage=Coverage(1, 2, 3, 7)) for s in response),
        )
        lied = dataclasses.replace(
            response, sections=tuple(dataclasses.replace(s, complete=True) for s in response)
        )
        with pytest.raises(InputError, match="something else"):
            render(lied, engine=e)
        assert "1 of 2 shards, 3 of 7 fingers" in Page(render(coverage)).text
    assert "No candidate." in whole
    assert "Searched." in whole
    for said in (cut, page):
        assert "No candidate." not in said
        assert "Searched in part" in said


def test_another_reason_or_policy_than_the_logged_one_is_refused():
    with engine(text=SHOWS) as e:
        response = search(e, OFF)
        other = tuple(dataclasses.replace(s, reason=fp.Reason.NO_CONSENT) for s in response)
        for forged in (
            dataclasses.replace(response, sections=other),
            dataclasses.replace(response, policy_version=7),
        ):
            with pytest.raises(InputError, match="the log"):
                render(forged, engine=e)
