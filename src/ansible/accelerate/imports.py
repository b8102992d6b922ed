"""Finds and loads, on the server, the modules that a payload brings along.

The parent compiles each file once and imports once what every module imports, `ansible.module_utils.basic`. A child
whose payload has another version of one of these files forgets the imported ones first. Comes before `loop.py` in the
source that the server is given, and runs with Python 3.6 too.
"""
import sys

BEGINNING = sys.path[:]
# Nothing in the working directory may pass for a module of Python's own; a child gets the whole list back.
sys.path[:] = [entry for entry in BEGINNING if entry not in ("", ".")]

import base64
import gc
import importlib.util
import io
import warnings
import zipfile
import zipimport

COMPILED = 3 << 20  # bytes of source that are kept compiled
NOWHERE = "/ansible_payload.zip"  # where compiled files seem to lie until a child knows better
COMMON = ("ansible.module_utils.basic", "ansible.module_utils._internal._ansiballz._loader")


class Files:
    """Finds and loads the modules that a payload brings along, from code that was compiled once."""

    def __init__(self):
        self.archive = NOWHERE
        self.payload = None
        self.code = {}  # by path and checksum
        self.compiled = 0
        self.imported = {}  # modules imported in advance, with the checksum of their file
        self.prepared = False
        self.is_child = False

    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] not in ("ansible", "ansible_collections"):
            return None
        if self.archive == NOWHERE and self.is_child:
            self.move()
        if self.known(name) is None:
            return None
        return importlib.util.spec_from_loader(name, self, is_package=self.is_package(name))

    def known(self, name):
        return self.code.get(self.payload.files.get(name))

    def file_of(self, name):
        try:
            return self.payload.files[name][0]
        except KeyError:
            # As the archive's own loader says it. A module that runs is asked for by the name `__main__`.
            raise zipimport.ZipImportError("can't find module %r" % (name,), name=name) from None

    def path_of(self, name):
        return self.archive + "/" + self.file_of(name)

    # What Python asks of a loader.

    def create_module(self, spec):
        return None

    def exec_module(self, module):
        exec(self.get_code(module.__name__), module.__dict__)

    def is_package(self, name):
        return self.file_of(name).endswith("/__init__.py")

    def get_filename(self, name):
        return self.path_of(name)

    def get_code(self, name):
        path = self.path_of(name)
        code = self.known(name)
        rename(code, path)
        return code

    def get_source(self, name):
        # The one that the archive itself has, found from the directory the module lies in.
        folder = self.file_of(name).rpartition("/")[0]
        if self.is_package(name):
            folder = folder.rpartition("/")[0]
        return zipimport.zipimporter(self.archive + "/" + folder if folder else self.archive).get_source(name)

    def get_data(self, path):
        return zipimport.zipimporter(self.archive).get_data(path)

    # In the parent.

    def prepare(self, payload):
        """Makes the most of an archive for the modules that use it."""
        self.compile(payload)
        if not self.prepared:
            self.prepared = True
            self.import_common(payload)
            gc.collect()
            if hasattr(gc, "freeze"):
                gc.freeze()  # children need not copy what they only look at
        payload.archive = None

    def compile(self, payload):
        """Compiles what was not seen before; what Python would warn about is left to the child."""
        for name, file in payload.files.items():
            if file in self.code or self.compiled > COMPILED:
                continue
            source = payload.archive.read(file[0])
            try:
                with warnings.catch_warnings(record=True) as warned:
                    code = compile(source, NOWHERE + "/" + file[0], "exec", dont_inherit=True)
            except (SyntaxError, ValueError):
                continue
            if not warned:
                self.code[file] = code
                self.compiled += len(source)

    def import_common(self, payload):
        """Imports what all modules import; where that fails or has something to say, each child does it for itself."""
        self.payload = payload
        sys.meta_path.insert(0, self)
        try:
            with warnings.catch_warnings(record=True) as warned:
                for name in COMMON:
                    if name in payload.files:
                        importlib.import_module(name)
        except (Exception, SystemExit):
            warned = True  # such as a Python that is too old
        sys.stdout.flush()  # or each child would print what was printed here
        sys.meta_path.remove(self)
        for name in [name for name in sys.modules if name.partition(".")[0] == "ansible"]:
            self.imported[name] = payload.files.get(name)
        if warned:
            self.forget()

    def fits(self, payload):
        return all(payload.files.get(name) == file for name, file in self.imported.items())

    # In a child, and where the import failed.

    def forget(self):
        for name in self.imported:
            sys.modules.pop(name, None)
        self.imported = {}

    def enter(self, payload):
        """Everything is as in a new Python until the module puts its archive into `sys.path`."""
        self.payload = payload
        self.is_child = True
        if not self.fits(payload):
            self.forget()
        sys.meta_path.insert(0, self)

    def move(self):
        """Gives the imported modules the place that they would have been imported from."""
        archive = next((entry for entry in sys.path if entry.endswith("_payload.zip")), None)
        if archive is None:
            return
        self.archive = archive
        for name in self.imported:
            module = sys.modules.get(name)
            spec = getattr(module, "__spec__", None)
            if getattr(spec, "loader", None) is not self:
                continue
            module.__file__ = spec.origin = self.path_of(name)
            rename(self.known(name), spec.origin)
            for paths in (getattr(module, "__path__", None), spec.submodule_search_locations):
                if isinstance(paths, list):
                    paths[:] = [archive + path[len(NOWHERE):] if path.startswith(NOWHERE) else path for path in paths]
        for name in ("ansible", "ansible.module_utils"):
            # These look for more of their kind in `sys.path`.
            if name in self.imported:
                exec(self.known(name), sys.modules[name].__dict__)


def rename(code, path):
    """Tracebacks name the file that a new Python would have read."""
    try:
        importlib._bootstrap_external._imp._fix_co_filename(code, path)
    except AttributeError:
        pass


class Payload:
    """The archive with the files of one module."""

    def __init__(self, text):
        self.packed = base64.b64decode(text)
        self.files = {}
        if base64.b64encode(self.packed) != text:
            raise ValueError("the text would not be the same again")
        self.archive = zipfile.ZipFile(io.BytesIO(self.packed))
        for info in self.archive.infolist():
            if info.filename.endswith(".py"):
                name = info.filename[:-3].replace("/", ".")
                if name.endswith(".__init__"):
                    name = name[:-9]
                self.files[name] = (info.filename, info.CRC, info.file_size)

    def text(self):
        return base64.b64encode(self.packed)
