//! The same input gives the same bytes: for anyone, anywhere, at any time.
//!
//! Two people with folders, keys, times, modes and locales of their own must end up with the same
//! digests. What is compared is what the command prints and writes, never an internal of it.

#![cfg(unix)]

use std::{
    fs::{self, File, Permissions},
    os::unix::fs::PermissionsExt as _,
    path::Path,
    process::Command,
    time::{Duration, SystemTime},
};

use anyhow::{Context as _, Result, ensure};
use cairn_spec::Digest;
use cairn_tests::{RegistryProcess, Run, Sandbox, copy_folder, files_below, repository_root, run};
use serde_json::Value;

/// How one person's machine differs from another's.
struct Person {
    umask: &'static str,
    time_zone: &'static str,
    language: &'static str,
    /// When all files were last changed, in seconds since 1970.
    modified_unix_s: u64,
    /// The folder to work in, below the sandbox.
    folder: &'static str,
}

const ANNA: Person = Person {
    umask: "022",
    time_zone: "UTC",
    language: "C",
    modified_unix_s: 1_000_000_000,
    folder: "cairn",
};
const BORIS: Person = Person {
    umask: "077",
    time_zone: "Asia/Kathmandu",
    language: "tr_TR.UTF-8",
    modified_unix_s: 1_900_000_001,
    folder: "a rather/deep folder/with blanks, ünïcode and/its own name",
};

/// A person's checkout, and how the command runs there.
struct Checkout {
    sandbox: Sandbox,
    person: Person,
}

impl Checkout {
    fn new(person: Person) -> Result<Self> {
        let sandbox = Sandbox::new(env!("CARGO_BIN_EXE_cairn-under-test"))?;
        let checkout = Self { sandbox, person };
        for folder in ["packs", "examples"] {
            let to = checkout.path(folder);
            copy_folder(&repository_root().join(folder), &to)?;
            checkout.disguise(&to)?;
        }
        Ok(checkout)
    }

    fn path(&self, below: &str) -> std::path::PathBuf {
        self.sandbox.path().join(self.person.folder).join(below)
    }

    /// Gives files the times that they have on this machine, and the modes of its umask.
    fn disguise(&self, folder: &Path) -> Result<()> {
        let umask = u32::from_str_radix(self.person.umask, 8)?;
        let modified = SystemTime::UNIX_EPOCH + Duration::from_secs(self.person.modified_unix_s);
        for (index, path) in files_below(folder)?.iter().enumerate() {
            let file = File::options().write(true).open(folder.join(path))?;
            file.set_modified(modified + Duration::from_secs(index as u64 * 7))?;
            let is_executable = file.metadata()?.permissions().mode() & 0o100 != 0;
            let mode = if is_executable { 0o777 } else { 0o666 };
            file.set_permissions(Permissions::from_mode(mode & !umask))?;
        }
        Ok(())
    }

    /// Runs `cairn` with this machine's umask, time zone and language.
    fn run(&self, arguments: &str) -> Result<Run> {
        let cairn = self.sandbox.command();
        let mut shell = Command::new("/bin/sh");
        shell
            .args(["-c", "umask \"$0\"; exec \"$@\"", self.person.umask])
            .arg(cairn.get_program())
            .args(arguments.split_whitespace())
            .current_dir(self.path(""))
            .env_clear()
            .env("HOME", self.sandbox.path())
            .env("TZ", self.person.time_zone)
            .env("LANG", self.person.language)
            .env("LC_ALL", self.person.language)
            .stdin(std::process::Stdio::null());
        run(&mut shell)
    }

    fn ok(&self, arguments: &str) -> Result<Run> {
        let run = self.run(arguments)?;
        ensure!(
            run.status.success(),
            "`cairn {arguments}` ended with {}:\n{}{}",
            run.status,
            run.stdout,
            run.stderr
        );
        Ok(run)
    }

    fn read(&self, path: &str) -> Result<String> {
        fs::read_to_string(self.path(path)).with_context(|| format!("failed to read `{path}`"))
    }

    /// Serves what the quickstart left behind.
    fn registry(&self) -> Result<RegistryProcess> {
        let data = self.path(".cairn/registry");
        RegistryProcess::start(&self.sandbox, &data.display().to_string())
    }

    fn lock_without_signers(&self, path: &str) -> Result<serde_yaml::Value> {
        let mut lock: serde_yaml::Value = serde_yaml::from_str(&self.read(path)?)?;
        let packs = lock["packs"].as_sequence_mut().context("no packs")?;
        for pack in packs {
            let signers = pack
                .as_mapping_mut()
                .and_then(|pack| pack.remove("signers"));
            ensure!(signers.is_some(), "a pack has no signers");
        }
        Ok(lock)
    }
}

/// Everything in a folder, by path, with the executable bit.
fn content(folder: &Path) -> Result<Vec<(String, bool, Digest)>> {
    files_below(folder)?
        .into_iter()
        .map(|path| {
            let mode = fs::metadata(folder.join(&path))?.permissions().mode();
            let digest = Digest::sha256(&fs::read(folder.join(&path))?);
            Ok((path.display().to_string(), mode & 0o100 != 0, digest))
        })
        .collect()
}

#[test]
fn two_people_build_the_same_and_a_second_run_changes_nothing() -> Result<()> {
    let people = [Checkout::new(ANNA)?, Checkout::new(BORIS)?];
    for person in &people {
        let first = person.ok("quickstart --once --port 0")?;
        assert!(
            !first.stdout.contains("nothing changed"),
            "{}",
            first.stdout
        );
    }
    let [anna, boris] = &people;

    let digests = anna.read(".cairn/quickstart.digests")?;
    assert_eq!(digests, boris.read(".cairn/quickstart.digests")?);
    let packs = digests.lines().filter(|line| line.contains(" packs/"));
    assert_eq!(packs.count(), 14, "{digests}");
    assert!(digests.contains(" bundles/shop-17"), "{digests}");
    assert_eq!(content(&anna.path("out"))?, content(&boris.path("out"))?);

    let key = |person: &Checkout| person.read(".cairn/keys/quickstart.pub");
    assert_ne!(key(anna)?, key(boris)?);
    let lock = ".cairn/quickstart.lock";
    assert_ne!(anna.read(lock)?, boris.read(lock)?);
    assert_eq!(
        anna.lock_without_signers(lock)?,
        boris.lock_without_signers(lock)?
    );

    let before = content(&anna.path("out"))?;
    let again = anna.ok("quickstart --once --port 0")?;
    assert!(again.stdout.contains("nothing changed"), "{}", again.stdout);
    assert!(again.stderr.contains("0 newly signed"), "{}", again.stderr);
    assert_eq!(before, content(&anna.path("out"))?);
    assert_eq!(digests, anna.read(".cairn/quickstart.digests")?);
    Ok(())
}

#[test]
fn bundles_are_the_same_and_verify_until_a_byte_changes() -> Result<()> {
    let people = [Checkout::new(ANNA)?, Checkout::new(BORIS)?];
    let mut built: Vec<Vec<String>> = Vec::new();
    for person in &people {
        person.ok("quickstart --once --port 0")?;
        let registry = person.registry()?;
        let mut digests = Vec::new();
        for (profile, cluster) in [
            ("edge", "shop-17"),
            ("edge", "shop-23"),
            ("datacenter", "frankfurt"),
            ("datacenter", "oregon"),
        ] {
            let inputs = format!(
                "examples/{profile}/profile.yaml --cluster examples/{profile}/clusters/{cluster}.yaml --registry default=oci://{}/packs",
                registry.address
            );
            let run = person.ok(&format!(
                "profile build {inputs} --output bundles/{cluster} -o json"
            ))?;
            let result: Value = serde_json::from_str(&run.stdout)?;
            let digest = result["digest"].as_str().context("no digest")?;
            digests.push(digest.to_owned());

            let verify = format!("bundle verify {inputs} --bundle bundles/{cluster} --rebuild");
            let whole = person.ok(&verify)?;
            assert!(whole.stdout.contains("reproducible"), "{}", whole.stdout);
            assert!(whole.stdout.contains(digest), "{}", whole.stdout);
            change_a_manifest(&person.path(&format!("bundles/{cluster}")))?;
            let changed = person.run(&verify)?;
            assert_eq!(changed.status.code(), Some(5), "{}", changed.stderr);
            assert!(changed.stderr.contains("manifests/"), "{}", changed.stderr);
        }
        built.push(digests);
    }
    assert_eq!(built[0], built[1]);
    for profile in ["edge", "datacenter"] {
        let lock = format!("examples/{profile}/profile.lock");
        assert_eq!(
            people[0].lock_without_signers(&lock)?,
            people[1].lock_without_signers(&lock)?
        );
    }
    Ok(())
}

/// Changes one bit in the middle of one manifest.
fn change_a_manifest(bundle: &Path) -> Result<()> {
    let manifests = bundle.join("manifests");
    let paths = files_below(&manifests)?;
    let path = manifests.join(&paths[paths.len() / 2]);
    let mut bytes = fs::read(&path)?;
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    Ok(fs::write(&path, bytes)?)
}

/// What `bundle verify` finds without rebuilding, and what only `--rebuild` finds.
#[test]
fn a_bundle_whose_checksums_were_forged_along_is_found_by_rebuilding() -> Result<()> {
    let anna = Checkout::new(ANNA)?;
    anna.ok("quickstart --once --port 0")?;
    let registry = anna.registry()?;
    let inputs = format!(
        "examples/edge/profile.yaml --cluster examples/edge/clusters/shop-17.yaml --lock .cairn/quickstart.lock --registry default=oci://{}/packs",
        registry.address
    );
    anna.ok(&format!("bundle verify {inputs} --rebuild"))?;
    let path = files_below(&anna.path("out/manifests"))?[0].clone();
    let path = format!("manifests/{}", path.display());
    let old = anna.read(&format!("out/{path}"))?;
    let new = format!("{old}# harmless\n");
    fs::write(anna.path(&format!("out/{path}")), &new)?;
    let checked = anna.run("bundle verify")?;
    assert_eq!(checked.status.code(), Some(5), "{}", checked.stderr);

    let hash = |text: &str| Digest::sha256(text.as_bytes()).hex().to_owned();
    for file in files_below(&anna.path("out"))? {
        let file = anna.path("out").join(file);
        if let Ok(text) = fs::read_to_string(&file) {
            fs::write(&file, text.replace(&hash(&old), &hash(&new)))?;
        }
    }
    let rebuilt = anna.run(&format!("bundle verify {inputs} --rebuild"))?;
    assert_eq!(rebuilt.status.code(), Some(5), "{}", rebuilt.stderr);
    Ok(())
}

#[test]
fn a_pack_has_the_digest_that_the_vector_records() -> Result<()> {
    let vectors = repository_root().join("spec/vectors/packs");
    let expected: Value = serde_json::from_slice(&fs::read(vectors.join("hello.json"))?)?;
    for person in [ANNA, BORIS] {
        let checkout = Checkout::new(person)?;
        let pack = checkout.path("elsewhere/not-its-name");
        copy_folder(&vectors.join("hello"), &pack)?;
        checkout.disguise(&pack)?;
        // What editors and file managers leave behind is not part of a pack.
        fs::write(pack.join(".hidden"), "x")?;
        fs::create_dir(pack.join("empty"))?;

        let run = checkout.ok("pack build elsewhere/not-its-name --output layout -o json")?;
        let built: Value = serde_json::from_str(&run.stdout)?;
        assert_eq!(built["digest"], expected["digest"], "{built}");
        let blob = |digest: &str| {
            let path = format!("layout/blobs/{}", digest.replace(':', "/"));
            fs::read(checkout.path(&path)).with_context(|| format!("no `{path}`"))
        };
        let digest = built["digest"].as_str().context("no digest")?;
        let manifest = blob(digest)?;
        assert_eq!(
            String::from_utf8_lossy(&manifest),
            fs::read_to_string(vectors.join("hello.manifest.json"))?
        );
        let manifest: Value = serde_json::from_slice(&manifest)?;
        let config = blob(manifest["config"]["digest"].as_str().unwrap_or_default())?;
        assert_eq!(
            String::from_utf8_lossy(&config),
            fs::read_to_string(vectors.join("hello.config.json"))?
        );
        let config: Value = serde_json::from_slice(&config)?;
        assert_eq!(config["diffId"], expected["diffId"]);
        assert_eq!(manifest["config"]["digest"], expected["config"]);
        let layers = manifest["layers"].as_array().context("no layers")?;
        let layers: Vec<&Value> = layers.iter().map(|layer| &layer["digest"]).collect();
        assert_eq!(serde_json::to_value(layers)?, expected["layers"]);
    }
    Ok(())
}
