//! Node.js and its package managers.

use super::logs_common::{ENV, WORD, crash};
use super::prelude::*;

/// Rows for logs of Node.js.
pub static ROWS: &[SignatureRow] = &[
    SignatureRow {
        id: "node-heap",
        cause: Cause::OutOfMemory,
        kind: Some(Kind::Heap),
        weight: 3,
        all: &[&[
            "javascript heap out of memory",
            "reached heap limit",
            "ineffective mark-compacts near heap limit",
            "err_worker_out_of_memory",
            "allocation failed - process out of memory",
        ]],
        advice: "V8's own heap limit was reached, not the task's. Set `NODE_OPTIONS=--max-old-space-size=<MiB>` to \
            about three quarters of the container's memory, and raise that if needed; or find the leak.",
        example: seen("FATAL ERROR: Reached heap limit Allocation failed - JavaScript heap out of memory", "Node.js"),
        ..SignatureRow::EMPTY
    },
    SignatureRow {
        subject: named(NameShape::Module, &["cannot find module '", "cannot find package '", "can't resolve '"], WORD),
        advice: "Node.js cannot find a module{subject?: `$`}. Add it to `dependencies` (not devDependencies), run the \
            install in the image, and look at .dockerignore, WORKDIR and the path of the build output.",
        example: seen("Error: Cannot find module 'express-session'", "Node.js"),
        ..crash(
            "node-module",
            Signature::ModuleMissing,
            3,
            &[&[
                "cannot find module",
                "cannot find package",
                "module not found: error",
                "can't resolve '",
                "could not locate the query engine",
                "module not found \"",
            ]],
        )
    },
    SignatureRow {
        advice: "Node.js cannot find a module. The line before says which: add it to `dependencies`, and look at \
            .dockerignore, WORKDIR and the path of the build output.",
        example: seen("  code: 'MODULE_NOT_FOUND',", "Node.js"),
        // The line with the module's name says more, so that it decides where both are there.
        ..crash("node-module-code", Signature::ModuleMissing, 2, &[&["module_not_found"]])
    },
    SignatureRow {
        subject: named(NameShape::Command, &["missing script: \"", "missing script: ", "path "], WORD),
        id: "npm-script",
        cause: Cause::CommandNotFound,
        weight: 3,
        all: &[
            &[
                "missing script",
                "could not read package.json",
                "couldn't find a package.json",
                "no package.json",
                "err_pnpm_no_script",
                "err_pnpm_no_importer_manifest",
                "error command \"",
                "enoent: no such file or directory, open '/app/package.json'",
                "couldn't find a script named",
            ],
            &["npm", "yarn", "not found", "package.json", "script"],
        ],
        advice: "The package manager finds no such script or no package.json{subject? (`$`)}. Look at WORKDIR, the \
            COPY of package.json, and the name of the script in `command`.",
        example: seen(
            "npm error enoent Could not read package.json: Error: ENOENT: no such file or directory, open \
             '/app/empty/package.json'",
            "npm",
        ),
        ..SignatureRow::EMPTY
    },
    SignatureRow {
        advice: "The source does not parse: an `import` in a CommonJS file (set \"type\": \"module\" or build to \
            CommonJS), or syntax that this Node.js does not know.",
        example: seen("SyntaxError: Cannot use import statement outside a module", "Node.js"),
        ..crash(
            "node-syntax",
            Signature::SyntaxError,
            3,
            &[&[
                "syntaxerror: cannot use import",
                "syntaxerror: unexpected",
                "syntaxerror: invalid",
                "syntaxerror: missing",
                "syntaxerror: identifier",
                "syntaxerror: await is only",
                "err_require_esm",
                "unexpected token",
                "err_unknown_file_extension",
            ]],
        )
    },
    SignatureRow {
        advice: "A module was found and failed while it was loaded. Pin the versions that worked; native modules must \
            be built for the image's platform.",
        example: seen("SyntaxError: The requested module './db.js' does not provide an export named 'pool'", "Node.js"),
        ..crash(
            "node-import",
            Signature::ImportError,
            3,
            &[&[
                "does not provide an export named",
                "err_package_path_not_exported",
                "invalid elf header",
                "err_dlopen_failed",
            ]],
        )
    },
    SignatureRow {
        subject: named(
            NameShape::Variable,
            &["environment variable not found: ", "invalid environment variables"],
            WORD,
        ),
        advice: ENV,
        example: seen("Error: secretOrPrivateKey must have a value", "jsonwebtoken"),
        ..crash(
            "node-env",
            Signature::EnvMissing,
            3,
            &[&[
                "environment variable not found:",
                "invalid environment variables",
                "env validation failed",
                "config validation error",
                "missingenvvarserror",
                "environment validation",
                "secretorprivatekey must have a value",
                "secretorkey",
            ]],
        )
    },
    SignatureRow {
        advice: "Node.js ended with an error that no other signature explains: read its first lines. If the revision \
            before ran, compare the two.",
        example: seen("Node.js v20.20.2", "Node.js"),
        ..crash(
            "node-exception",
            Signature::UncaughtException,
            1,
            &[&[
                "^node.js v",
                "triggeruncaughtexception",
                "throw er; // unhandled 'error' event",
                "at module._compile (",
                "err_unhandled_rejection",
                "elifecycle",
                "referenceerror:",
                "rangeerror:",
                "err_unhandled_error",
                "at object.<anonymous> (",
                "at process.processticksandrejections",
                "err_invalid_arg",
                "nest can't resolve dependencies",
                "migrate found failed migrations",
            ]],
        )
    },
];
