"""The system prompt as a template: what fills it, what is refused, and that it always ends."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from swarm_core.errors import SpawnFailed
from swarm_core.prompts import LIMIT, SystemPrompt, jinja
from swarm_core.testing import processes

NESTED = "{% for i in range(100000) %}{% for j in range(100000) %}{% endfor %}{% endfor %}"
FIBONACCI = "{% macro f(n) %}{% if n > 1 %}{{ f(n - 1) }}{{ f(n - 2) }}{% endif %}{% endmacro %}{{ f(60) }}"
DOUBLING = (
    "{% set ns = namespace(x='ab') %}{% for i in range(60) %}{% set ns.x = ns.x ~ ns.x %}{% endfor %}{{ ns.x|length }}"
)
POWER = "{{ 9 ** (9 ** (9 + zero)) }}"
WIDE = "{{ name|center(4000000000) }}"
SQUARE = "{% for a in xs %}{% for b in xs %}{% endfor %}{% endfor %}"
LONG = "{% for i in range(99999) %}{% for j in range(100) %}{{ name }}{% endfor %}{% endfor %}"


@pytest.fixture
async def rendered():
    """Render a template for an input."""
    async with processes() as started:

        async def render(template, input):
            return await SystemPrompt.of(template, started).render(input)

        yield render


class TestSlots:
    @pytest.mark.parametrize(
        ("template", "input", "text"),
        [
            ("{{ name }}", {"name": "x"}, "x"),
            ("{{ directive }}", "do it", "do it"),
            ("{{ directive }}", [1, {"a": None}], '[1,{"a":null}]'),
            ("{{ directive }}", None, "null"),
            ("{{ a.b[0] }} & <{{ c }}>", {"a": {"b": [1]}, "c": "<b>"}, "1 & <<b>>"),
            ("{% for x in xs %}{{ loop.index }}:{{ x }} {% endfor %}", {"xs": ["a", "b"]}, "1:a 2:b "),
            ("{% for k, v in o.items() %}{{ k }}={{ v }};{% endfor %}", {"o": {"a": 1}}, "a=1;"),
            ("{% if ok %}yes{% else %}no{% endif %}", {"ok": False}, "no"),
            ("{{ missing|default('none') }}", {}, "none"),
            ("line\n{{ name }}\n", {"name": "x"}, "line\nx\n"),
            ("{% set n = 2 %}{{ n * 3 }}", {}, "6"),
            (
                "{% for a in xs %}{% for b in xs %}{{ a }}{{ b }} {% endfor %}{% endfor %}",
                {"xs": [1, 2]},
                "11 12 21 22 ",
            ),
            ("no slots\r\n", {"name": "x"}, "no slots\r\n"),
            ("{ braces } stay { }", "x", "{ braces } stay { }"),
            ("", "x", None),
        ],
    )
    async def test_row_68_a_prompt_is_filled_from_the_input(self, rendered, template, input, text):
        assert text == await rendered(template, input)

    async def test_row_68_an_empty_slot_is_an_error_that_names_it(self, rendered):
        with pytest.raises(SpawnFailed) as caught:
            await rendered("{{ name }}", {"nome": "x"})

        assert "render system_prompt: 'name' is undefined; slots of this input: nome" == str(caught.value)

    @given(value=st.text(st.characters(exclude_categories=["Cs"])))
    def test_values_are_text_and_never_templates(self, value):
        assert value == jinja.rendered("{{ directive }}", {"directive": value}, LIMIT)


class TestLimits:
    @pytest.mark.parametrize("template", [NESTED, FIBONACCI, DOUBLING, POWER, WIDE, LONG])
    async def test_a_template_without_end_is_ended(self, rendered, template):
        with pytest.raises(SpawnFailed) as caught:
            await rendered(template, {"name": "x", "zero": 0})

        assert str(caught.value).startswith("render system_prompt: ")

    @pytest.mark.parametrize("template", [NESTED, FIBONACCI, DOUBLING, POWER, WIDE, SQUARE])
    def test_none_of_these_is_rendered_in_the_engines_process(self, template):
        assert not jinja.is_plain(jinja.parse(template))

    async def test_a_prompt_has_a_largest_size(self, rendered):
        with pytest.raises(SpawnFailed, match="more than 1,048,576 characters"):
            await rendered("{{ name }}{{ name }}", {"name": "x" * 600_000})

    async def test_a_large_input_is_looped_over_elsewhere(self, rendered):
        names = ["n"] * 20_000

        assert "n" * 20_000 == await rendered("{% for x in names %}{{ x }}{% endfor %}", {"names": names})


class TestSafety:
    @pytest.mark.parametrize(
        "template",
        [
            "{{ ''.__class__.__mro__ }}",
            "{{ x.__init__.__globals__ }}",
            "{{ self.__init__ }}",
            "{{ xs.append(1) }}",
            "{{ '{0.__class__}'.format(x) }}",
            "{{ cycler.__init__.__globals__.os.popen('id').read() }}",
        ],
    )
    async def test_nothing_outside_can_be_reached(self, rendered, template):
        slots = {"x": "text", "xs": []}

        with pytest.raises(SpawnFailed, match="render system_prompt"):
            await rendered(template, slots)

        assert {"x": "text", "xs": []} == slots


class TestCheck:
    @pytest.mark.parametrize(
        ("template", "line"),
        [("a\nb\n{{ name", 3), ("a\n{{ x|uper }}", 2), ("\n{% include 'x' %}", 2), ("{% if x %}", 1)],
    )
    def test_a_fault_has_its_line(self, template, line):
        with pytest.raises(jinja.TemplateFault) as caught:
            jinja.parse(template)

        assert line == caught.value.line

    @given(template=st.text("{}%# ab\n'|()[]1.", max_size=40))
    def test_any_text_is_read_or_refused(self, template):
        with suppress(jinja.TemplateFault):
            jinja.is_plain(jinja.parse(template))
