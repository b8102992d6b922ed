"""Reads which variables a template names, with Jinja's own parser.

A name is a variable's (`probe`), one fact (`ansible_facts.services`), one group (`groups.web`), or all of either
(`ansible_facts`, `groups`). What is read of another host through `hostvars` is a pair of host and name, where None
stands for any. A name that is only computed while the template runs is not found.
"""
from __future__ import annotations

import ast
import re

import jinja2
from jinja2 import nodes
from jinja2.compiler import CodeGenerator

from ansible import constants as C

LONGEST_TEXT = 1 << 20
LARGEST_CACHE = 20000
DELIMITERS = ("{{", "{%")
WORD = re.compile(r"[^\W\d]\w*")
OVERRIDES = "#jinja2:"
# Methods of a mapping: what stands before them is meant as a whole.
METHODS = ("copy", "get", "items", "keys", "pop", "setdefault", "update", "values")
OWN_HOST = "inventory_hostname"
INCLUDES = (nodes.Extends, nodes.FromImport, nodes.Import, nodes.Include)


class Unreadable(Exception):
    """A text whose names cannot be told, and why."""


class Names:
    """Names that a text mentions, and templates it brings in."""
    __slots__ = ("names", "hostvars", "files")

    def __init__(self):
        self.names, self.hostvars, self.files = set(), set(), set()

    def add(self, other):
        self.names |= other.names
        self.hostvars |= other.hostvars
        self.files |= other.files

    def any(self):
        return bool(self.names or self.hostvars or self.files)


class Anything(dict):
    """Filters and tests for the parser: it asks for each by its name, and none of them is ever run."""
    def get(self, name, default=None):
        return Anything.nothing

    @staticmethod
    def nothing(*args, **kwargs):
        return ""


class Undeclared(CodeGenerator):
    """Collects the names that a template takes from outside, by Jinja's own rules of scope."""
    def __init__(self, environment):
        super().__init__(environment, "<names>", "<names>", defer_init=True, optimized=False)
        self.found = set()

    def write(self, text):
        pass

    def enter_frame(self, frame):
        super().enter_frame(frame)
        for action, name in frame.symbols.loads.values():
            if action == "resolve":
                self.found.add(name)


class TemplateReader:
    def __init__(self):
        extensions = getattr(C, "DEFAULT_JINJA2_EXTENSIONS", None) or []
        if isinstance(extensions, str):
            extensions = [name for name in extensions.replace(" ", "").split(",") if name]
        self.environment = jinja2.Environment(extensions=list(extensions), optimized=False)
        self.environment.filters = self.environment.tests = Anything()
        self.cache = {}
        self.known_words = {}

    def words(self, text):
        """Everything in a text that could be a name. Far cheaper than to parse it, and never less than its names."""
        found = self.known_words.get(text)
        if found is None:
            if len(self.known_words) >= LARGEST_CACHE:
                self.known_words.clear()
            found = self.known_words[text] = words(text)
        return found

    def template(self, text, overrides=()):
        """The names in a template."""
        return self.read(("template", text, tuple(overrides)))

    def expression(self, text):
        """The names in a condition, which is written without delimiters, or with some around a part of it."""
        return self.read(("expression", text, ()))

    def read(self, key):
        found = self.cache.get(key)
        if found is None:
            kind, text, overrides = key
            if len(text) > LONGEST_TEXT:
                raise Unreadable("it is longer than a mebibyte")
            try:
                found = self.parsed(text, overrides) if kind == "template" else self.condition(text)
            except Unreadable:
                raise
            except RecursionError:
                raise Unreadable("it is nested too deeply") from None
            except Exception as error:
                raise Unreadable(str(error)) from None
            if len(self.cache) >= LARGEST_CACHE:
                self.cache.clear()
            self.cache[key] = found
        return found

    def condition(self, text):
        if not is_template(text):
            return self.parsed("{% if " + text + " %}{% endif %}")
        names = Names()
        names.add(self.parsed(text))
        # What stands around the delimiters is part of the condition too.
        without = re.sub(r"\{\{(.*?)\}\}", r"(\1)", text, flags=re.DOTALL)
        if not is_template(without):
            names.add(self.parsed("{% if " + without + " %}{% endif %}"))
        return names

    def parsed(self, text, overrides=()):
        environment = self.environment
        settings = dict(overrides)
        if text.startswith(OVERRIDES):
            header, _, text = text.partition("\n")
            for pair in header[len(OVERRIDES):].split(","):
                name, _, value = pair.partition(":")
                if name.strip().endswith("_string"):
                    settings[name.strip()] = str(ast.literal_eval(value.strip()))
        if settings:
            environment = environment.overlay(**settings)
        tree = environment.parse(text)
        try:
            generator = Undeclared(environment)
            generator.visit(tree)
            undeclared = generator.found
        except jinja2.TemplateError:
            undeclared = {node.name for node in tree.find_all(nodes.Name) if node.ctx == "load"}
        names = Names()
        visit(tree, undeclared - set(environment.globals), names)
        return names


def words(text):
    return frozenset(match.group() for match in WORD.finditer(text))


def is_template(text):
    return any(delimiter in text for delimiter in DELIMITERS)


def visit(node, undeclared, names):
    """Collects the names in a tree."""
    if isinstance(node, (nodes.Getattr, nodes.Getitem, nodes.Call, nodes.Name)):
        root, keys, rest = chain(node)
        if isinstance(root, nodes.Name):
            if root.ctx == "load" and root.name in undeclared:
                mention(root.name, keys, names)
        elif root is not node:
            visit(root, undeclared, names)
        if root is not node or isinstance(node, nodes.Name):
            for part in rest:
                visit(part, undeclared, names)
            return
    elif isinstance(node, nodes.Filter) and extracted(node, undeclared, names):
        return
    elif isinstance(node, nodes.Test) and node.name in ("defined", "undefined"):
        root, keys, rest = chain(node.node)
        if isinstance(root, nodes.Name) and root.name == "hostvars" and len(keys) == 1:
            # Whether a host stands in the inventory.
            for part in rest:
                visit(part, undeclared, names)
            return
    elif isinstance(node, nodes.Compare) and is_hostvars(node.ops[-1].expr) and node.ops[-1].op in ("in", "notin"):
        visit(node.expr, undeclared, names)
        return
    elif isinstance(node, INCLUDES):
        brought_in(node.template, names)
    if isinstance(node, nodes.Call) and isinstance(node.node, nodes.Name):
        lookup(node, names)
    for child in node.iter_child_nodes():
        visit(child, undeclared, names)


def chain(node):
    """`a.b['c'][d].get('e')` as its root, its keys (None for one that is computed), and what else is to be visited."""
    keys, rest = [], []
    while True:
        if isinstance(node, nodes.Getattr):
            keys.append(node.attr)
        elif isinstance(node, nodes.Getitem):
            keys.append(constant(node.arg, keys, rest))
        elif isinstance(node, nodes.Call) and isinstance(node.node, nodes.Getattr) and node.node.attr in METHODS:
            rest.extend(node.args[1:] if node.node.attr == "get" else node.args)
            rest.extend(node.kwargs)
            if node.node.attr == "get" and node.args:
                keys.append(constant(node.args[0], keys, rest))
            else:
                keys.clear()  # of what the method gives, nothing is known
            node = node.node
        elif isinstance(node, nodes.Call) and isinstance(node.node, nodes.Getattr):
            rest.extend(node.args + node.kwargs)
            keys.clear()
            node = node.node
        else:
            return node, keys[::-1], rest
        node = node.node


def constant(node, keys, rest):
    """The text of a key, None for one that is computed."""
    if isinstance(node, nodes.Const) and isinstance(node.value, str):
        return node.value
    if isinstance(node, nodes.Name) and node.name == OWN_HOST:
        return Own
    rest.append(node)
    return None


class Own:
    """Stands for the host that a task runs for."""


def mention(name, keys, names):
    """Notes a name with the keys that follow it."""
    first = keys[0] if keys and keys[0] is not Own else None
    if name == "hostvars":
        second = keys[1] if len(keys) > 1 and isinstance(keys[1], str) else None
        if keys and keys[0] is Own:
            if isinstance(second, str):
                mention(second, keys[2:], names)
            else:
                names.hostvars.add((None, None))
            return
        if second == "ansible_facts" and len(keys) > 2 and isinstance(keys[2], str):
            second = "ansible_facts." + keys[2]
        names.hostvars.add((first, second))
    elif name == "vars":
        if first is not None:
            mention(first, keys[1:], names)
        elif not keys:
            names.hostvars.add((None, None))
    elif name in ("ansible_facts", "groups"):
        names.names.add(name if first is None else "%s.%s" % (name, first))
    else:
        names.names.add(name)


def lookup(call, names):
    """`lookup('vars', 'name')` and `lookup('template', 'file')`, also as `query` and `q`."""
    if call.node.name not in ("lookup", "query", "q"):
        return
    terms = [part.value if isinstance(part, nodes.Const) and isinstance(part.value, str) else None for part in call.args]
    plugin = terms[0].rpartition(".")[2] if terms and terms[0] else None
    for term in terms[1:]:
        if term is not None and plugin == "vars":
            names.names.add(term)
        elif term is not None and plugin == "template":
            names.files.add(term)
    if plugin == "inventory_hostnames":
        names.names.add("groups")


def extracted(node, undeclared, names):
    """`map('extract', hostvars, 'name')` and what is written like it: one name of any host."""
    if node.name == "map" and isinstance(node.node, nodes.Filter) and node.node.name == "map" and not node.args:
        attribute = [kwarg.value.value for kwarg in node.kwargs if kwarg.key == "attribute" and isinstance(kwarg.value, nodes.Const)]
        inner = node.node
        if attribute and len(inner.args) == 2 and is_extract(inner) and is_hostvars(inner.args[1]):
            names.hostvars.add((None, str(attribute[0]).partition(".")[0]))
            visit(inner.node, undeclared, names)
            return True
    if node.name == "map" and is_extract(node):
        place = 1
    elif node.name.rpartition(".")[2] == "extract":
        place = 0
    else:
        return False
    if len(node.args) <= place or not is_hostvars(node.args[place]):
        return False
    key = node.args[place + 1] if len(node.args) > place + 1 else None
    keys = key.items if isinstance(key, nodes.List) else [key] if key is not None else []
    keys = [part.value if isinstance(part, nodes.Const) and isinstance(part.value, str) else None for part in keys]
    mention("hostvars", [None, *keys], names)
    for part in [node.node, *node.args[place + 1:], *node.kwargs]:
        if part is not None:
            visit(part, undeclared, names)
    return True


def is_extract(node):
    return bool(node.args) and isinstance(node.args[0], nodes.Const) and str(node.args[0].value).endswith("extract")


def is_hostvars(node):
    return isinstance(node, nodes.Name) and node.name == "hostvars"


def brought_in(template, names):
    """The files that `{% include %}` and its like name in so many words; a computed name may bring in any value."""
    parts = template.items if isinstance(template, (nodes.List, nodes.Tuple)) else [template]
    for part in parts:
        if isinstance(part, nodes.Const):
            names.files.update(part.value if isinstance(part.value, (list, tuple)) else [str(part.value)])
        else:
            names.hostvars.add((None, None))
