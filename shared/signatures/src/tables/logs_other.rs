//! Go, Rust, Ruby, PHP, .NET, Perl, and servers such as nginx.

use super::logs_common::{ENV, WORD, crash};
use super::prelude::*;

/// Whether a line begins with an exception's type and its namespace: `org.acme.WrongException: ...`, `Acme::WrongError:
/// ...`.
fn begins_with_its_type(line: &str) -> bool {
    let Some((kind, _)) = line.split_once(": ") else {
        return false;
    };
    let (namespace, name) = kind.rsplit_once(['.', ':', '\\']).unwrap_or_default();
    let word = |text: &str| {
        text.bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b':' | b'\\' | b'$'))
    };
    !namespace.is_empty()
        && word(kind)
        && name.starts_with(|first: char| first.is_ascii_uppercase())
        && (name.ends_with("Exception") || name.ends_with("Error"))
}

/// Rows for logs of these languages and servers.
pub static ROWS: &[SignatureRow] = &[
    SignatureRow {
        subject: named(
            NameShape::Module,
            &["cannot load such file -- ", "can't locate ", "could not find ", "class \"", "class '", "assembly '"],
            WORD,
        ),
        advice: "A library or class is not in the image{subject?: `$`}. Install it there (bundle install, composer \
            install, cpanm, publish with its dependencies), and look at .dockerignore and the paths.",
        example: seen("Can't locate Foo/Bar.pm in @INC (you may need to install the Foo::Bar module)", "Perl"),
        ..crash(
            "library-missing",
            Signature::ModuleMissing,
            3,
            &[&[
                "in @inc",
                "no field package.preload",
                "find a valid icu package",
                "there is no package called",
                "not found in current path",
                "cannot load such file",
                "in any of the sources",
                "bundler::gemnotfound",
                "gem::missingspecerror",
                "could not find gem",
                "could not load the '",
                "class not found",
                "vendor/autoload.php",
                "could not load file or assembly",
                "filenotfoundexception: could not load",
                "call to undefined function",
                "cannot find package \"",
                "error while loading shared libraries",
                "error loading shared library",
                "cannot find the specified module",
                "gem::loaderror",
                "uninitialized constant",
                "not installed in the bundle",
                "unable to load dynamic library",
                "failed opening required",
            ]],
        )
    },
    SignatureRow {
        subject: named(NameShape::Module, &["class \""], WORD),
        advice: "PHP does not find a class{subject?: `$`}. Run composer install in the image, or dump its autoloader.",
        example: seen(
            "PHP Fatal error:  Uncaught Error: Class \"App\\Kernel\" not found in /app/public/index.php:7",
            "PHP",
        ),
        ..crash(
            "php-class",
            Signature::ModuleMissing,
            3,
            &[&["uncaught error: class", "error: class \"", "error: class '"], &["not found"]],
        )
    },
    SignatureRow {
        subject: named(NameShape::Variable, &["key not found: \"", "environment variable `", "required key "], WORD),
        advice: ENV,
        example: seen("called `Result::unwrap()` on an `Err` value: NotPresent", "Rust"),
        ..crash(
            "env-typed",
            Signature::EnvMissing,
            3,
            &[
                &[
                    "err` value: varerror",
                    "envvar(\"",
                    "notpresent",
                    "key not found: \"",
                    "required key",
                    "missing value for",
                    "environment variable not found",
                    "fetch': key not found",
                    "missing `secret_key_base`",
                    "missing secret_key_base",
                    "envconfig",
                    "no application encryption key",
                ],
                &["notpresent", "envvar", "not found", "missing", "secret_key_base", "has been specified"],
            ],
        )
    },
    SignatureRow {
        advice: "The source or the server's configuration does not parse. Correct the line that the log names.",
        example: seen("PHP Parse error:  syntax error, unexpected '}' in /app/index.php on line 7", "PHP"),
        ..crash(
            "other-syntax",
            Signature::SyntaxError,
            3,
            &[&[
                "parse error:",
                "syntax error, unexpected",
                "syntax error near",
                "syntax error at",
                "syntaxerror (",
                "syntax errors found",
                "syntax error: ",
                "unexpected end-of-input",
            ]],
        )
    },
    SignatureRow {
        advice: "nginx rejects its configuration: the line in the evidence names the directive, the file and its \
            line. `nginx -t` in the image tries it.",
        example: seen("nginx: [emerg] unknown directive \"servr\" in /etc/nginx/conf.d/default.conf:3", "nginx"),
        ..crash(
            "nginx-config",
            Signature::ConfigMissing,
            2,
            &[
                &["[emerg]"],
                &[
                    "directive",
                    "nginx.conf",
                    "/etc/nginx",
                    "open()",
                    "duplicate",
                    "invalid",
                    "no \"ssl_certificate\"",
                    "cannot load certificate",
                ],
            ],
        )
    },
    SignatureRow {
        advice: "The program panicked or threw, and no other signature explains it: read the line itself and the top \
            of its stack. If the revision before ran, compare the two.",
        example: seen("panic: runtime error: integer divide by zero", "Go"),
        ..crash(
            "other-exception",
            Signature::UncaughtException,
            1,
            &[&[
                "panic: ",
                "goroutine 1 [running]",
                "panicked at",
                "unhandled exception.",
                "unhandled exception:",
                "php fatal error",
                "uncaught ",
                "(runtimeerror)",
                "nomethoderror",
                "system.nullreferenceexception",
                "system.invalidoperationexception",
                "system.argumentnullexception",
                "system.aggregateexception",
                "system.io.",
                "begin failed--compilation aborted",
                "undefined method",
                "died at",
                "rust_backtrace",
                "(argumenterror)",
                "(nameerror)",
                "(loaderror)",
                "called `result::unwrap()`",
                "called `option::unwrap()`",
                "fatal error: all goroutines are asleep",
                "log.fatal",
                "** (exit) ",
                "rails aborted!",
            ]],
        )
    },
    SignatureRow {
        advice: "The program ended with an exception that no other signature explains: read the line itself. If the \
            revision before ran, compare the two.",
        example: seen("ActiveRecord::PendingMigrationError: Migrations are pending.", "Rails"),
        also: Some(begins_with_its_type),
        ..crash("typed-exception", Signature::UncaughtException, 1, &[&["exception: ", "error: "]])
    },
];
