//! The JVM, with Spring.

use super::logs_common::{ENV, WORD, crash};
use super::prelude::*;

/// Rows for logs of the JVM.
pub static ROWS: &[SignatureRow] = &[
    SignatureRow {
        id: "java-heap",
        cause: Cause::OutOfMemory,
        kind: Some(Kind::Heap),
        weight: 3,
        all: &[&[
            "java heap space",
            "java.lang.outofmemoryerror",
            "java/lang/outofmemoryerror",
            "gc overhead limit exceeded",
            "outofmemoryerror: metaspace",
            "unable to create native thread",
            "unable to create new native thread",
            "insufficient memory for the java runtime",
            "native memory allocation (mmap) failed",
            "os::commit_memory",
            "direct buffer memory",
            "system.outofmemoryexception",
            "out of memory exception",
        ]],
        advice: "The JVM's own limit was reached, not the task's. Set `-XX:MaxRAMPercentage=75` (or -Xmx below the \
            container's memory), and raise both if needed; Metaspace, threads and direct buffers have limits of their \
            own.",
        example: seen("Exception in thread \"main\" java.lang.OutOfMemoryError: Java heap space", "OpenJDK"),
        ..SignatureRow::EMPTY
    },
    SignatureRow {
        subject: named(NameShape::Module, &["main class ", "classnotfoundexception: ", "noclassdeffounderror: "], WORD),
        advice: "The JVM cannot find a class{subject?: `$`}. Look at the jar in the image, its manifest (Main-Class, \
            Spring Boot's repackage), and the class path.",
        example: seen("Error: Could not find or load main class com.example.Application", "OpenJDK"),
        ..crash(
            "java-class",
            Signature::ModuleMissing,
            3,
            &[&[
                "classnotfoundexception",
                "could not find or load main class",
                "noclassdeffounderror",
                "no main manifest attribute",
                "nosuchmethoderror",
            ]],
        )
    },
    SignatureRow {
        subject: named(NameShape::Variable, &["resolve placeholder '"], WORD),
        advice: ENV,
        example: seen("Could not resolve placeholder 'JWT_SECRET' in value \"${JWT_SECRET}\"", "Spring"),
        ..crash(
            "spring-placeholder",
            Signature::EnvMissing,
            3,
            &[&[
                "could not resolve placeholder",
                "required config property",
                "sreconfigurationexception",
                "is required but it could not be found in any config source",
                "no configuration setting found for key",
            ]],
        )
    },
    SignatureRow {
        advice: "Spring Boot has no database address. Set `SPRING_DATASOURCE_URL` and its credentials, or the profile \
            that has them.",
        example: seen(
            "Failed to configure a DataSource: 'url' attribute is not specified and no embedded datasource could be \
             configured.",
            "Spring Boot",
        ),
        ..crash(
            "spring-datasource",
            Signature::ConfigMissing,
            3,
            &[
                &[
                    "failed to configure a datasource",
                    "failed to determine a suitable driver class",
                    "failed to bind properties under",
                    "config data resource",
                    "invalid configuration property",
                    "dialect",
                ],
                &["url", "driver", "properties", "does not exist", "property", "hibernate"],
            ],
        )
    },
    SignatureRow {
        advice: "The JVM ended with an exception that no other signature explains: read the last `Caused by`. If the \
            revision before ran, compare the two.",
        example: seen(
            "Exception in thread \"main\" java.lang.NullPointerException: Cannot invoke \"String.length()\"",
            "OpenJDK",
        ),
        ..crash(
            "java-exception",
            Signature::UncaughtException,
            1,
            &[&[
                "exception in thread \"",
                "exception in thread '",
                "java.lang.",
                ".java:",
                "application run failed",
                "application failed to start",
                "caused by:",
                "stackoverflowerror",
                "beancreationexception",
                "a fatal exception has occurred",
                "org.springframework.",
                "(native method)",
            ]],
        )
    },
];
