//! Which version of a pack is taken, what the lock keeps, and how profiles stack.

use cairn_compiler::LockMode;
use insta::assert_snapshot;

use crate::world::{World, layers, reported};

const VERSIONS: &str = "\
=== p@1.0.0/values.yaml
{}
=== p@1.2.0/values.yaml
{}
=== p@2.0.0-rc.1/values.yaml
{}
";

fn profile(range: &str) -> String {
    format!("=== profile\nlayers: [{{name: a, pack: p, version: '{range}'}}]\n")
}

#[test]
fn the_highest_version_is_taken() {
    let taken = |range: &str| layers(&World::new(&(profile(range) + VERSIONS)));
    assert_snapshot!(taken("*"), @"a (addon) p 1.2.0");
    assert_snapshot!(taken(">=2.0.0-rc.0"), @"a (addon) p 2.0.0-rc.1");
    assert_snapshot!(taken("^3"), @"
    error[pack-version] no version of `p` in registry `default` matches `^3`
      at profile.yaml:5:40
      hint: the newest are 2.0.0-rc.1, 1.2.0, 1.0.0
    ");
    assert_snapshot!(reported("=== profile\nlayers: [{name: a, pack: p, version: '^1'}, {name: b, pack: q, version: '^1'}]\n=== p@1.0.0-rc.1/values.yaml\n{}\n"), @"
    error[pack-version] no version of `p` in registry `default` matches `^1`
      at profile.yaml:5:40
      hint: there are only pre-releases: 1.0.0-rc.1; name one to allow them
    error[pack-version] no version of `q` in registry `default` matches `^1`
      at profile.yaml:5:75
      hint: `q` has no versions at oci://one/packs: push one with `cairn pack push`
    ");
}

#[test]
fn the_lock_is_kept_until_the_range_changes_or_an_update() {
    let old = profile("^1") + "=== p@1.0.0/values.yaml\n{}\n";
    let lock = World::new(&old).build().lock.unwrap();
    assert_snapshot!(lock, @"
    # Written by `cairn profile build`; commit it. Change it with `cairn profile update`.
    apiVersion: cairn.dev/v1
    kind: Lock
    packs:
    - diffId: sha256:6fbaf2cd259f38f0a0f558698e4a695dbbac4e843350c147e17298214b483b12
      digest: sha256:6fbaf2cd259f38f0a0f558698e4a695dbbac4e843350c147e17298214b483b12
      name: p
      range: ^1
      registry: default
      requiredBy:
      - a
      version: 1.0.0
    profile: shop
    ");
    let world = |range: &str| World::new(&format!("{}=== lock\n{lock}{VERSIONS}", profile(range)));
    assert_snapshot!(layers(&world("^1")), @"a (addon) p 1.0.0");
    assert_snapshot!(layers(&world(">=1")), @"a (addon) p 1.2.0");
    assert_snapshot!(layers(&world("^1").locked(LockMode::Locked)), @"a (addon) p 1.0.0");
    assert_snapshot!(layers(&world(">=1").locked(LockMode::Locked)), @"
    error[lock-stale] the lock has no version of `p` for `>=1`
      at profile.yaml:5:40
      hint: run `cairn profile update` and commit `profile.lock`
    ");
    assert_snapshot!(layers(&world("^1").locked(LockMode::Update(Vec::new()))), @"a (addon) p 1.2.0");
    assert_snapshot!(layers(&world("^1").locked(LockMode::Update(vec!["q".parse().unwrap()]))), @"a (addon) p 1.0.0");
}

#[test]
fn a_lock_from_elsewhere_holds() {
    let text = profile("^1") + VERSIONS;
    let lock = World::new(&text).build().lock.unwrap();
    assert!(!lock.contains("oci://"), "{lock}");
    let signed = lock.replace("  version: 1.2.0\n", "  version: 1.2.0\n  signers: [key]\n");
    assert_ne!(signed, lock);
    let world = World::new(&format!("{text}=== lock\n{signed}")).locked(LockMode::Locked);
    assert_snapshot!(layers(&world), @"a (addon) p 1.2.0");
    let tampered = lock.replace("1.2.0", "2.0.0-rc.1");
    let world = World::new(&format!("{text}=== lock\n{tampered}")).locked(LockMode::Locked);
    assert_snapshot!(layers(&world), @"
    error[lock-stale] the lock has no version of `p` for `^1`
      at profile.yaml:5:40
      hint: run `cairn profile update` and commit `profile.lock`
    ");
    let missing =
        World::new("=== profile\nlayers: [{name: a, path: local}]\n").locked(LockMode::Locked);
    assert_snapshot!(layers(&missing), @"
    a (addon) local 0.1.0
    error[lock-stale] `profile.lock` would change, and `--locked` forbids it
      hint: run `cairn profile build` without `--locked` and commit `profile.lock`
    ");
}

#[test]
fn a_profile_changes_the_layers_below() {
    let text = "\
=== profile
uses: [{path: base.yaml, version: ^3}]
layers:
- {name: a, version: ^1, registry: other, namespace: mine, presets: [b]}
- {name: local, version: ^1}
- {name: typo}
- {name: two, path: local, manifests: [x.yaml]}
- {name: none, pack: p}
- {name: nowhere, pack: p, version: '*', registry: ohter}
- {name: a}
=== base.yaml
apiVersion: cairn.dev/v1
kind: Profile
metadata: {name: base, version: 2.0.0}
spec:
  type: addon
  registries: [{name: default, url: oci://one}, {name: other, url: oci://two}]
  layers: [{name: a, pack: p, version: '=1.0.0', presets: [a]}, {name: local, path: local}]
=== p@1.2.0/presets/b.yaml
{apiVersion: cairn.dev/v1, kind: Preset, metadata: {name: b}, spec: {values: {num: 1}}}
";
    assert_snapshot!(layers(&World::new(&(text.to_owned() + VERSIONS))), @r#"
        a (addon) p 1.2.0
        local (addon) local 0.1.0
        error[profile-version] profile `base` is version 2.0.0, which `^3` does not match
          at profile.yaml:5:17
          hint: change the range, or use another version of the profile
        error[layer-content] layer `local` has `version`, which means something only with `pack`
          at profile.yaml:8:28
        error[layer-content] layer `typo` has no content, and no profile below has a layer of this name
          at profile.yaml:9:12
          hint: add `pack: NAME` with `version: RANGE`, `path: FOLDER`, `chart: {…}` or `manifests: [GLOB]`
        error[layer-content] layer `two` has more than one of `pack`, `path`, `chart` and `manifests`
          at profile.yaml:10:12
          hint: make each a layer of its own
        error[layer-version] layer `none` does not say which versions of `p` will do
          at profile.yaml:11:24
          hint: add `version: ^1.2` (or `"*"` for any)
        error[registry-undefined] there is no registry `ohter`
          at profile.yaml:12:54
          hint: did you mean `other`?
        error[layer-duplicate] there are two layers `a`
          at profile.yaml:13:12 again here
          at profile.yaml:7:12 first here
          hint: give each layer a name of its own
        "#);
}

#[test]
fn profiles_do_not_use_each_other_in_a_loop() {
    assert_snapshot!(reported("\
=== profile
uses: [{path: base.yaml}]
=== base.yaml
apiVersion: cairn.dev/v1
kind: Profile
metadata: {name: base, version: 2.0.0}
spec: {type: addon, uses: [{path: profile.yaml}]}
"), @"
    error[profile-cycle] profiles use each other in a loop: profile.yaml → base.yaml → profile.yaml
      at base.yaml:4:35
      hint: remove one of the `uses`
    ");
}
