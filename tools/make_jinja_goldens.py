#!/usr/bin/env python3
"""Writes tests/golden/jinja/*.jsonl: what Python's jinja2, in the environment that Hugging Face gives chat templates,
renders or refuses.

    python3 tools/make_jinja_goldens.py [--data ../shared/data] [--random 250]

Needs jinja2 >= 3.1.2. Each row: template, context (snippets share contexts.json), and output or error. The error text is
the reference's, for readers; the test asks only that there is one.
"""
import argparse
import datetime
import json
import pathlib
import random
import warnings

import jinja2
import jinja2.ext
from jinja2.sandbox import ImmutableSandboxedEnvironment

ROOT = pathlib.Path(__file__).resolve().parent.parent
OUT = ROOT / "tests" / "golden" / "jinja"
NOW = datetime.datetime(2024, 7, 26, 12, 0, 0)

CONTEXT = {
    "s": "Hello, World",
    "u": "  Größe ΣΑΣ ñandú 日本語 😀 ",
    "e": "",
    "q": "it's \"quoted\"\n\tand\\slashed<&>",
    "lines": "one\n two\n\nthree\r\nfour\n",
    "n": 7,
    "neg": -3,
    "z": 0,
    "f": 2.5,
    "big": 1e16,
    "small": 1.5e-7,
    "t": True,
    "no": False,
    "nil": None,
    "l": [3, 1, 2],
    "ls": ["banana", "Apple", "cherry", "apple"],
    "ll": [[1, 2], [3, [4, 5]], []],
    "mixed": [1, "two", None, 3.0, True, [], {}],
    "d": {"b": 1, "a": "x", "C": [1, 2], "items": 5, "n": None},
    "users": [
        {"name": "Ann", "age": 30, "tags": ["x", "y"], "addr": {"city": "Rome"}},
        {"name": "bob", "age": 25, "tags": [], "addr": {"city": "oslo"}},
        {"name": "Cid", "age": 30, "tags": ["z"], "addr": {"city": "Rome"}},
    ],
    "messages": [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Hi </s> <|im_end|>"},
        {"role": "assistant", "content": None, "tool_calls": [
            {"type": "function", "function": {"name": "f", "arguments": {"x": 1.0, "y": "é\"", "z": [True, None]}}}]},
        {"role": "tool", "content": "{\"ok\": true}", "name": "f"},
    ],
}

EXPRESSIONS = """
1 + 2 * 3 - 4 / 2
7 // 2, -7 // 2, 7 % 3, -7 % 3, 7 % -3, -7.5 // 2, 7.5 % -2, 2 ** 10, 2 ** -1, 2 ** 3 ** 2
-2 ** 2, - 3|abs, -n.real, +t, -no, 0.1 + 0.2, 1e16, 1e15, 123456789012345680.0, 1.0, 1e-4, 1e-5
1 / 0
1 // 0
1.0 % 0
1 == 1.0, true == 1, 'a' == 'a', [1] == [1.0], (1,) == [1], {} == {}, none == false, 1 < 2 < 3, 3 > 2 > 2, 1 < 'a'
'a' < 'b', [1, 2] < [1, 3], (1, 'a') < (1, 'b'), 1 <= 1.0, nil < 1
1 in l, 4 in l, 'ell' in s, 'x' not in s, 'a' in d, 'zz' in d, 1 in d.values(), 'k' in nothing
1 in 5
1 in s
not nil, not 1, nil or 'x', 0 and 1, '' or 0 or [], 1 and 2 and 3
'a' ~ 1 ~ none ~ 2.0 ~ [1, 'x'] ~ true
'a' + 1
'ab' * 3, 3 * [1], (1, 2) * 2, 'a' * -1, [0] * 0
s + s
l + [4], (1,) + (2,)
l + (1,)
'x' if n > 3 else 'y', ('x' if no) is defined, 'a' if no else 'b' if no else 'c'
s[0], s[-1], s[1:4], s[::-1], s[10:2:-3], u[2:9], u[-3], l[5] is defined, l[-1], l[1:], l[::2], s[100:], s[-100:2]
s[1.5]
l['x'] is defined
l[::0]
d.b, d['a'], d.items, d['items'], d.zz is defined, d['zz'] is undefined, d.keys()|list, d.values()|list, d.items()|list
d
ll, mixed, (1,), (), [], {}, {'a': [1, {'b': none}]}, {1: 2, true: 3, 'x': 1.0}
q, [q], u, [u], ['\\x00\\x7f\\xa0\\u200b\\ud7ff\\U0001F600'], ["it's"], ['"'], ['\\'"']
nothing, [nothing], nothing is defined, nothing|default('d'), nothing == nothing, nothing ~ 'x'
nothing + 1
nothing.x
nothing()
nothing[0]
d.zz.y
nil.x is defined, nil.x
nil.x.y
range(5), range(2, 8, 3)|list, range(0)|list, range(5, 0, -2)|list, range(3)[1], range(10)[2:8:2]|list, 3 in range(4)
range(100001)
range(1, 2, 0)
s.upper(), s.lower(), s.title(), s.capitalize(), s.swapcase(), u.upper(), u.lower(), u.title(), 'ß'.upper(), 'ŉ'.title()
s.split(), s.split(','), s.split('o', 1), s.rsplit('o', 1), u.split(), '  a  b '.split(' '), s.split(none, 1), ''.split(), ''.split(',')
'a,b,c'.rsplit(',', 1), ' a b  c '.rsplit(none, 1), ' a b  c '.split(none, 1), 'abc'.partition('b'), 'abcb'.rpartition('b'), 'a'.partition('z')
s.split('')
lines.splitlines(), lines.splitlines(true), 'a\\x0bb\\x0cc\\x1cd\\x85e\\u2028f'.splitlines()
s.strip('Hd'), u.strip(), '  x '.lstrip(), '  x '.rstrip(), 'xxaxx'.strip('x'), 'ñañ'.strip('ñ'), s.strip(1)
s.startswith('He'), s.startswith(('x', 'He')), s.endswith('d'), s.endswith('o', 0, 5), s.startswith('l', 2), s.startswith('')
s.find('o'), s.find('o', 5), s.rfind('o'), s.find('zz'), s.index('W'), s.count('l'), s.count(''), u.find('日'), u.rfind('ñ')
s.index('zz')
s.replace('l', 'L'), s.replace('l', 'L', 1), s.replace('', '-'), s.replace('o', ''), u.replace('ñ', 'nn')
s.removeprefix('Hello'), s.removesuffix('World'), s.removeprefix('x'), '-'.join(['a', 'b']), ''.join('abc'), ','.join([])
','.join([1])
'5'.zfill(3), '-5'.zfill(4), 'ab'.ljust(5, '*'), 'ab'.rjust(5), 'ab'.center(5), 'abc'.center(6, '-'), 'a\\tb'.expandtabs(4)
'abc'.isalpha(), '12'.isdigit(), 'a1'.isalnum(), ' '.isspace(), 'A'.isupper(), 'a'.islower(), 'Ab Cd'.istitle(), ''.isalpha(), 'x'.isidentifier(), '½'.isnumeric(), '²'.isdigit(), '٣'.isdecimal()
l.append(4)
l.append is defined, d.update is defined, l.count(1), l.index(2), (1, 2, 1).count(1), l.copy()
l.index(9)
d.get('a'), d.get('zz'), d.get('zz', 5), d.get([])
d.pop('a')
''.__class__, s.__class__.__mro__ is defined
s.__class__()
s|upper, s|lower, s|title, s|capitalize, s|trim, '  x '|trim, 'xxaxx'|trim('x'), u|upper|lower, u|title, 'foo-bar (baz) [qux]'|title
s|length, l|length, d|length, u|length, e|length, nothing|length, range(4)|count
5|length
l|first, l|last, e|first is defined, []|first is defined, 'abc'|first, 'abc'|last, d|first, d|last, nothing|first is defined, nothing|last is defined
l|join, l|join(','), ls|join(', '), users|join(', ', attribute='name'), users|join('/', 'addr.city'), 'abc'|join('-'), d|join
5|join
l|sort, l|sort(reverse=true), ls|sort, ls|sort(case_sensitive=true), users|sort(attribute='age')|map(attribute='name')|list, users|sort(attribute='age,name', reverse=true)|map(attribute='name')|list
mixed|sort
[none, none]|sort, [[2, 1], [1, 5]]|sort, d|sort
l|unique|list, ls|unique|list, ls|unique(true)|list, [1, 1.0, true, 'a', none, none]|unique|list, users|unique(attribute='age')|map(attribute='name')|list
ll|unique|list
l|reverse|list, s|reverse, d|reverse|list, range(3)|reverse|list, l|map('string')|reverse
l|min, l|max, ls|min, ls|max, users|max(attribute='age'), []|min is defined, l|sum, users|sum(attribute='age'), [1.5, 2]|sum, [[1], [2]]|sum(start=[])
ls|sum
l|map('string')|list, ls|map('upper')|join, users|map(attribute='name')|list, users|map(attribute='zz', default='?')|list, ls|map('replace', 'a', 'A')|list, users|map(attribute='addr.city')|list, users|map(attribute='tags.0', default='-')|list
l|map
l|map('nosuch')|list
l|select('odd')|list, l|reject('odd')|list, l|select|list, [0, 1, '']|select|list, l|select('>', 1)|list, l|select('in', [1, 2])|list
users|selectattr('age', 'equalto', 30)|map(attribute='name')|list, users|rejectattr('tags')|map(attribute='name')|list, users|selectattr('addr.city', '==', 'Rome')|list|length, users|selectattr('zz', 'defined')|list
l|select('odd')|length
(l|select('odd'))[0] is defined
l|batch(2)|list, l|batch(2, 0)|list, l|slice(2)|list, range(7)|slice(3, 'x')|list, []|batch(2)|list
l|slice(0)|list
users|groupby('age')|list|length, users|groupby('addr.city')|map(attribute='grouper')|list, users|groupby('addr.city')|map(attribute=0)|list, (users|groupby('age'))[0].list|length, (users|groupby('age')|first).grouper
users|groupby('zz', default='q')|map('first')|list
d|items|list, d|dictsort, d|dictsort(true), {'x': 2, 'y': 1}|dictsort(by='value'), {'b': 1, 'A': 2}|dictsort(reverse=true)
l|items|list
nothing|items|list
d|dictsort(by='zz')
l|list, 'abc'|list, d|list, nothing|list
nil|list
l|tojson, d|tojson, q|tojson, u|tojson, u|tojson(ensure_ascii=true), mixed|tojson, d|tojson(indent=2), d|tojson(indent=0), []|tojson(indent=2), {}|tojson(indent=2), d|tojson(sort_keys=true), d|tojson(separators=(',', ':')), {'a': {'b': [1]}}|tojson(indent='>')
big|tojson, small|tojson, f|tojson, (1, 2)|tojson, {1: 2, none: 3, true: 4, 1.5: 5}|tojson, '\\x7f\\x80\\u2028'|tojson
nothing|tojson
d.items()|tojson
range(3)|tojson
{(1, 2): 3}|tojson
'5'|int, 'x'|int, 'x'|int(9), '0x1f'|int(base=16), ' 12 '|int, '1_000'|int, '3.9'|int, 3.9|int, -3.9|int, none|int, true|int, '1e3'|int, '101'|int(0, 2), []|int
nothing|int
'inf'|float|int
'2.5'|float, 'x'|float, 'x'|float(1), '1e400'|float, 'nan'|float, '-inf'|float, 3|float, none|float(0), ' 1_0.5 '|float
2.5|round, 3.5|round, -2.5|round, 2.567|round(2), 2.5|round(0, 'ceil'), 2.4|round(method='floor'), 1234|round(-2), 1250|round(-2), 5|round, 1e20|round, 2.675|round(2), 1.005|round(2, 'ceil')
2.5|round(1, 'x')
-5|abs, -2.5|abs, true|abs
'a'|abs
5|string, none|string, l|string, 1.0|string
'%s-%d-%5.2f|%-5s|%05d|%x|%o|%e|%r|%%|%c' % ('a', 3, 2.5, 'b', 42, 255, 8, 12345.678, 'q', 'z')
'%s' % s, '%(a)s %(b)d' % d, '%5s|%.2s' % ('abc', 'defg'), '%+d % d' % (3, 4), '%#x' % 255, '%g %G' % (0.00001, 1e20), '%.3d' % 5, '%s' % (l,), '%*d' % (5, 3)
'%d' % 'x'
'%s %s' % 'a'
'%s' % (1, 2)
'%z' % 1
'%s|%s'|format(1, 'x'), '%(k)s'|format(k=2)
'{} {}'.format(1, 'a'), '{0}{1}{0}'.format('x', 'y'), '{a}'.format(a=1), '{:>5}|{:<5}|{:^5}|{:*^7}'.format(1, 'a', 'b', 'c'), '{:.2f} {:,} {:05d} {:+} {:x} {:#b} {:%} {:e}'.format(2.567, 1234567, 42, 3, 255, 5, 0.25, 12345.6), '{!r} {!s:>4}'.format('a', 'b'), '{0[1]} {1.name}'.format(l, users[0]), '{{}}'.format(), '{:{}}'.format('x', 4), '{:_} {:10,.1f}|'.format(1000000, 1234.5), '{:g} {:g} {}'.format(1e10, 0.5, 1e22)
'{} {0}'.format(1)
'{'.format(1)
'{5}'.format(1)
'{:d}'.format('x')
'{a[0]}{a[b]}'.format(a={'b': 1, 0: 2})
'<a href="x">\\'&'|e, '<'|escape|upper, '<'|safe + '<', '<'|e ~ '<', ('<'|e)|length, '<'|safe|e, ['<'|e], 5|e, '<b>'|forceescape, ('<'|safe) ~ '&'
('%s'|safe) % '<', ('a<'|e).upper(), ('a'|safe).join(['<', '>']), '<'|e is string, ('a'|safe) == 'a', ('x'|safe)|replace('x', '<')
lines|indent, lines|indent(2), lines|indent(2, true), lines|indent(2, blank=true), 'a\\nb'|indent('> '), ''|indent
5|indent
s|replace('l', 'L'), s|replace('l', 'L', 1), 5|replace('5', 'x'), s|replace('', '.')
s|truncate(5), s|truncate(5, true), s|truncate(8, false, '..', 0), s|truncate(100), 'foo bar baz qux'|truncate(9, leeway=0), s|truncate(9, true, leeway=0)
s|truncate(1)
s|center(20), 'ab'|center(5), s|wordcount, u|wordcount, 'a-b c_d'|wordcount
'a b/c?d=é&'|urlencode, {'a': 1, 'b c': 'é&/'}|urlencode, [('x', 1)]|urlencode, 5|urlencode
{'class': 'a"b', 'id': none, 'x': 5}|xmlattr, {}|xmlattr, {'a': 1}|xmlattr(false)
1|filesizeformat, 1000|filesizeformat, 1500000|filesizeformat, 1024|filesizeformat(true), 0|filesizeformat, 1e30|filesizeformat
s|attr('upper')() , d|attr('a') is defined, d|attr('keys')()|list
nothing|default, no|default('x'), no|default('x', true), ''|d('y', true), none|default('z'), nil|default('z', boolean=true)
n is odd, n is even, n is divisibleby 7, n is divisibleby(2), n is defined, nothing is undefined, nil is none, t is true, no is false, t is boolean, n is boolean
n is integer, f is integer, t is integer, f is float, n is float, n is number, t is number, s is number, s is string, l is string
l is sequence, s is sequence, d is sequence, n is sequence, nothing is sequence, d is mapping, l is mapping, l is iterable, s is iterable, n is iterable, d.items() is iterable, d.items() is sequence
range is callable, s is callable, s.upper is callable, nothing is callable, s is lower, 'abc' is lower, 'ABC' is upper, '1' is upper
n is eq 7, n is equalto(7), n == 7, n is ne 3, n is gt 3, n is ge 7, n is lt 3, n is le 7, n is greaterthan 1, n is lessthan 100, n is sameas 7, nil is sameas none, 1 is sameas true, 3 is in l, 'upper' is filter, 'zz' is filter, 'odd' is test, s is escaped
n is not odd, n is not defined, not n is defined, n is defined and s is string, n is in [7] and true
'x' is odd
n is nosuch
n|nosuch
n if n is nosuchtest else 1
'a' if no else (1|nosuch if no else 'ok')
n is divisibleby 2 is true
dict(a=1, b=2), dict([('x', 1)], y=2), dict(d)['a'], dict(), namespace(a=1), namespace(d).a, dict({'a': 1}, a=2)
dict(1)
cycler(1, 2).next(), joiner()() ~ 'x', joiner('|') is callable
raise_exception('no')
strftime_now('%Y-%m-%d %H:%M:%S %d %b %B %a %A %j %p %I %y %U %W %u %w %V %G %e|%F %T %D %R %C %%'), strftime_now('%-d %-m %-H')
true, false, none, True, False, None, (true), [none]
1_000, 0x1f, 0b101, 0o17, 1_0.5_0, 1e3, 1E-2, 0, 00
'a' 'b' "c", 'a\\nb', 'a\\tb', 'a\\\\b', '\\x41\\u00e9\\101', 'it\\'s', "a\\qb", 'a\\
b'
{'a': 1}['a'], {'a': 1}.a, [1, [2]][1][0], (1, 2)[1], 'abc'[1], "x".upper().lower().title(), l.0, ll.1.0
[1, 2,], (1, 2,), {'a': 1,}, [], ()
n.real, n.imag, f.real, f.is_integer(), 4.0.is_integer(), n.bit_length()
9223372036854775807, -9223372036854775807 - 1
1 if
1 +
(1
a b
'unclosed
{{ 1 }}
x.1.2 is defined
5()
s()
foo.bar|default('x')
(foo or {}).bar is defined
l[0:2], l[:'a']
[] is sameas [], 'a' in ['a'], {} in [{}], [1] in [[1]]
{[]: 1}
{{}: 1}
{'a': 1}[[]] is defined
d[none] is defined, d[1] is defined, d[1.5] is defined
messages|tojson
messages[2].tool_calls[0].function.arguments|tojson(indent=4)
messages|map(attribute='role')|join(' ')
messages[1:]|selectattr('role', 'in', ['user', 'tool'])|map(attribute='content')|join('|')
messages[::-1][0].role, messages[-1]['content'], (messages|last).name, messages|length
'tool_calls' in messages[2], messages[2].content is none, messages[0].tool_calls is defined
""".strip("\n").split("\n")

TEMPLATES = [
    "{% for x in l %}{{ loop.index }}{{ loop.index0 }}{{ loop.revindex }}{{ loop.revindex0 }}{{ loop.first }}{{ loop.last }}{{ loop.length }}{{ x }};{% endfor %}",
    "{% for x in l %}{{ loop.previtem|default('-') }}{{ loop.nextitem|default('-') }}{{ loop.cycle('a', 'b') }}{{ loop.depth }}{{ loop.depth0 }} {% endfor %}",
    "{% for x in [1, 1, 2, 2, 1] %}{{ loop.changed(x) }} {% endfor %}{% for x in [1, 1] %}{{ loop.changed() }}{% endfor %}",
    "{% for x in [] %}a{% else %}empty{% endfor %}{% for x in l %}a{% else %}b{% endfor %}",
    "{% for x in l if x > 1 %}{{ loop.index }}/{{ loop.length }}:{{ x }}{% if not loop.last %},{% endif %}{% else %}none{% endfor %}",
    "{% for x in l if x > 5 %}{{ x }}{% else %}none{% endfor %}",
    "{% for x in l %}{% if x == 1 %}{% continue %}{% endif %}{{ x }}{% endfor %}",
    "{% for x in l %}{% if x == 1 %}{% break %}{% endif %}{{ x }}{% else %}e{% endfor %}",
    "{% for x in l %}{% break %}{% else %}else after a break in the first iteration{% endfor %}",
    "{% for x in l %}{% continue %}{% else %}else after continue{% endfor %}",
    "{% for a, b in [(1, 2), (3, 4)] %}{{ a }}{{ b }}{% endfor %}",
    "{% for a, (b, c) in [(1, (2, 3))] %}{{ a }}{{ b }}{{ c }}{% endfor %}",
    "{% for a, b in [(1, 2, 3)] %}{{ a }}{% endfor %}",
    "{% for k, v in d.items() %}{{ k }}={{ v }};{% endfor %}{% for k in d %}{{ k }}{% endfor %}{% for c in 'añ😀' %}[{{ c }}]{% endfor %}",
    "{% for k, v in d|items %}{{ loop.index }}{{ k }}={{ v }};{% endfor %}",
    "{% for x in 5 %}{% endfor %}",
    "{% for x in nil %}{% endfor %}",
    "{% for x in nothing %}a{% else %}b{% endfor %}",
    "{% for x in [[1, [2]], [3, []]] recursive %}[{{ loop.depth }}{{ x if x is number else loop(x) }}]{% endfor %}",
    "{% for x in ll recursive %}{{ loop.index }}{% if x is iterable %}({{ loop(x) }}){% else %}{{ x }}{% endif %}{% else %}E{% endfor %}",
    "{% for x in l %}{{ loop(x) }}{% endfor %}",
    "{% for x in l %}{% for y in l %}{{ loop.index }}{% endfor %}{{ loop.index }} {% endfor %}",
    "{% for x in l %}{% set outer = loop %}{% for y in [1, 2] %}{{ outer.index }}{{ loop.index }} {% endfor %}{% endfor %}",
    "{% for x in l|map('string') %}{{ loop.length }}{{ x }}{{ loop.last }}{% endfor %}",
    "{% set g = l|map('string') %}{{ g|list }}{{ g|list }}{% for x in g %}{{ x }}{% else %}used{% endfor %}",
    "{% for x in l|select('odd') %}{{ loop.index }}{{ loop.first }}{{ x }}{% endfor %}",
    "{% set ns = namespace(f=false) %}{% for x in [1, 2, 3] if not ns.f %}{{ x }}{% if x == 2 %}{% set ns.f = true %}{% endif %}{% endfor %}",
    "{% set ns = namespace(f=false) %}{% for x in [1, 2, 3] if not ns.f %}{{ x }}{{ loop.last }}{% if x == 2 %}{% set ns.f = true %}{% endif %}{% endfor %}",
    "{% set x = 1 %}{% for i in l %}{{ x }}{% set x = i %}{{ x }}{% endfor %}{{ x }}",
    "{% for i in l %}{% if loop.first %}{% set y = 5 %}{% endif %}{{ y|default('-') }}{% endfor %}{{ y|default('gone') }}",
    "{% if t %}{% set a = 1 %}{% else %}{% set b = 2 %}{% endif %}{{ a }}{{ b|default('nob') }}",
    "{% if no %}{% set s = 'changed' %}{% endif %}{{ s }}",
    "{% if no %}{% set s = 1 %}{% elif t %}{% set u = 2 %}{% else %}{% set n = 3 %}{% endif %}{{ s }}{{ u }}{{ n }}",
    "{{ x }}{% set x = 5 %}{{ x }}",
    "{% for i in l %}{{ s }}{% set s = i %}{{ s }}{% endfor %}{{ s }}",
    "{% set a, b = 1, 2 %}{{ a }}{{ b }}{% set a, b = b, a %}{{ a }}{{ b }}{% set c = 1, 2 %}{{ c }}",
    "{% set a, b = [1] %}",
    "{% set x %}block {{ n }}{% endset %}[{{ x }}]{% set y | upper %}abc{% endset %}{{ y }}{% set z|replace('a', 'b')|upper %}aca{% endset %}{{ z }}",
    "{% set ns = namespace(a=1) %}{% set ns.b = 2 %}{{ ns.a }}{{ ns.b }}{{ ns.c is defined }}{% set ns.a %}blk{% endset %}{{ ns.a }}{{ ns['b'] }}",
    "{% set d.x = 1 %}",
    "{% set nothing.x = 1 %}",
    "{% set ns = namespace() %}{% set ns.x, y = 1, 2 %}{{ ns.x }}{{ y }}",
    "{% macro m(a, b='B', c=none) %}{{ a }}{{ b }}{{ c }}{{ varargs }}{{ kwargs }}{% endmacro %}{{ m(1) }}{{ m(1, 2, 3, 4, x=5) }}{{ m(b=1, a=2) }}{{ m() }}",
    "{% macro m(a) %}{{ a }}{% endmacro %}{{ m(1, 2) }}",
    "{% macro m(a) %}{{ a }}{% endmacro %}{{ m(b=2) }}",
    "{% macro m(a) %}{{ a }}{% endmacro %}{{ m(*[1]) }}{{ m(**{'a': 2}) }}{{ m.name }}{{ m.arguments }}{{ m.caller }}{{ m.catch_kwargs }}{{ m.catch_varargs }}{{ m }}",
    "{% macro m(x, y=x) %}{{ x }}{{ y }}{% endmacro %}{{ m(1) }}{{ m(1, 2) }}",
    "{% macro m() %}{{ caller('x') }}{% endmacro %}{% call(a) m() %}[{{ a }}]{% endcall %}{% call m() %}plain{% endcall %}",
    "{% macro m() %}[{{ caller() }}]{% endmacro %}{% call m() %}a{{ n }}{% endcall %}{{ m() }}",
    "{% macro m() %}{{ caller is defined }}{% if caller %}{{ caller() }}{% endif %}{% endmacro %}{{ m() }}{% call m() %}x{% endcall %}",
    "{% macro m(a) %}{{ a }}{% endmacro %}{% call m(1) %}{% endcall %}",
    "{% macro f(n) %}{{ n }}{% if n > 0 %},{{ f(n - 1) }}{% endif %}{% endmacro %}{{ f(5) }}",
    "{% macro f(n) %}{{ f(n) }}{% endmacro %}{{ f(5) }}",
    "{% macro outer() %}{% macro inner(x) %}<{{ x }}{{ n }}>{% endmacro %}{{ inner(1) }}{{ inner(2) }}{% endmacro %}{{ outer() }}{{ inner is defined }}",
    "{% set v = 1 %}{% macro m() %}{{ v }}{% endmacro %}{{ m() }}{% set v = 2 %}{{ m() }}",
    "{% macro m() %}{% set v = 9 %}{{ v }}{% endmacro %}{% set v = 1 %}{{ m() }}{{ v }}",
    "{% macro m() %}{{ late|default('no') }}{% endmacro %}{{ m() }}{% set late = 1 %}{{ m() }}",
    "{% for i in l %}{% macro m() %}{{ i }}{% endmacro %}{{ m() }}{% endfor %}",
    "{% if t %}{% macro m() %}in if{% endmacro %}{% endif %}{{ m() }}",
    "{{ m is defined }}{% macro m() %}{% endmacro %}{{ m is defined }}",
    "{% with a=1, b=n %}{{ a }}{{ b }}{% set c = 3 %}{{ c }}{% endwith %}{{ a is defined }}{{ c is defined }}",
    "{% set a = 5 %}{% with a=1, b=a %}{{ a }}{{ b }}{% endwith %}{{ a }}",
    "{% with %}{% set q = 1 %}{{ q }}{% endwith %}{{ q }}",
    "{% filter upper %}abc{{ s }}{% endfilter %}{% filter replace('a', 'b')|title %}a cat{% endfilter %}",
    "{% filter indent(2) %}a\nb{% endfilter %}",
    "{% raw %}{{ x }}{% if %}{# c #}{% endraw %}|{%- raw -%}  a  {%- endraw -%}  |",
    "{# comment #}a{#- c -#}  b  {#+ c +#}\n c",
    "{% print 1, 'a', [2] %}",
    "{% autoescape false %}{{ '<' }}{% endautoescape %}",
    "{% generation %}gen {{ n }}{% set inside = 1 %}{% endgeneration %}{{ inside is defined }}",
    "{% for x in l %}{% generation %}{{ x }}{{ loop.index }}{% endgeneration %}{% endfor %}",
    "  {% if t %}\n  a\n  {% endif %}\nb\n",
    "a\n  {%- if t %}\n  b\n  {%- endif %}\nc\n\n",
    "a\n  {%+ if t %}\n  b\n  {%+ endif +%}\nc",
    "x {% if t %} y {% endif %} z\n{{ 1 }}\n\n  {{- 2 -}}  \n3",
    "{% if t -%}   a   {%- else -%} b {%- endif %}   c",
    "\n\n  {# note #}\n  text {# tail #}\n{#- x #}\nend",
    "a\r\nb\rc\n{% if t %}\r\nd{% endif %}\r\n",
    "{{ 'a\nb' }}\n{{- '\n' -}}\n x",
    "{% for x in l -%}\n  {{ x }}\n{%- endfor %}\n",
    "{%- for x in l %}\n  {{- x }}\n{% endfor -%}\n\nend",
    "\ttab{% if t %}\t{% endif %}\t{% set a = 1 %}\t\n  {% set b = 2 %}  \nc",
    "\u00a0{% if t %}a{% endif %}\u3000 {%- if t %}b{% endif %}",
    "{{ 1 }}{% if 1 %}{% endif %}\n\n\n",
    "{{\n  n\n  +\n  1\n}}{% set\n x\n=\n2\n%}{{ x }}",
    "{{- 1 -}} {{+ 2 }}",
    "{{-1}}{{ -1 }}{{1-1}}",
    "{{ {'a': {'b': 1}}['a']['b'] }}{{ {} }}{{ {'x':{}} }}",
    "{% if 1 %}a",
    "{% endif %}",
    "{% for x in l %}{% endif %}",
    "{% foo %}",
    "{{ 1 }",
    "{% if %}{% endif %}",
    "{# open",
    "{% raw %}open",
    "{% set 1 = 2 %}",
    "{% set true = 2 %}",
    "{% for loop in l %}{% endfor %}",
    "{% for x in l %}{% set loop = 1 %}{% endfor %}",
    "{% break %}",
    "{% for x in l %}{% else %}{% break %}{% endfor %}",
    "{% for y in l %}{% for x in [] %}{% else %}{% break %}{% endfor %}{{ y }}{% endfor %}",
    "{% macro m() %}{% break %}{% endmacro %}",
    "{% macro m(a, a) %}{% endmacro %}",
    "{% macro m(a=1, b) %}{% endmacro %}",
    "{{ f(a=1, a=2) }}",
    "{{ f(a=1, 2) }}",
    "{{ f(**{}, *[]) }}",
    "{% include 'x' %}",
    "{% import 'x' as y %}",
    "{% extends 'x' %}",
    "{% if no %}{{ 1|nosuch }}{% endif %}fine",
    "{% for x in [] %}{{ 1|nosuch }}{% endfor %}",
    "{% if no %}{% for x in [] %}{{ 1|nosuch }}{% endfor %}{% endif %}",
    "{% macro unused() %}{{ 1 is nosuch }}{% endmacro %}",
    "{% set c = cycler('a', 'b') %}{{ c.next() }}{{ c.next() }}{{ c.current }}{{ c.next() }}{{ c.reset() }}{{ c.current }}",
    "{% set j = joiner(', ') %}{% for x in l %}{{ j() }}{{ x }}{% endfor %}",
    "{% for m in messages %}{{ '<|im_start|>' + m.role + '\n' }}{% if m.content %}{{ m.content | trim }}{% endif %}{% if m.tool_calls is defined and m.tool_calls %}{% for c in m.tool_calls %}{{ c.function | tojson }}{% endfor %}{% endif %}{{ '<|im_end|>' + '\n' }}{% endfor %}",
    "{%- set ns = namespace(last=-1) %}{% for m in messages[::-1] %}{% set index = (messages|length - 1) - loop.index0 %}{% if m.role == 'user' and ns.last < 0 %}{% set ns.last = index %}{% endif %}{% endfor %}{{ ns.last }}",
    "{% for m in messages if m.role != 'system' %}{{ loop.index0 }}{{ m.role }} {% endfor %}",
    "{% set loop_messages = messages[1:] if messages[0].role == 'system' else messages %}{{ loop_messages|length }}{% if (loop_messages[0].role == 'user') != (0 % 2 == 0) %}{{ raise_exception('alternate') }}{% endif %}",
    "{{ '%s' | format(n) }}{{ n }}{{- n }}",
    "{% for x in range(3) %}{% for y in range(3) if y != x %}{{ x }}{{ y }}{{ ',' if not loop.last }}{% endfor %}{{ ';' if not loop.last }}{% endfor %}",
    "{{ loop is defined }}{% for x in l %}{{ loop is defined }}{% endfor %}",
    "{% macro m(items) %}{% for i in items %}{{ loop.index }}{% if i is iterable %}{{ m(i) }}{% endif %}{% endfor %}{% endmacro %}{{ m(ll) }}",
    "{% macro a(x) %}{% if x %}{{ b(x - 1) }}{% endif %}a{% endmacro %}{% macro b(x) %}{% if x %}{{ a(x - 1) }}{% endif %}b{% endmacro %}{{ a(4) }}",
    "{% call(x) m(1) %}{% endcall %}",
    "{% macro list_it(seq) %}{% for s in seq %}{{ caller(s) }}{% endfor %}{% endmacro %}{% call(s) list_it(ls) %}<{{ s }}{{ loop is defined }}>{% endcall %}",
    "{% set x = namespace(v=[]) %}{% for i in l %}{% set x.v = x.v + [i * 2] %}{% endfor %}{{ x.v }}",
    "{% set x = [] %}{% for i in l %}{% set _ = x.append(i) %}{% endfor %}",
    "{{ super is defined }}{{ range is defined }}{{ dict is defined }}",
    "{% set range = 5 %}{{ range }}",
    "{% set s = s ~ '!' %}{{ s }}{% if t %}{% set s = s ~ '?' %}{% endif %}{{ s }}",
    "{% set a = 1 if nothing else 2 %}{{ a }}{% set b = nothing.x if nothing else 'safe' %}{{ b }}",
    "{%if t%}x{%endif%}{%-if t-%} y {%-endif-%} z",
    "{% if t and\n not no %}\nmulti\n{% endif %}",
    "{{ ('a' ~ 1)|upper ~ 'b'|upper }}{{ 'x' ~ 1 + 2 ~ 'y' }}",
    "{{ 1 if t }}{{ 1 if no }}|{{ (1 if no)|default('d') }}",
    "{% for x in (1, 2) %}{{ x }}{% endfor %}{% for x in 1, 2 %}{{ x }}{% endfor %}{% for x in l + [9] %}{{ x }}{% endfor %}",
    "{% for x in l if x is odd and x > 1 %}{{ x }}{% endfor %}",
    "{% for x in 'ab' if x != 'a' else 'cd' %}{{ x }}{% endfor %}",
]

LEAVES = ["1", "2.5", "-3", "0", "'ab'", "''", "true", "none", "n", "f", "s", "u", "l", "ls", "d", "nothing", "users[0]",
          "[1, 'a']", "(1, 2)", "{'k': n}", "t", "e", "q", "mixed", "ll", "neg", "range(3)"]
BINARY = ["+", "-", "*", "/", "//", "%", "~", "==", "!=", "<", ">=", "in", "not in", "and", "or"]
FILTERS = ["upper", "lower", "title", "trim", "length", "first", "last", "list", "string", "int", "float", "abs", "round",
           "join('-')", "sort", "unique|list", "reverse|list", "tojson", "default('D')", "default('D', true)", "map('string')|list",
           "select|list", "batch(2)|list", "min", "max", "sum", "items|list", "dictsort", "capitalize", "wordcount", "e",
           "replace('a', 'Z')", "indent(1)", "center(9)", "urlencode", "map(attribute='name')|list", "slice(2)|list"]
TESTS = ["defined", "none", "string", "number", "mapping", "iterable", "sequence", "odd", "true", "in l", "eq 1", "boolean",
         "integer", "float", "callable", "lower", "upper", "divisibleby 2", "sameas none"]
SLICED = ["s", "u", "l", "ls", "ll", "mixed", "q", "e", "range(3)", "(1, 2, 3)"]
SLICES = ["[1:]", "[::-1]", "[:2]", "[-2:]", "[1:9:2]", "[:-1]"]
POSTFIX = [".upper()", "[0]", "[-1]", ".name", "['k']", ".split()", ".strip()", ".items()|list",
           ".get('k', 5)", ".keys()|list", ".startswith('a')", ".count(1)", ".replace('l', '')", ".x"]


def random_expression(rng, depth):
    if depth == 0 or rng.random() < 0.2:
        return rng.choice(LEAVES)
    inner = lambda: random_expression(rng, depth - 1)
    kind = rng.randrange(10)
    if kind == 9:  # of what can be sliced: the reference folds constants, and then is laxer than at run time
        return rng.choice(SLICED) + rng.choice(SLICES)
    if kind <= 1:
        return f"({inner()} {rng.choice(BINARY)} {inner()})"
    if kind <= 4:
        return f"({inner()})|{rng.choice(FILTERS)}"
    if kind == 5:
        return f"(({inner()}) is {rng.choice(['', 'not '])}{rng.choice(TESTS)})"
    if kind == 6:
        return f"({inner()} if {inner()} else {inner()})"
    return f"({inner()}){rng.choice(POSTFIX)}"


def random_body(rng, depth):
    parts = []
    for _ in range(rng.randrange(1, 4)):
        kind = rng.randrange(11)
        sign = lambda: rng.choice(["", "", "", "-", "+"])
        space = rng.choice(["", " ", "\n", "  \n ", "\n\n"])
        parts.append(rng.choice(["", "a", " b ", "\n  "]) + space)
        if kind <= 2 or depth == 0:
            parts.append("{{ " + random_expression(rng, 2) + " }}")
        elif kind == 3:
            parts.append("{%" + sign() + " set v" + str(rng.randrange(3)) + " = " + random_expression(rng, 2) + " %}")
        elif kind == 4:
            parts.append("{{ v" + str(rng.randrange(3)) + " }}{{ i" + str(rng.randrange(2)) + " }}")
        elif kind == 5:
            parts.append("{%" + sign() + " if " + random_expression(rng, 2) + " " + rng.choice(["", "-"]) + "%}"
                         + random_body(rng, depth - 1) + "{%" + sign() + " else %}" + random_body(rng, depth - 1)
                         + "{%" + sign() + " endif %}")
        elif kind <= 7:
            test = rng.choice(["", "", " if " + random_expression(rng, 1)])
            parts.append("{%" + sign() + " for i" + str(rng.randrange(2)) + " in " + rng.choice(["l", "ls", "users", "ll", "range(2)", "d"])
                         + test + " %}" + rng.choice(["", "{{ loop.index }}", "{{ loop.last }}", "{% if loop.first %}{% continue %}{% endif %}",
                                                      "{% if loop.index > 1 %}{% break %}{% endif %}"])
                         + random_body(rng, depth - 1) + rng.choice(["", "{% else %}E"]) + "{%" + sign() + " endfor %}")
        elif kind == 8:
            parts.append("{% set v" + str(rng.randrange(3)) + " %}" + random_body(rng, depth - 1) + "{% endset %}")
        elif kind == 9:
            name = "m" + str(rng.randrange(2))
            parts.append("{% macro " + name + "(v0, v1=3) %}" + random_body(rng, depth - 1) + "{% endmacro %}{{ " + name + "(1) }}")
        else:
            parts.append("{% with v1 = " + random_expression(rng, 1) + " %}" + random_body(rng, depth - 1) + "{% endwith %}")
    return "".join(parts)


class Generation(jinja2.ext.Extension):
    tags = {"generation"}

    def parse(self, parser):
        line = next(parser.stream).lineno
        body = parser.parse_statements(["name:endgeneration"], drop_needle=True)
        return jinja2.nodes.CallBlock(self.call_method("_render"), [], [], body).set_lineno(line)

    @jinja2.pass_eval_context
    def _render(self, context, caller):
        return caller()


def make_environment():
    env = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True, extensions=[Generation, jinja2.ext.loopcontrols])

    def tojson(x, ensure_ascii=False, indent=None, separators=None, sort_keys=False):
        return json.dumps(x, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)

    def raise_exception(message):
        raise jinja2.exceptions.TemplateError(message)

    env.filters["tojson"] = tojson
    env.globals["raise_exception"] = raise_exception
    env.globals["strftime_now"] = lambda pattern: NOW.strftime(pattern)
    return env


def render(env, template, context):
    try:
        # A copy, since the indent filter of the reference writes to a list that it is given.
        output = env.from_string(template).render(**json.loads(json.dumps(context)))
        output.encode("utf-8")
        return {"output": output}
    except Exception as error:  # whatever the reference raises is a refusal
        return {"error": f"{type(error).__name__}: {str(error)[:80]}"}


def repeatable(result):
    """Addresses, and integers beyond 64 bits, which the engine refuses, are no goldens."""
    text = result.get("output", "")
    return " at 0x" not in text and not any(len(word.strip("-")) > 18 for word in text.split() if word.strip("-").isdigit())


def write(path, rows):
    with open(path, "w", encoding="utf-8") as out:
        for row in rows:
            out.write(json.dumps(row, ensure_ascii=False) + "\n")
    print(f"{path.relative_to(ROOT)}: {len(rows)} rows, {path.stat().st_size} bytes")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", type=pathlib.Path, default=ROOT / ".." / "shared" / "data")
    parser.add_argument("--random", type=int, default=250)
    args = parser.parse_args()
    warnings.simplefilter("ignore", SyntaxWarning)
    env = make_environment()
    OUT.mkdir(parents=True, exist_ok=True)
    (OUT / "context.json").write_text(json.dumps(CONTEXT, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")

    rows = []
    for line in EXPRESSIONS:
        # A line of several expressions is one tuple, and each of them alone.
        line = line.replace("\\\n", "\n")
        rows.append({"template": "{{ " + line + " }}"})
    rows += [{"template": text} for text in TEMPLATES]
    rng = random.Random(20240726)
    seen = set()
    while len(seen) < args.random:
        template = random_body(rng, 2) if rng.random() < 0.5 else "{{ " + random_expression(rng, 3) + " }}"
        result = render(env, template, CONTEXT)
        # Most random templates are type errors; keep one in six of those.
        if template in seen or len(template) > 600 or not repeatable(result) or ("error" in result and rng.random() < 0.83):
            continue
        seen.add(template)
        rows.append({"template": template})
    rows = [row | render(env, row["template"], CONTEXT) for row in rows]
    write(OUT / "snippets.jsonl", [row for row in rows if repeatable(row)])

    # Where a collection of another engine's tests differs from the reference, the reference's answer.
    dialect = []
    sources = (("jinja-unit.json", "template", "context", "expected"), ("jinja-e2e.json", "chat_template", "data", "target"))
    for file, template, context, expected in sources:
        for row in json.loads((args.data / "chat_templates" / file).read_text(encoding="utf-8")):
            result = render(env, row[template], row[context])
            if result.get("output") != row[expected]:
                dialect.append({"file": file, "name": row["name"]} | result)
    write(OUT / "dialect.jsonl", dialect)


if __name__ == "__main__":
    main()
