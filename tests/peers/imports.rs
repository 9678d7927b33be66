//! Content that moves over from a distribution registry: its files are imported, and pulled from
//! ours.

use std::fs;

use anyhow::Result;
use serde_json::Value;

use crate::{
    distribution::Distribution,
    harness::{Meeting, text},
};

#[test]
#[ignore = "needs distribution, oras and skopeo"]
fn what_was_pushed_to_distribution_is_pulled_from_ours() -> Result<()> {
    let mut meeting = Meeting::new()?;
    let theirs = Distribution::start(&meeting.sandbox, "distribution")?;
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
