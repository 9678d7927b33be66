//! The tree of a distribution registry in a bucket, taken over by the command.

use anyhow::{Result, ensure};
use cairn_spec::Digest;
use cairn_test_s3::{ACCESS_KEY_ID, Operation, S3Server, SECRET_ACCESS_KEY};
use cairn_tests::{Run, Sandbox};
use serde_json::{Value, json};

use crate::{configuration, run_aside};

/// Where distribution's `rootdirectory` is.
const ROOT: &str = "old/docker/registry/v2";

fn put_blob(store: &S3Server, content: &[u8]) -> Digest {
    let digest = Digest::sha256(content);
    let hex = digest.hex();
    let key = format!("{ROOT}/blobs/sha256/{}/{hex}/data", &hex[..2]);
    store.put(&key, content.to_vec());
    digest
}

/// A manifest with one layer; it belongs to the repository.
fn put_manifest(store: &S3Server, repository: &str, layer: &Digest, size: usize) -> Digest {
    let config = put_blob(store, b"{}");
    let manifest = json!({
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": {"mediaType": "a/config", "digest": config, "size": 2},
        "layers": [{"mediaType": "a/layer", "digest": layer, "size": size}],
    });
    let digest = put_blob(store, manifest.to_string().as_bytes());
    let manifests = format!("{ROOT}/repositories/{repository}/_manifests");
    let link = format!("{manifests}/revisions/sha256/{}/link", digest.hex());
    store.put(&link, digest.to_string());
    digest
}

fn put_tag(store: &S3Server, repository: &str, tag: &str, link: String) {
    let tags = format!("{ROOT}/repositories/{repository}/_manifests/tags");
    store.put(&format!("{tags}/{tag}/current/link"), link);
}

fn import(sandbox: &Sandbox, arguments: &str) -> Result<Run> {
    let mut command = sandbox.command();
    command.args(["registry", "import", "-o", "json"]);
    run_aside(command.args(arguments.split_whitespace()))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tree_of_distribution_moves_from_one_bucket_to_another() -> Result<()> {
    let (old, new) = (S3Server::start().await, S3Server::start().await);
    let layer = vec![7; 200_000];
    let layer_digest = put_blob(&old, &layer);
    let app = put_manifest(&old, "team/app", &layer_digest, layer.len());
    put_manifest(&old, "team/app/plugin", &layer_digest, layer.len());
    put_tag(&old, "team/app", "v1", app.to_string());
    put_tag(&old, "team/app", "latest", app.to_string());
    put_tag(&old, "team/app", "crashed", String::new());
    let missing = Digest::sha256(b"missing");
    let broken = put_manifest(&old, "team/broken", &missing, 7);
    let elsewhere = format!(
        "{ROOT}/repositories/team/app/_layers/sha256/{}/link",
        missing.hex()
    );
    old.put(&elsewhere, missing.to_string());

    let sandbox = Sandbox::new(env!("CARGO_BIN_EXE_cairn-under-test"))?;
    let keys = format!(
        "    credentials: {{accessKeyId: {ACCESS_KEY_ID}, secretAccessKey: {SECRET_ACCESS_KEY}}}\n"
    );
    sandbox.write("old.yaml", configuration(&old, &keys))?;
    sandbox.write("new.yaml", configuration(&new, &keys))?;
    let before = old.objects();
    let from = "--from s3://cairn/old --from-config old.yaml";
    let run = import(&sandbox, &format!("{from} --config new.yaml"))?;
    let copied: Value = serde_json::from_str(&run.stdout)?;
    // What is broken is named, and the rest is there.
    ensure!(run.status.code() == Some(7), "{}", run.stderr);
    let skipped = copied["skipped"][0].as_str().unwrap_or_default();
    ensure!(skipped.contains(broken.as_str()), "{copied}");
    ensure!(copied["manifests"] == 2 && copied["tags"] == 2, "{copied}");
    ensure!(copied["blobs"] == 2, "{copied}");
    ensure!(old.objects() == before, "an import only reads");

    // Once more: no blob is read again.
    old.take_requests();
    let run = import(&sandbox, &format!("{from} --config new.yaml"))?;
    let copied: Value = serde_json::from_str(&run.stdout)?;
    ensure!(copied["blobs"] == 0, "{copied}");
    let layer_key = layer_digest.hex();
    let read_again = old.take_requests().iter().any(|request| {
        request.operation == Operation::GetObject && request.target.contains(layer_key)
    });
    ensure!(!read_again);

    let fsck = run_aside(sandbox.command().args([
        "registry",
        "fsck",
        "--read-data",
        "--config",
        "new.yaml",
    ]))?;
    ensure!(fsck.status.success(), "{}{}", fsck.stdout, fsck.stderr);
    // To a folder, and from the bucket by the settings of the registry's own.
    let run = import(&sandbox, &format!("{from} --data folder"))?;
    ensure!(run.status.code() == Some(7), "{}", run.stderr);
    let own = import(&sandbox, "--from s3://cairn/old --config old.yaml")?;
    ensure!(own.status.code() == Some(7), "{}", own.stderr);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bucket_without_a_tree_is_named() -> Result<()> {
    let store = S3Server::start().await;
    let sandbox = Sandbox::new(env!("CARGO_BIN_EXE_cairn-under-test"))?;
    let keys = format!(
        "    credentials: {{accessKeyId: {ACCESS_KEY_ID}, secretAccessKey: {SECRET_ACCESS_KEY}}}\n"
    );
    sandbox.write("registry.yaml", configuration(&store, &keys))?;
    let run = import(&sandbox, "--from s3://cairn/nowhere --config registry.yaml")?;
    ensure!(run.status.code() == Some(7), "{}", run.stderr);
    ensure!(run.stderr.contains("s3://cairn/nowhere/"), "{}", run.stderr);
    sandbox.write("folder.yaml", "storage: {directory: data}\n")?;
    let run = import(
        &sandbox,
        "--from s3://cairn --from-config folder.yaml --data data",
    )?;
    ensure!(run.stderr.contains("names no bucket"), "{}", run.stderr);
    Ok(())
}
