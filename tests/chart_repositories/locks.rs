//! `pack.lock`: the first build writes it, the next ones hold to it, and what forbids to choose or
//! to ask says so.

use std::fs;

use anyhow::{Result, ensure};
use cairn_spec::Digest;
use cairn_tests::Sandbox;

use crate::{
    code, sandbox,
    site::{Site, chart},
};

/// Writes a pack with the chart `web` of a repository; `pinned` stands in its entry.
pub(crate) fn pack(sandbox: &Sandbox, repository: &str, range: &str, pinned: &str) -> Result<()> {
    sandbox.write(
        "pack/pack.yaml",
        format!("apiVersion: cairn.dev/v1\nkind: Pack\nmetadata: {{name: shop, version: 1.0.0}}\nspec:\n  layer: addon\n  namespace: shop\n  charts: [{{name: web, repository: \"{repository}\", version: \"{range}\"{pinned}}}]\n"),
    )?;
    sandbox.write("pack/values.yaml", "charts: {web: {replicas: 3}}\n")
}

/// What a command says, and how it ends.
pub(crate) fn said(sandbox: &Sandbox, site: &Site, arguments: &str) -> Result<String> {
    let run = sandbox.run(arguments)?;
    Ok(format!(
        "=== {arguments} ({})\n{}\n",
        code(&run),
        run.stderr.replace(&site.address, "HOST")
    ))
}

fn forget_archives(sandbox: &Sandbox) -> Result<()> {
    Ok(fs::remove_dir_all(sandbox.path().join(".cache/cairn"))?)
}

#[test]
fn the_first_build_locks_and_the_next_one_verifies() -> Result<()> {
    let (sandbox, site) = (sandbox()?, Site::start()?);
    site.offer(&["1.0.0", "1.1.0"])?;
    pack(
        &sandbox,
        &format!("http://{}/stable", site.address),
        "^1",
        "",
    )?;
    sandbox.ok("pack build pack")?;
    let lock = fs::read_to_string(sandbox.path().join("pack/pack.lock"))?;
    let digest = Digest::sha256(&chart("1.1.0"));
    insta::assert_snapshot!(lock.replace(&site.address, "HOST").replace(digest.as_str(), "DIGEST"), @"
        # Written by `cairn pack build`; commit it.
        apiVersion: cairn.dev/v1
        kind: PackLock
        charts:
        - digest: DIGEST
          name: web
          range: ^1
          repository: http://HOST/stable
          version: 1.1.0
        ");
    site.take_asked();

    // Without the archive it is fetched anew, and must be the same; nothing newer is chosen.
    forget_archives(&sandbox)?;
    site.offer(&["1.1.0", "1.2.0"])?;
    sandbox.ok("pack build pack --locked")?;
    assert_eq!(
        site.take_asked(),
        ["/stable/index.yaml", "/stable/archives/web-1.1.0.tgz"]
    );
    assert_eq!(
        fs::read_to_string(sandbox.path().join("pack/pack.lock"))?,
        lock
    );

    // Other content under the locked version, which the index vouches for, is refused.
    forget_archives(&sandbox)?;
    let changed = chart("1.1.0+other");
    let found = Digest::sha256(&changed);
    site.put("/stable/archives/web-1.1.0.tgz", changed);
    site.put(
        "/stable/index.yaml",
        format!(
            "entries: {{web: [{{version: 1.1.0, digest: {}, urls: [archives/web-1.1.0.tgz]}}]}}",
            found.hex()
        ),
    );
    for command in ["build", "lint", "test"] {
        let refused = sandbox.run(&format!("pack {command} pack"))?;
        assert_eq!(code(&refused), 5, "{command}: {}", refused.stderr);
        for named in [digest.as_str(), found.as_str()] {
            ensure!(
                refused.stderr.contains(named),
                "{named}: {}",
                refused.stderr
            );
        }
    }
    assert_eq!(
        fs::read_to_string(sandbox.path().join("pack/pack.lock"))?,
        lock
    );
    Ok(())
}

#[test]
fn what_is_pinned_in_the_pack_counts_before_there_is_a_lock() -> Result<()> {
    let (sandbox, site) = (sandbox()?, Site::start()?);
    site.offer(&["1.0.0"])?;
    let repository = format!("http://{}/stable", site.address);
    let (wanted, found) = (Digest::sha256(b"wanted"), Digest::sha256(&chart("1.0.0")));
    pack(
        &sandbox,
        &repository,
        "1.0.0",
        &format!(", digest: \"{wanted}\""),
    )?;
    let refused = sandbox.run("pack build pack")?;
    assert_eq!(code(&refused), 5, "{}", refused.stderr);
    for named in [wanted.as_str(), found.as_str()] {
        ensure!(
            refused.stderr.contains(named),
            "{named}: {}",
            refused.stderr
        );
    }
    ensure!(!sandbox.path().join("pack/pack.lock").exists());
    // The right one, once fetched, needs no network even without the lock.
    pack(
        &sandbox,
        &repository,
        "1.0.0",
        &format!(", digest: \"{found}\""),
    )?;
    sandbox.ok("pack build pack")?;
    fs::remove_file(sandbox.path().join("pack/pack.lock"))?;
    site.take_asked();
    sandbox.ok("pack build pack --offline")?;
    assert_eq!(site.take_asked(), [""; 0]);
    Ok(())
}

#[test]
fn what_forbids_to_choose_or_to_ask_says_so() -> Result<()> {
    let (sandbox, site) = (sandbox()?, Site::start()?);
    site.offer(&["1.0.0", "2.0.0"])?;
    let repository = format!("http://{}/stable", site.address);
    pack(&sandbox, &repository, "^1", "")?;
    let mut shown = String::new();
    let mut refuse = |arguments: &str| -> Result<()> {
        shown += &said(&sandbox, &site, arguments)?;
        Ok(())
    };
    for command in ["build", "lint", "test"] {
        refuse(&format!("pack {command} pack --locked"))?;
        refuse(&format!("pack {command} pack --offline"))?;
    }
    assert_eq!(site.take_asked(), [""; 0]);
    sandbox.ok("pack build pack")?;
    // A range that the lock does not fit.
    pack(&sandbox, &repository, "^2", "")?;
    refuse("pack build pack --locked")?;
    refuse("pack build pack --locked --offline")?;
    // Back again: the lock still fits, and the archive is in the cache.
    pack(&sandbox, &repository, "^1", "")?;
    site.take_asked();
    sandbox.ok("pack build pack --locked --offline")?;
    sandbox.ok("pack test pack --locked --offline")?;
    assert_eq!(site.take_asked(), [""; 0]);
    // The archive is gone from the cache.
    forget_archives(&sandbox)?;
    refuse("pack build pack --locked --offline")?;
    insta::assert_snapshot!(shown);
    Ok(())
}

#[test]
fn a_cached_archive_that_was_changed_is_not_used() -> Result<()> {
    let (sandbox, site) = (sandbox()?, Site::start()?);
    site.offer(&["1.0.0"])?;
    pack(
        &sandbox,
        &format!("http://{}/stable", site.address),
        "^1",
        "",
    )?;
    let first = sandbox.ok("pack build pack -o name")?.stdout;
    let digest = Digest::sha256(&chart("1.0.0"));
    let cached = sandbox
        .path()
        .join(".cache/cairn/charts/sha256")
        .join(digest.hex());
    fs::write(&cached, "tampered")?;
    let refused = sandbox.run("pack build pack --offline")?;
    ensure!(refused.stderr.contains("offline"), "{}", refused.stderr);
    assert_eq!(sandbox.ok("pack build pack -o name")?.stdout, first);
    assert_eq!(fs::read(&cached)?, chart("1.0.0"));
    Ok(())
}
