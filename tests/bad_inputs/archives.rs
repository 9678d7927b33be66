//! Packs whose archive is hostile: it leaves its folder, never ends, or is no archive.

use cairn_spec::gzip;
use insta::assert_snapshot;
use tar::EntryType;

use crate::{
    case::{Case, INVALID_INPUT, PACK},
    hostile::{Entry, content_of, pack_of, push, tar_of},
};

/// Pulls a pack with this content layer.
fn pulled(content: Vec<u8>) -> String {
    let case = Case::empty().registry();
    push(
        &format!("{}/packs/evil:1.0.0", case.address()),
        &pack_of(content),
    );
    case.refused(
        "pack pull @/packs/evil:1.0.0 --insecure-skip-verify",
        INVALID_INPUT,
    )
}

fn entries(entries: &[Entry]) -> String {
    pulled(content_of(entries))
}

#[test]
fn path_that_climbs() {
    assert_snapshot!(entries(&[Entry::file("../../evil.sh", "#!/bin/sh\n")]));
}

#[test]
fn path_that_climbs_within() {
    assert_snapshot!(entries(&[Entry::file(
        "templates/../../evil.sh",
        "#!/bin/sh\n"
    )]));
}

#[test]
fn absolute_path() {
    assert_snapshot!(entries(&[Entry::file("/etc/cron.d/evil", "* * * * *")]));
}

#[test]
fn path_with_a_backslash() {
    assert_snapshot!(entries(&[Entry::file("..\\evil.bat", "@echo off")]));
}

#[test]
fn path_with_a_control_character() {
    assert_snapshot!(entries(&[Entry::file("templates/\u{1b}[2Jevil", "")]));
}

#[test]
fn path_that_is_no_text() {
    assert_snapshot!(entries(&[Entry::file(b"manifests/\xff.yaml", "")]));
}

#[test]
fn symbolic_link() {
    assert_snapshot!(entries(&[Entry::special("README.md", EntryType::Symlink)]));
}

#[test]
fn hard_link() {
    assert_snapshot!(entries(&[Entry::special("README.md", EntryType::Link)]));
}

#[test]
fn device() {
    assert_snapshot!(entries(&[Entry::special("host/disk", EntryType::Block)]));
}

#[test]
fn file_where_another_has_its_folder() {
    assert_snapshot!(entries(&[
        Entry::file("host", "a file"),
        Entry::file("host/motd", "hi"),
    ]));
}

#[test]
fn same_file_twice() {
    assert_snapshot!(entries(&[
        Entry::file("pack.yaml", PACK),
        Entry::file("pack.yaml", PACK),
    ]));
}

#[test]
fn files_that_differ_in_letter_case() {
    assert_snapshot!(entries(&[
        Entry::file("pack.yaml", PACK),
        Entry::file("Pack.yaml", PACK),
    ]));
}

#[test]
fn bomb_of_zeros() {
    // Members of a gzip stream are read one after the other: ten small ones make 320 MiB.
    let member = gzip(&vec![0; 32 << 20]);
    assert_snapshot!(pulled(member.repeat(10)));
}

#[test]
fn bomb_of_one_file() {
    assert_snapshot!(entries(&[Entry::file("README.md", "").claiming(1 << 40)]));
}

#[test]
fn bomb_of_many_files() {
    let files: Vec<Entry> = (0..=10_000)
        .map(|index| Entry::file(format!("manifests/{index}.yaml"), ""))
        .collect();
    assert_snapshot!(entries(&files));
}

#[test]
fn archive_that_ends_early() {
    let mut tar = tar_of(&[Entry::file("README.md", "hello").claiming(5000)]);
    tar.truncate(1024);
    assert_snapshot!(pulled(gzip(&tar)));
}

#[test]
fn gzip_that_ends_early() {
    let mut content = content_of(&[Entry::file("pack.yaml", PACK)]);
    content.truncate(content.len() / 2);
    assert_snapshot!(pulled(content));
}

#[test]
fn neither_gzip_nor_tar() {
    assert_snapshot!(pulled(b"PK\x03\x04 a zip file".to_vec()));
}

#[test]
fn gzip_of_no_tar() {
    assert_snapshot!(pulled(gzip(&[b'x'; 2048])));
}

#[test]
fn hostile_archive_in_a_profile() {
    let case = Case::empty().registry();
    let address = case.address().to_owned();
    push(
        &format!("{address}/packs/evil:1.0.0"),
        &pack_of(content_of(&[Entry::file("../../evil.sh", "#!/bin/sh\n")])),
    );
    let case = case.file(
        "profile.yaml",
        crate::case::PROFILE.replace("path: web", "pack: evil\n      version: ^1")
            + &format!("  registries:\n    - {{name: default, url: \"oci://{address}/packs\"}}\n"),
    );
    assert_snapshot!(case.refused("profile build --insecure-skip-verify", INVALID_INPUT));
}
