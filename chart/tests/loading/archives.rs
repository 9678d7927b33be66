//! Packed charts: what is read, and what is refused.

use cairn_chart::{ChartLimits, load_archive, read_archive};
use cairn_spec::{Origins, Sources};

use crate::{
    METADATA,
    tars::{Tar, gzip, header, pax, seal},
};

/// The paths and sizes of the files, or the message.
fn read(packed: &[u8]) -> String {
    match read_archive(packed, &ChartLimits::HELM) {
        Ok(files) => {
            let files = files.iter();
            let files = files.map(|file| format!("{}:{}", file.path, file.length()));
            files.collect::<Vec<_>>().join(" ")
        }
        Err(error) => format!("! {}", error.helm_message()),
    }
}

#[test]
fn files_are_read_in_their_order() {
    let tar = Tar::new()
        .entry("web/", b'5', b"")
        .file("web/values.yaml", "\u{feff}a: 1")
        .file("web/Chart.yaml", METADATA)
        .file("web/templates/a.yaml", "")
        .tgz();
    assert_eq!(read(&tar), "values.yaml:4 Chart.yaml:43 templates/a.yaml:0");
}

#[test]
fn kinds_of_entries_are_told_apart_as_in_go() {
    let cases = [
        // Links are empty files, and their size is that of the file they lead to.
        (Tar::new().entry("web/link", b'2', b""), "link:0"),
        (Tar::new().entry("web/hard", b'1', b""), "hard:0"),
        (
            Tar::new().raw(&header(b"web/link", b'2', 5)),
            "! decompressed chart is larger than the maximum size 104857600",
        ),
        (Tar::new().entry("web/fifo", b'6', b""), "fifo:0"),
        (Tar::new().entry("web/odd", b'Z', b"abc"), "odd:3"),
        (Tar::new().entry("web/old", 0, b"abc"), "old:3"),
        (
            Tar::new().entry("web/old/", 0, b""),
            "! no files in chart archive",
        ),
        (
            Tar::new().entry("web/sparse", b'S', b"abc"),
            "! archive/tar: invalid tar header",
        ),
        (
            Tar::new()
                .entry("g", b'g', &pax(&[("comment", "x")]))
                .file("web/a", "1"),
            "a:1",
        ),
        (
            Tar::new()
                .entry("x", b'x', &pax(&[("path", "web/b")]))
                .file("web/a", "1"),
            "b:1",
        ),
        (
            Tar::new()
                .entry("x", b'x', &pax(&[("size", "2")]))
                .file("web/a", "12"),
            "a:2",
        ),
        (
            Tar::new().entry("x", b'x', b"5 a=b\n").file("web/a", "1"),
            "! archive/tar: invalid tar header",
        ),
        (
            Tar::new()
                .entry("x", b'x', &pax(&[("GNU.sparse.map", "0,1")]))
                .file("web/a", "1"),
            "! archive/tar: invalid tar header",
        ),
        (
            Tar::new()
                .entry("L", b'L', b"web/long\0")
                .file("web/a", "1"),
            "long:1",
        ),
        (
            Tar::new()
                .entry("K", b'K', b"target\0")
                .entry("web/a", b'2', b""),
            "a:0",
        ),
        (
            Tar::new().raw(&header(b"L", b'L', 2 << 20)),
            "! unexpected EOF",
        ),
        (
            Tar::new().entry("L", b'L', &vec![b'x'; 2 << 20]),
            "! archive/tar: header field too long",
        ),
    ];
    for (tar, expected) in cases {
        assert_eq!(read(&tar.tgz()), expected);
    }
}

#[test]
fn headers_of_all_writers_are_read() {
    let mut prefixed = header(b"a.yaml", b'0', 1);
    prefixed[345..358].copy_from_slice(b"web/templates");
    seal(&mut prefixed);
    let mut v7 = header(b"web/v7", b'0', 1);
    v7[257..265].fill(0);
    seal(&mut v7);
    let mut gnu = header(b"web/gnu", b'0', 1);
    gnu[257..265].copy_from_slice(b"ustar  \0");
    gnu[329..345].fill(0);
    seal(&mut gnu);
    let mut star = header(b"star", b'0', 1);
    star[345..348].copy_from_slice(b"web");
    star[508..512].copy_from_slice(b"tar\0");
    seal(&mut star);
    let mut binary = header(b"web/binary", b'0', 1);
    binary[124..136].copy_from_slice(b"\x80\0\0\0\0\0\0\0\0\0\0\x01");
    seal(&mut binary);
    let tar = [prefixed, v7, gnu, star, binary]
        .iter()
        .fold(Tar::new(), |tar, header| tar.raw(header).content(b"x"));
    assert_eq!(
        read(&tar.tgz()),
        "templates/a.yaml:1 v7:1 gnu:1 star:1 binary:1"
    );
}

#[test]
fn what_is_cut_off_is_refused() {
    let tar = Tar::new()
        .file("web/Chart.yaml", METADATA)
        .file("web/a", "b")
        .open();
    // The zeros at the end may be missing, and so may be the padding.
    assert_eq!(read(&gzip(&tar)), "Chart.yaml:43 a:1");
    assert_eq!(read(&gzip(&tar[..tar.len() - 511])), "Chart.yaml:43 a:1");
    assert_eq!(read(&gzip(&tar[..tar.len() - 512])), "! unexpected EOF");
    assert_eq!(read(&gzip(&tar[..530])), "! unexpected EOF");
    assert_eq!(read(&gzip(&tar[..200])), "! unexpected EOF");
    let mut one_zero_block = tar.clone();
    one_zero_block.resize(tar.len() + 512, 0);
    assert_eq!(read(&gzip(&one_zero_block)), "Chart.yaml:43 a:1");
    one_zero_block.extend(header(b"web/c", b'0', 0));
    assert_eq!(
        read(&gzip(&one_zero_block)),
        "! archive/tar: invalid tar header"
    );

    let packed = gzip(&tar);
    for length in 0..packed.len() {
        let found = read(&packed[..length]);
        assert!(found.starts_with("! "), "{length}: {found}");
    }
    assert_eq!(read(b""), "! EOF");
    assert_eq!(read(&packed[..9]), "! unexpected EOF");
    assert_eq!(read(b"this is no gzip"), "! gzip: invalid header");
    assert_eq!(read(&gzip(b"")), "! no files in chart archive");
}

#[test]
fn what_is_damaged_is_refused() {
    let packed = Tar::new().file("web/Chart.yaml", METADATA).tgz();
    // Go stops at the end of the tar, before it sees the checksum, unless the tar has no end.
    let open = Tar::new().file("web/Chart.yaml", METADATA).open();
    let mut unread = gzip(&open);
    let at = unread.len() - 5;
    unread[at] ^= 1;
    assert_eq!(read(&unread), "! gzip: invalid checksum");
    let mut damaged = packed;
    // A block of a type that does not exist.
    damaged[10] = 0xff;
    assert!(read(&damaged).starts_with("! flate: corrupt input before offset "));
}

#[test]
fn members_of_gzip_are_read_one_after_the_other() {
    let tar = Tar::new()
        .file("web/Chart.yaml", METADATA)
        .file("web/a", "b");
    let mut tar = tar.open();
    tar.resize(tar.len() + 1024, 0);
    let (first, second) = tar.split_at(700);
    let mut packed = gzip(first);
    packed.extend(gzip(second));
    assert_eq!(read(&packed), "Chart.yaml:43 a:1");
    // What follows the end of the tar is not looked at.
    packed.extend(b"garbage");
    assert_eq!(read(&packed), "Chart.yaml:43 a:1");
    let mut early = gzip(first);
    early.extend(b"garbage behind it");
    assert_eq!(read(&early), "! gzip: invalid header");
}

/// What `helm template` says of a file.
fn load(bytes: &[u8], name: &str) -> String {
    match load_archive(bytes, name, &mut Sources::new(), &mut Origins::new()) {
        Ok(chart) => chart.name().to_owned(),
        Err(error) => error.helm_message().to_owned(),
    }
}

#[test]
fn files_that_are_no_charts_are_called_what_they_are() {
    assert_eq!(
        load(&Tar::new().file("web/Chart.yaml", METADATA).tgz(), "a.tgz"),
        "web"
    );
    assert_eq!(
        load(b"a: 1", "values.yaml"),
        "file 'values.yaml' seems to be a YAML file, but expected a gzipped archive"
    );
    assert_eq!(
        load(b"a: 1", "a.txt"),
        "file 'a.txt' does not appear to be a gzipped archive; got 'application/octet-stream'"
    );
    assert_eq!(
        load("text ".repeat(200).as_bytes(), "a.txt"),
        "file 'a.txt' does not appear to be a gzipped archive; got 'text/plain; charset=utf-8'"
    );
    assert_eq!(
        load(&gzip(b"no tar"), "a.tgz"),
        "unable to load chart archive"
    );
    assert_eq!(
        load(&Tar::new().file("web/values.yaml", "a: 1").tgz(), "a.tgz"),
        "unable to detect chart version, no Chart.yaml found"
    );
    assert_eq!(
        load(
            &Tar::new().file("web/Chart.yaml", "apiVersion: v7").tgz(),
            "a.tgz"
        ),
        "unsupported chart version"
    );
}

#[test]
fn archives_within_charts_are_unpacked() {
    let inner = Tar::new()
        .file(
            "db/Chart.yaml",
            "{apiVersion: v2, name: db, version: 0.1.0}",
        )
        .file("db/templates/a.yaml", "kind: A")
        .tgz();
    let outer = Tar::new()
        .file("web/Chart.yaml", METADATA)
        .file("web/charts/db-0.1.0.tgz", inner)
        .tgz();
    let (mut sources, mut origins) = (Sources::new(), Origins::new());
    let chart = load_archive(&outer, "web.tgz", &mut sources, &mut origins).unwrap();
    let template = sources.get(chart.dependencies[0].templates[0].source);
    assert_eq!(
        &*template.name,
        "web.tgz/charts/db-0.1.0.tgz/templates/a.yaml"
    );
}
