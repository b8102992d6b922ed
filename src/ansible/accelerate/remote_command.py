"""Turns the remote command of a module into one that starts the Python that stays: the same shells, the same become,
the same environment and the same interpreter, which is given a script by its shell instead of the module by ssh."""
import re
import shlex

# The script comes as a document of the shell, so the interpreter's own standard input is at its end, as a module's is.
# The channel is descriptor 3. No quotes and nothing that a shell replaces, because it stands within quotes of any
# depth. A terminal would change what passes through it.
DOCUMENT = """ 3<&0 <<END_OF_START &&
import os
if os.isatty(3): raise SystemExit(9)
source = b""
while len(source) < %d: source += os.read(3, %d - len(source)) or os._exit(9)
scope = {"__name__": "accelerate"}
exec(compile(source, "<accelerate>", "exec"), scope)
scope["execute"](scope["Loop"](3).serve(), globals(), ("os", "source", "scope"))
END_OF_START
:"""
NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*$")


class Unknown(Exception):
    """A command that is not a module's, or is put together in a way that is not known."""


def in_shell(command):
    """The shell of a command, and what it is given to do."""
    words = shlex.split(command)
    if len(words) != 3 or words[1] != "-c" or command != "%s -c %s" % (words[0], shlex.quote(words[2])):
        raise Unknown("the command is not a shell's")
    return words[0], words[2]


class RemoteCommand:
    """What a module's command consists of. `success` is what a become plugin's command says first, if there is one."""

    def __init__(self, command, interpreter, success):
        self.shell, inner = in_shell(command)
        # Up to ansible-core 2.20 the shell has this to do as well, and so it stays while the interpreter runs.
        self.rest = " && sleep 0" if inner.endswith(" && sleep 0") else ""
        self.script = inner[:len(inner) - len(self.rest)]
        self.success = success
        self.command = command
        self.innermost = self.unwrapped(self.script)
        beginning = "echo %s ; " % success if success else ""
        if not (self.innermost.startswith(beginning) and self.innermost.endswith(interpreter)):
            raise Unknown("the command is not the module's interpreter")
        environment = self.innermost[len(beginning):len(self.innermost) - len(interpreter)]
        assignments = [word.partition("=") for word in shlex.split(environment)]
        known = ["%s=%s " % (name, shlex.quote(value)) for name, _, value in assignments if NAME.match(name)]
        if environment != "".join(known):
            raise Unknown("the command is not only an interpreter and its environment")
        self.sets_environment = bool(assignments)
        self.interpreter = interpreter

    def plain(self):
        """The same command of the user who logs in, without an environment of its own."""
        if not self.success and not self.sets_environment:
            return self
        return RemoteCommand("%s -c %s" % (self.shell, shlex.quote(self.interpreter + self.rest)), self.interpreter, "")

    def unwrapped(self, script):
        """What the innermost shell is given to do."""
        if not self.success:
            return script
        beginning = "echo %s ; " % self.success
        while not script.startswith(beginning):
            last = (shlex.split(script) or [""])[-1]
            if beginning not in last or last == script:
                raise Unknown("become is done in an unknown way")
            script = last
        return script

    def with_source(self, length):
        """The command that starts an interpreter which reads its source, of this many bytes, from the channel."""
        document = DOCUMENT % (length, length)
        place = len(self.script.rstrip("'\""))
        script = self.script[:place] + document + self.script[place:]
        if self.unwrapped(script) != self.innermost + document:
            raise Unknown("the command is quoted in an unknown way")
        return "%s -c %s" % (self.shell, shlex.quote(script + self.rest))
