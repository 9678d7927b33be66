//! Charts that mean harm: each ends in a clear error within the limits, and none in a panic.

use std::fmt::Write as _;

use cairn_chart::{
    ChartFile, ChartLimits, Ignore, MAX_CHART_DEPTH, MAX_LOADED_FILES, load_archive, read_archive,
};
use cairn_spec::{Origins, Sources};

use crate::{
    METADATA, load_files,
    tars::{Tar, gzip, header, pax, seal},
};

/// Loads an archive with a good `Chart.yaml` and what `add` puts into it, as a chart in another:
/// so messages come through.
fn message(add: impl FnOnce(Tar) -> Tar) -> String {
    let tar = add(Tar::new().file("web/Chart.yaml", METADATA)).tgz();
    message_of(&tar)
}

fn message_of(tgz: &[u8]) -> String {
    let whole = load_archive(tgz, "web.tgz", &mut Sources::new(), &mut Origins::new());
    let Err(error) = whole else {
        return "loaded".to_owned();
    };
    let diagnostic = error.diagnostic();
    assert!(!diagnostic.message.is_empty());
    assert!(diagnostic.hint.is_some(), "{}", diagnostic.message);
    let inner = read_archive(tgz, &ChartLimits::HELM).err();
    inner.unwrap_or(error).helm_message().to_owned()
}

fn files_message(files: Vec<ChartFile>) -> String {
    match load_files(files) {
        Ok(_) => "loaded".to_owned(),
        Err(error) => error.helm_message().to_owned(),
    }
}

/// What `Chart.yaml` of this text ends in.
fn metadata_message(text: impl Into<Vec<u8>>) -> String {
    files_message(vec![ChartFile::new("Chart.yaml", text.into())])
}

fn values_message(text: impl Into<Vec<u8>>) -> String {
    files_message(vec![
        ChartFile::new("Chart.yaml", METADATA),
        ChartFile::new("values.yaml", text.into()),
    ])
}

#[test]
fn paths_do_not_lead_out_of_the_chart() {
    const ABSOLUTE: &str = "chart illegally contains absolute paths";
    const PARENT: &str = "chart illegally references parent directory";
    let cases = [
        ("web//etc/passwd", ABSOLUTE),
        ("web\\\\etc\\passwd", ABSOLUTE),
        ("//etc/passwd", ABSOLUTE),
        ("web/../../etc/passwd", PARENT),
        ("web/..", PARENT),
        ("web/../web/Chart.yaml", PARENT),
        ("web/a/../../../b", PARENT),
        ("web\\..\\b", PARENT),
        ("../web/../../b", PARENT),
        ("web/..b", PARENT),
        ("web/c:/windows", "chart contains illegally named files"),
        ("web\\C:\\windows", "chart contains illegally named files"),
        ("Chart.yaml/x", "chart yaml not in base directory"),
        (
            "loose",
            "chart illegally contains content outside the base directory: \"loose\"",
        ),
        (
            "web/.",
            "chart illegally contains content outside the base directory: \"web/.\"",
        ),
        (
            "we\u{7}b",
            "chart illegally contains content outside the base directory: \"we\\ab\"",
        ),
    ];
    for (path, expected) in cases {
        assert_eq!(message(|tar| tar.file(path, "x")), expected, "{path}");
        // A link of that name is no better.
        assert_eq!(
            message(|tar| tar.entry(path, b'2', b"")),
            expected,
            "{path}"
        );
        let long = pax(&[("path", path)]);
        let hidden = message(|tar| tar.entry("x", b'x', &long).file("web/fine", "x"));
        assert_eq!(hidden, expected, "{path}, by PAX");
    }
    // What looks absolute is below a folder without a name, and stays in the chart.
    assert_eq!(message(|tar| tar.file("/etc/passwd", "x")), "loaded");
    assert_eq!(message(|tar| tar.file("../../etc", "x")), PARENT);
}

#[test]
fn links_hold_nothing() {
    let tar = Tar::new()
        .file("web/Chart.yaml", METADATA)
        .entry("web/templates/passwd", b'2', b"")
        .entry("web/templates/hard", b'1', b"")
        .tgz();
    let mut sources = Sources::new();
    let chart = load_archive(&tar, "web.tgz", &mut sources, &mut Origins::new()).unwrap();
    for template in &chart.templates {
        assert_eq!(&*sources.get(template.source).text, "");
    }
}

#[test]
fn bombs_do_not_go_off() {
    const TOO_LARGE: &str = "decompressed chart is larger than the maximum size 104857600";
    let five_mib = vec![0; 5 << 20];
    let file_bomb = message(|tar| tar.file("web/bomb", vec![0; (5 << 20) + 1]));
    assert_eq!(
        file_bomb,
        "decompressed chart file \"web/bomb\" is larger than the maximum file size 5242880"
    );
    let many = (0..20).fold(
        Tar::new().file("web/Chart.yaml", METADATA),
        |tar, number| tar.file(&format!("web/{number}"), &five_mib),
    );
    assert_eq!(message_of(&many.tgz()), TOO_LARGE);
    // A header that promises more than there is.
    for size in [101 << 20, u64::from(u32::MAX), 0o77_777_777_777] {
        let found = message(|tar| tar.raw(&header(b"web/bomb", b'0', size)));
        assert_eq!(found, TOO_LARGE);
    }
    let mut largest = header(b"web/bomb", b'0', 0);
    largest[124..136].copy_from_slice(b"\x80\0\0\0\x7f\xff\xff\xff\xff\xff\xff\xff");
    seal(&mut largest);
    assert_eq!(message(|tar| tar.raw(&largest)), TOO_LARGE);
    largest[124] = 0xff;
    seal(&mut largest);
    assert_eq!(
        message(|tar| tar.raw(&largest)),
        "archive/tar: invalid tar header"
    );
    let by_pax = pax(&[("size", "9223372036854775807")]);
    let found = message(|tar| tar.entry("x", b'x', &by_pax).file("web/a", "x"));
    assert_eq!(found, TOO_LARGE);
    let negative = pax(&[("size", "-1")]);
    let found = message(|tar| tar.entry("x", b'x', &negative).file("web/a", "x"));
    assert_eq!(found, "archive/tar: invalid tar header");
}

#[test]
fn headers_without_files_are_limited_too() {
    let limits = ChartLimits {
        bytes: 1 << 20,
        files: 100,
        ..ChartLimits::HELM
    };
    let long = vec![b'x'; 1 << 19];
    let comment = pax(&[("comment", &"x".repeat(1 << 19))]);
    for (kind, content) in [
        (b'L', &long),
        (b'K', &long),
        (b'x', &comment),
        (b'g', &comment),
    ] {
        let tar = (0..5).fold(Tar::new(), |tar, _| tar.entry("x", kind, content));
        let found = read_archive(&tar.tgz(), &limits).unwrap_err();
        let expected = "decompressed chart is larger than the maximum size 1048576";
        assert_eq!(found.helm_message(), expected, "{}", char::from(kind));
    }
}

#[test]
fn folders_and_files_are_counted() {
    let limits = ChartLimits {
        files: 100,
        ..ChartLimits::HELM
    };
    for kind in [b'0', b'2', b'5', b'g'] {
        let content: &[u8] = if kind == b'g' { b"6 a=b\n" } else { b"" };
        let tar = (0..101).fold(Tar::new(), |tar, number| {
            tar.entry(&format!("web/{number}"), kind, content)
        });
        let found = read_archive(&tar.tgz(), &limits).unwrap_err();
        let expected = "the chart archive holds more than 100 entries";
        assert_eq!(found.helm_message(), expected, "{}", char::from(kind));
    }
    let mut files: Vec<_> = (0..MAX_LOADED_FILES)
        .map(|number| ChartFile::new(format!("files/{number}"), ""))
        .collect();
    files.push(ChartFile::new("Chart.yaml", METADATA));
    assert_eq!(
        files_message(files),
        "the chart and the charts in it hold more than 50000 files or 256 MiB"
    );
}

#[test]
fn archives_in_archives_are_counted_together() {
    // Each archive holds eight that hold eight: together far more than each alone may hold.
    let chart = |name: &str| {
        let text = format!("{{apiVersion: v2, name: {name}, version: 1.0.0}}");
        Tar::new().file("x/Chart.yaml", text)
    };
    let core = (0..200).fold(chart("core"), |tar, number| {
        tar.file(&format!("x/files/{number}"), "")
    });
    let packed = ["a", "b", "c"].into_iter().fold(core.tgz(), |inner, name| {
        let tar = (0..8).fold(chart(name), |tar, number| {
            tar.file(&format!("x/charts/{number}.tgz"), &inner)
        });
        tar.tgz()
    });
    let found = message_of(&packed);
    assert!(
        found.ends_with("hold more than 50000 files or 256 MiB"),
        "{found}"
    );
}

#[test]
fn charts_do_not_nest_without_end() {
    let mut files = vec![ChartFile::new("Chart.yaml", METADATA)];
    let mut folder = String::new();
    for _ in 0..=MAX_CHART_DEPTH {
        folder.push_str("charts/x/");
        files.push(ChartFile::new(format!("{folder}Chart.yaml"), METADATA));
    }
    let found = files_message(files);
    assert!(
        found.ends_with("charts hold charts more than 32 deep"),
        "{found}"
    );

    let chart = |inner: Option<&[u8]>| {
        let tar = Tar::new().file("web/Chart.yaml", METADATA);
        match inner {
            Some(inner) => tar.file("web/charts/x.tgz", inner).tgz(),
            None => tar.tgz(),
        }
    };
    let nested = (0..=MAX_CHART_DEPTH).fold(chart(None), |inner, _| chart(Some(&inner)));
    let found = message_of(&nested);
    assert!(
        found.ends_with("charts hold charts more than 32 deep"),
        "{found}"
    );
    let deep = format!("web/{}x", "charts/".repeat(50_000));
    let by_pax = pax(&[("path", &deep)]);
    let found = message(|tar| tar.entry("x", b'x', &by_pax).file("web/a", "x"));
    assert!(
        found.contains("error unpacking subchart charts in web: "),
        "{found}"
    );
}

#[test]
fn metadata_of_any_size_and_shape_ends() {
    let nested = |open: &str, depth: usize| format!("name: {}", open.repeat(depth));
    let aliases = {
        let mut text = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
        for level in 1..12 {
            let before = level - 1;
            let _ = writeln!(
                text,
                "a{level}: &a{level} [{}]",
                format!("*a{before}, ").repeat(10)
            );
        }
        text
    };
    let names: String = (0..100_000).fold(String::new(), |mut text, number| {
        let _ = writeln!(text, "- {{name: n{number}}}");
        text
    });
    let cases: Vec<(String, &str)> = vec![
        (nested("[", 100_000), "cannot load Chart.yaml: "),
        (nested("{a: ", 100_000), "cannot load Chart.yaml: "),
        (nested("- ", 100_000), "cannot load Chart.yaml: "),
        (aliases, "cannot load Chart.yaml: "),
        ("a: &a {b: *a}".to_owned(), "cannot load Chart.yaml: "),
        ("<<: &a {<<: *a}".to_owned(), "cannot load Chart.yaml: "),
        ("a: *missing".to_owned(), "cannot load Chart.yaml: "),
        ("\0".to_owned(), "cannot load Chart.yaml: "),
        ("name: \u{7}".to_owned(), "cannot load Chart.yaml: "),
        ("'".repeat(1_000_001), "cannot load Chart.yaml: "),
        (
            format!("{METADATA}\n...\n{}", "x".repeat(5 << 20)),
            "loaded",
        ),
        (
            format!(
                "apiVersion: v2\nname: {}/\nversion: 1.0.0",
                "x".repeat(1 << 20)
            ),
            "validation: chart.metadata.name ",
        ),
        (
            format!(
                "apiVersion: v2\nname: a\nversion: 1.0.{}",
                "0".repeat(1 << 20)
            ),
            "validation: chart.metadata.version ",
        ),
        (
            format!(
                "apiVersion: v2\nname: a\nversion: 1.0.0-{}",
                "a.".repeat(1 << 19)
            ),
            "validation: chart.metadata.version ",
        ),
        (
            format!("apiVersion: v2\nname: a\nversion: 1.0.0\ndependencies:\n{names}"),
            "loaded",
        ),
    ];
    for (text, expected) in cases {
        let found = metadata_message(text.clone());
        let start: String = text.chars().take(40).collect();
        assert!(found.starts_with(expected), "{start}: {found:.200}");
    }
    assert!(metadata_message(b"name: \xff\xfe".to_vec()).starts_with("cannot load Chart.yaml: "));
    assert!(metadata_message(b"\xff\xfe\x00\xd8".to_vec()).starts_with("cannot load Chart.yaml: "));
}

#[test]
fn values_of_any_size_and_shape_end() {
    let keys = (0..30_000).fold(String::new(), |mut text, number| {
        let _ = writeln!(text, "k{number}: {number}");
        text
    });
    let documents = "a: {b: {c: 1}}\n---\n".repeat(2_000);
    for good in [keys, documents] {
        assert_eq!(values_message(good), "loaded");
    }
    let items = format!("[{}]", "x,".repeat(1_500_000));
    for wrong in [
        format!("a: {items}"),
        format!("a: {}", "[".repeat(1 << 20)),
        "? ".repeat(100_000),
        "!!x ".repeat(100_000),
        format!("a: \"{}", "\\u0000".repeat(100_000)),
        "--- x\n".to_owned(),
        "a: .nan".to_owned(),
        "[a]: b".to_owned(),
    ] {
        let start: String = wrong.chars().take(40).collect();
        let found = values_message(wrong);
        assert!(
            found.starts_with("cannot load values.yaml: "),
            "{start}: {found:.200}"
        );
    }
}

#[test]
fn lock_files_and_requirements_of_any_shape_end() {
    for path in ["Chart.lock", "requirements.lock", "requirements.yaml"] {
        for text in ["[", "- a", "\0", "a: *b", "dependencies: {a: 1}"] {
            let found = files_message(vec![
                ChartFile::new("Chart.yaml", METADATA),
                ChartFile::new(path, text),
            ]);
            assert!(
                found.starts_with(&format!("cannot load {path}: ")),
                "{found}"
            );
        }
    }
}

#[test]
fn names_of_files_may_be_anything() {
    for path in [
        "",
        "/",
        "charts/",
        "charts//x",
        "charts/x/",
        "templates/",
        "templates/\u{202e}x",
        "charts/\u{0}/Chart.yaml",
        "values.yaml/x",
        "Chart.yaml/",
        "charts/.tgz",
        "charts/..tgz",
    ] {
        let _ = files_message(vec![
            ChartFile::new("Chart.yaml", METADATA),
            ChartFile::new(path, "x"),
        ]);
    }
}

#[test]
fn ignore_rules_of_any_shape_end() {
    let wild = "*a".repeat(10_000);
    let rules = Ignore::parse(wild.as_bytes()).unwrap();
    assert!(!rules.is_ignored(&"a".repeat(5_000), false));
    let many = "x*y*z\n".repeat(10_000);
    let rules = Ignore::parse(many.as_bytes()).unwrap();
    assert!(!rules.is_ignored("xyyyyyyyyyyy", false));
    for wrong in [
        "**".to_owned(),
        "[".repeat(1000),
        "\\".to_owned(),
        "x".repeat(64 << 10),
    ] {
        assert!(Ignore::parse(wrong.as_bytes()).is_err());
    }
}

#[test]
fn any_bytes_are_no_archive() {
    let good = Tar::new()
        .file("web/Chart.yaml", METADATA)
        .file("web/values.yaml", "a: 1")
        .open();
    let packed = gzip(&good);
    // Each byte of the tar, and of its compressed form, turned over.
    for at in 0..good.len() {
        let mut broken = good.clone();
        broken[at] ^= 0xff;
        let _ = read_archive(&gzip(&broken), &ChartLimits::HELM);
    }
    for at in 0..packed.len() {
        for bits in [0xff, 1, 0x80] {
            let mut broken = packed.clone();
            broken[at] ^= bits;
            let _ = message_of(&broken);
        }
    }
}
