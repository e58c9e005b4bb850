//! Python, with the frameworks that have words of their own.

use super::logs_common::{ENV, WORD, crash, names_a_variable};
use super::prelude::*;

/// Rows for logs of Python.
pub static ROWS: &[SignatureRow] = &[
    SignatureRow {
        subject: named(
            NameShape::Module,
            &["no module named '", "no module named ", "import module \"", "the module "],
            WORD,
        ),
        advice: "Python cannot import a module{subject?: `$`}. If it is a package of your own: a missing \
            `__init__.py` or a wrong PYTHONPATH or WORKDIR; if not: add it to the requirements and build the image \
            again.",
        settled_by: Some("whether the module's files are in the image, with `__init__.py`"),
        example: seen("ModuleNotFoundError: No module named 'core.aws_service'", "Python"),
        ..crash(
            "python-module",
            Signature::ModuleMissing,
            3,
            &[&[
                "no module named",
                "modulenotfounderror",
                "unable to load celery application",
                "could not import module",
                "failed to find flask application",
                "error: class uri",
                "failed to find application object",
                "could not locate a flask application",
                "could not import '",
            ]],
        )
    },
    SignatureRow {
        subject: named(NameShape::Module, &["the module "], WORD),
        advice: "Celery cannot import the module of the application{subject? (`$`)}. Look at `-A`, PYTHONPATH and \
            WORKDIR.",
        example: seen("The module nosuch was not found.", "Celery"),
        ..crash("celery-module", Signature::ModuleMissing, 3, &[&["^the module "], &["was not found"]])
    },
    SignatureRow {
        subject: named(NameShape::Module, &["importerror: ", "oserror: "], &[':']),
        advice: "A system library that a module needs is not in the image{subject?: `$`}. Install the package that \
            has it (`apt-get`, `apk`), for the image's architecture.",
        example: seen("ImportError: libGL.so.1: cannot open shared object file: No such file or directory", "Python"),
        ..crash("python-library", Signature::ImportError, 3, &[&["error: "], &[": cannot open shared object file"]])
    },
    SignatureRow {
        subject: named(NameShape::Module, &["cannot import name '"], WORD),
        advice: "A module was found and failed while it was imported{subject? (`$`)}: a version that does not fit, or \
            an import in a circle. Pin the versions that worked.",
        none: &["error while loading shared libraries"],
        example: seen(
            "ImportError: cannot import name 'Markup2' from 'flask' \
             (/usr/local/lib/python3.11/site-packages/flask/__init__.py)",
            "Python",
        ),
        ..crash(
            "python-import",
            Signature::ImportError,
            3,
            &[&[
                "cannot import name",
                "importerror:",
                "undefined symbol",
                "partially initialized module",
                "dll load failed",
                "attributeerror: module '",
            ]],
        )
    },
    SignatureRow {
        subject: named(NameShape::Variable, &["keyerror: '", "set the ", "undefinedvalueerror: "], WORD),
        advice: ENV,
        settled_by: Some("whether the key is read from the environment: the traceback ends in `os`"),
        example: seen("  Field required [type=missing, input_value={}, input_type=dict]", "pydantic-settings"),
        ..crash(
            "python-env",
            Signature::EnvMissing,
            3,
            &[&[
                "undefinedvalueerror",
                "field required [type=missing",
                "enverror:",
                "set the secret_key",
                "the secret_key setting must not be empty",
                "environment variable not found",
                "improperlyconfigured: set the",
            ]],
        )
    },
    SignatureRow {
        subject: named(NameShape::Variable, &["keyerror: '"], WORD),
        advice: ENV,
        settled_by: Some("whether the key is read from the environment: the traceback ends in `os`"),
        also: Some(names_a_variable),
        example: seen("KeyError: 'DATABASE_URL'", "Python"),
        ..crash("python-env-key", Signature::EnvMissing, 2, &[&["keyerror: '"]])
    },
    SignatureRow {
        none: &[
            "cannot use import",
            "unexpected token",
            "unexpected identifier",
            "unexpected end of",
            "await is only",
            "the requested module",
        ],
        advice: "The source does not parse under the Python of the image. Correct it, or use the Python version that \
            it was written for.",
        example: seen("SyntaxError: invalid syntax", "Python"),
        ..crash(
            "python-syntax",
            Signature::SyntaxError,
            3,
            &[&["^syntaxerror:", "indentationerror", "^taberror:", " syntaxerror: "]],
        )
    },
    SignatureRow {
        advice: "The program needs another version of its language runtime. Use the base image of that version.",
        example: seen("ERROR: Package 'x' requires a different Python: 3.8.10 not in '>=3.10'", "pip"),
        ..crash(
            "runtime-version",
            Signature::RuntimeVersion,
            3,
            &[&[
                "requires a different python",
                "unsupported class file major version",
                "unsupportedclassversionerror",
                "compiled by a more recent version of the java runtime",
                "node_module_version",
                "the engine \"node\" is incompatible",
                "ebadengine",
                "you must install or update .net",
                "you must install .net to run",
                "framework: 'microsoft",
                "your ruby version is",
                "requires php",
                "php version",
                "version `glibc_",
                "version `glibcxx_",
                "version `cxxabi_",
                "requires node",
                "node.js version",
                "requires go",
                "compatible framework version",
                "unsupported engine",
            ]],
        )
    },
    SignatureRow {
        advice: "Python ended with an exception that no other signature explains: read its last line. If the revision \
            before ran, compare the two.",
        example: seen("Traceback (most recent call last):", "Python"),
        ..crash(
            "python-exception",
            Signature::UncaughtException,
            1,
            &[&[
                "traceback (most recent call last)",
                "valueerror:",
                "typeerror:",
                "attributeerror:",
                "runtimeerror:",
                "nameerror:",
                "assertionerror",
                "keyerror:",
                "indexerror:",
                "oserror:",
                "filenotfounderror",
                "zerodivisionerror",
                "notimplementederror",
                "recursionerror",
                "unicodedecodeerror",
                "application startup failed",
                "worker failed to boot",
                "exception in worker process",
                "required positional argument",
                "unexpected keyword argument",
            ]],
        )
    },
    SignatureRow {
        id: "python-memory",
        cause: Cause::OutOfMemory,
        kind: Some(Kind::Heap),
        weight: 3,
        all: &[
            &["^memoryerror", "unable to allocate", "_arraymemoryerror", "cuda out of memory"],
            &["memoryerror", "array with shape", "out of memory"],
        ],
        advice: "Python could not allocate memory. {memory}, or load less at once.",
        example: seen(
            "numpy.core._exceptions._ArrayMemoryError: Unable to allocate 7.45 GiB for an array with shape \
             (1000000000,) and data type float64",
            "NumPy",
        ),
        ..SignatureRow::EMPTY
    },
];
