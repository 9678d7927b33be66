//! Repositories that lack something, lead elsewhere or send too much; and logins, which stay with
//! the host they are for.

use std::fs;

use anyhow::{Result, ensure};

use crate::{
    locks::{pack, said},
    sandbox,
    site::{Page, Site, chart},
};

const ENTRY: &str = "entries: {web: [{version: 1.0.0, urls: [web.tgz]}]}";

#[test]
fn what_a_repository_lacks_or_exceeds_is_told() -> Result<()> {
    let (sandbox, site) = (sandbox()?, Site::start()?);
    site.offer(&["1.0.0", "1.1.0"])?;
    site.put("/empty/index.yaml", "entries: {}");
    site.put("/gone/index.yaml", ENTRY);
    site.put("/loop/index.yaml", ENTRY);
    site.page("/loop/web.tgz", Page::To("/loop/web.tgz".to_owned()));
    site.page(
        "/large/index.yaml",
        Page::Claimed {
            bytes: (64 << 20) + 1,
        },
    );
    site.put("/heavy/index.yaml", ENTRY);
    site.page(
        "/heavy/web.tgz",
        Page::Claimed {
            bytes: (64 << 20) + 1,
        },
    );
    site.put("/broken/index.yaml", "entries: {web: [");
    site.put(
        "/odd/index.yaml",
        "entries: {web: [{version: 1.0.0, urls: [\"file:///etc/passwd\"]}]}",
    );
    let mut shown = String::new();
    for (path, range) in [
        ("none", "^1"),
        ("empty", "^1"),
        ("stable", "^3"),
        ("gone", "^1"),
        ("loop", "^1"),
        ("large", "^1"),
        ("heavy", "^1"),
        ("broken", "^1"),
        ("odd", "^1"),
    ] {
        pack(
            &sandbox,
            &format!("http://{}/{path}", site.address),
            range,
            "",
        )?;
        shown += &said(&sandbox, &site, "pack build pack")?;
        ensure!(!sandbox.path().join("pack/pack.lock").exists(), "{path}");
    }
    insta::assert_snapshot!(shown);
    Ok(())
}

#[test]
fn logins_stay_with_the_host_of_the_repository() -> Result<()> {
    let (sandbox, site, elsewhere) = (sandbox()?, Site::start()?, Site::start()?);
    elsewhere.put("/web.tgz", chart("1.0.0"));
    elsewhere.put("/led.tgz", chart("1.1.0"));
    site.put(
        "/stable/index.yaml",
        format!(
            "entries: {{web: [{{version: 1.0.0, urls: [\"http://{}/web.tgz\"]}}, {{version: 1.1.0, urls: [led.tgz]}}]}}",
            elsewhere.address
        ),
    );
    site.page(
        "/stable/led.tgz",
        Page::To(format!("http://{}/led.tgz", elsewhere.address)),
    );
    // bWU6c2VjcmV0 is `me:secret`.
    sandbox.write(
        ".docker/config.json",
        format!(
            "{{\"auths\": {{\"{}\": {{\"auth\": \"bWU6c2VjcmV0\"}}}}}}",
            site.address
        ),
    )?;
    for range in ["1.0.0", "1.1.0"] {
        pack(
            &sandbox,
            &format!("http://{}/stable", site.address),
            range,
            "",
        )?;
        let built = sandbox.ok("pack build pack -vv")?;
        ensure!(!built.stderr.contains("secret"), "{}", built.stderr);
        fs::remove_file(sandbox.path().join("pack/pack.lock"))?;
    }
    assert_eq!(
        site.take_logins(),
        [
            "/stable/index.yaml",
            "/stable/index.yaml",
            "/stable/led.tgz"
        ]
    );
    assert_eq!(elsewhere.take_asked(), ["/web.tgz", "/led.tgz"]);
    assert_eq!(elsewhere.take_logins(), [""; 0]);
    Ok(())
}
