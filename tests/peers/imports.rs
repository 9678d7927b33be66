//! Content that moves over from a distribution registry: its files, or its bucket, are imported,
//! and pulled from ours.

use std::fs;

use anyhow::Result;
use cairn_tests::{RegistryProcess, Sandbox};
use serde_json::Value;

use crate::{
    distribution::Distribution,
    harness::{Meeting, text},
    s3::{ACCESS_KEY, SECRET_KEY, Store},
};

#[test]
#[ignore = "needs distribution, oras and skopeo"]
fn what_was_pushed_to_distribution_is_pulled_from_ours() -> Result<()> {
    let mut meeting = Meeting::new()?;
    let root = meeting.path("theirs");
    fs::create_dir_all(&root)?;
    let storage = format!("{{filesystem: {{rootdirectory: {}}}}}", root.display());
    let theirs = Distribution::start(&meeting.sandbox, "distribution", &storage)?;
    meeting.sandbox.write("hello.txt", "hello\n")?;
    meeting.sandbox.write("large.bin", vec![7; 3_000_000])?;
    let there = format!("{}/team/app", theirs.address);
    let push = format!("push --plain-http {there}:v1 hello.txt:text/plain large.bin:a/b");
    meeting.peer("oras", &push)?;
    let attach = format!(
        "attach --plain-http --artifact-type a/note {there}:v1 hello.txt:text/plain --format json"
    );
    meeting.peer("oras", &attach)?;
    meeting.peer(
        "oras",
        &format!("tag --plain-http {there}:v1 latest stable"),
    )?;
    let copy = format!(
        "copy --src-tls-verify=false --dest-tls-verify=false docker://{there}:v1 docker://{}/other:one",
        theirs.address
    );
    meeting.peer("skopeo", &copy)?;
    drop(theirs);

    meeting.registry.stop()?;
    let imported = meeting
        .sandbox
        .ok("registry import --from theirs --data data -o json")?;
    let imported: Value = serde_json::from_str(&imported.stdout)?;
    assert_eq!(imported["skipped"], Value::Array(Vec::new()));
    assert_eq!(imported["tags"], 5, "{imported}");
    meeting
        .sandbox
        .ok("registry fsck --read-data --data data")?;
    meeting.start_again()?;

    let here = format!("{}/team/app", meeting.address());
    for tag in ["v1", "latest", "stable"] {
        let folder = format!("pulled-{tag}");
        let pull = format!("pull --plain-http {here}:{tag} --output {folder}");
        meeting.peer("oras", &pull)?;
        let pulled = fs::read(meeting.path(&folder).join("large.bin"))?;
        assert_eq!(pulled, vec![7; 3_000_000]);
    }
    // Referrers that distribution kept under a tag are referrers here.
    let found = format!("discover --plain-http --format json {here}:v1");
    let found: Value = serde_json::from_str(&meeting.peer("oras", &found)?)?;
    assert_eq!(text(&found, "/referrers/0/artifactType")?, "a/note");
    let inspect = format!(
        "inspect --tls-verify=false docker://{}/other:one --raw",
        meeting.address()
    );
    assert!(meeting.peer("skopeo", &inspect)?.contains("a/b"));
    Ok(())
}

#[test]
#[ignore = "needs distribution, oras and minio"]
fn what_distribution_kept_in_a_bucket_is_pulled_from_ours() -> Result<()> {
    let sandbox = Sandbox::new(env!("CARGO_BIN_EXE_cairn-under-test"))?;
    let store = Store::minio(&sandbox)?;
    // Both in one bucket, below different prefixes.
    sandbox.write(
        "registry.yaml",
        format!("{}    prefix: ours\n", store.settings()),
    )?;
    let registry = RegistryProcess::start_configured(&sandbox, "registry.yaml")?;
    let meeting = Meeting::at(sandbox, registry)?;
    let storage = format!(
        "{{s3: {{accesskey: {ACCESS_KEY}, secretkey: {SECRET_KEY}, region: us-east-1, regionendpoint: '{}', forcepathstyle: true, secure: false, bucket: cairn, rootdirectory: /theirs}}}}",
        store.endpoint()
    );
    let theirs = Distribution::start(&meeting.sandbox, "distribution", &storage)?;
    meeting.sandbox.write("hello.txt", "hello\n")?;
    meeting.sandbox.write("large.bin", vec![7; 3_000_000])?;
    let there = format!("{}/team/app", theirs.address);
    for name in [":v1", "/plugin:v1"] {
        let push = format!("push --plain-http {there}{name} hello.txt:text/plain large.bin:a/b");
        meeting.peer("oras", &push)?;
    }
    meeting.peer("oras", &format!("tag --plain-http {there}:v1 latest"))?;
    drop(theirs);

    // Our registry may serve meanwhile; once more, there is nothing left to do.
    for blobs in [3, 0] {
        let import = "registry import --from s3://cairn/theirs --config registry.yaml -o json";
        let imported: Value = serde_json::from_str(&meeting.sandbox.ok(import)?.stdout)?;
        assert_eq!(imported["skipped"], Value::Array(Vec::new()));
        assert_eq!(imported["tags"], 3, "{imported}");
        assert_eq!(imported["blobs"], blobs, "{imported}");
    }
    for name in ["team/app:v1", "team/app:latest", "team/app/plugin:v1"] {
        let pull = format!(
            "pull --plain-http {}/{name} --output pulled",
            meeting.address()
        );
        meeting.peer("oras", &pull)?;
        assert_eq!(
            fs::read(meeting.path("pulled/large.bin"))?,
            vec![7; 3_000_000]
        );
    }
    Ok(())
}

#[test]
#[ignore = "needs oras and skopeo"]
fn others_read_what_was_exported() -> Result<()> {
    let mut meeting = Meeting::new()?;
    meeting.sandbox.write("hello.txt", "hello\n")?;
    let here = format!("{}/team/app:v1", meeting.address());
    meeting.peer(
        "oras",
        &format!("push --plain-http {here} hello.txt:text/plain"),
    )?;
    meeting.registry.stop()?;
    meeting
        .sandbox
        .ok("registry export team/app --to layout --data data")?;
    let inspect = "inspect --raw oci:layout:team/app:v1";
    assert!(meeting.peer("skopeo", inspect)?.contains("hello.txt"));
    let copy = "copy oci:layout:team/app:v1 oci:copied:v1";
    meeting.peer("skopeo", copy)?;
    meeting
        .sandbox
        .ok("registry import --from copied --repository mirror/app --data second")?;
    meeting
        .sandbox
        .ok("registry fsck --read-data --data second")?;
    Ok(())
}
