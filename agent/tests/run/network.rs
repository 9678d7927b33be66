//! A bad network between an agent and where its bundles come from, and a registry whose store fails:
//! what was verified last goes on being enforced, nothing else is applied, and when all is well again the
//! agent has what is wanted.

use std::cell::Cell;

use anyhow::{Context as _, Result, ensure};
use cairn_agent::observed::Observed;
use cairn_oci::keyring::seal_desired_state;
use cairn_registry::{S3Config, S3Credentials, Secret, StorageConfig};
use cairn_spec::Digest;
use cairn_test_network::{Fault, Proxy};
use cairn_test_s3::{ACCESS_KEY_ID, BUCKET, Fault as StoreFault, S3Server, SECRET_ACCESS_KEY};

use crate::{
    bundles::heavy_shop,
    hub::HubProcess,
    world::{World, eventually, eventually_async, runs, until},
};

/// What a bundle weighs at least, in bytes.
const HEAVY_BYTES: usize = 600_000;
/// More than anything but a blob weighs, in bytes.
const BLOB_BYTES: usize = 12_000;
const BUSY: &str = "HTTP/1.1 429 Too Many Requests\r\nretry-after: 1\r\ncontent-length: 0\r\n\r\n";
const UNAVAILABLE: &str = "HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\n\r\n";
const BROKEN: &str = "HTTP/1.1 500 Internal Server Error\r\ncontent-length: 0\r\n\r\n";

const TO_THE_HUB: [(&str, Fault); 5] = [
    ("cut", Fault::Cut),
    ("reset", Fault::Reset),
    ("silent", Fault::Silent),
    ("handshake", Fault::Altered { from_bytes: 1 }),
    (
        "altered-blob",
        Fault::Altered {
            from_bytes: BLOB_BYTES,
        },
    ),
];

/// A bundle that has a value of its own.
async fn publish(world: &World, value: &str) -> Result<Digest> {
    world.publish(&heavy_shop(value, HEAVY_BYTES), &[]).await
}

/// What somebody edits is put back, whoever else is away.
async fn is_enforced(world: &World, value: &str) -> Result<()> {
    let edit = "patch configmap -n shop settings --patch={\"data\":{\"value\":\"theirs\"}}";
    world.kubectl(edit)?;
    eventually(&value.to_owned(), || world.value()).await
}

/// The bundle that was there before is there still, and no other was tried.
fn is_untouched(world: &World, observed: &Observed, bundle: &Digest, value: &str) -> Result<()> {
    let now = observed.now();
    ensure!(now.bundle.as_ref() == Some(bundle), "{:?}", now.bundle);
    ensure!(now.journal.rejected.is_empty(), "{:?}", now.journal);
    ensure!(world.value()? == value, "the value is {}", world.value()?);
    Ok(())
}

/// Brings two more bundles, as `offer` makes them known.
async fn comes_in_pieces_and_slowly(
    proxy: &Proxy,
    observed: &Observed,
    offer: &impl AsyncFn(&str) -> Result<Digest>,
) -> Result<()> {
    // No connection lasts for a whole blob, so each goes on where the one before ended.
    let (struck, before) = (proxy.strikes(), proxy.from_server_bytes());
    proxy.set(Fault::ResetAfter { bytes: 120_000 });
    let next = offer("in-pieces").await?;
    until(observed, "a bundle in pieces", runs(&next)).await?;
    ensure!(proxy.strikes() >= struck + 2);
    let came = proxy.from_server_bytes() - before;
    ensure!(came < HEAVY_BYTES as u64, "{came} bytes came");
    // A slow network is one to be patient with.
    let struck = proxy.strikes();
    proxy.set(Fault::Slow {
        bytes_per_s: 400_000,
    });
    let next = offer("slow").await?;
    until(observed, "a bundle over a slow network", runs(&next)).await?;
    ensure!(proxy.strikes() > struck + 10);
    Ok(())
}

#[tokio::test]
#[ignore = "needs kube, kubectl"]
async fn a_bad_network_to_the_registry_changes_nothing_in_the_end() -> Result<()> {
    World::with(async |mut world, _registry| {
        let proxy = Proxy::start(world.registry_address()?).await?;
        world.lead_through(proxy.address())?;
        let faults = [
            ("cut", Fault::Cut, "cannot be used"),
            ("reset", Fault::Reset, "cannot be used"),
            ("silent", Fault::Silent, ""),
            (
                "altered-blob",
                Fault::Altered {
                    from_bytes: BLOB_BYTES,
                },
                "sha256:",
            ),
            ("busy", Fault::Answer(BUSY), "wants fewer requests"),
            ("unavailable", Fault::Answer(UNAVAILABLE), "503"),
            ("broken", Fault::Answer(BROKEN), "500"),
        ];
        let mut last = publish(&world, "first").await?;
        let mut value = "first";
        world
            .agent(async |observed| {
                until(&observed, "the first bundle", runs(&last)).await?;
                for (name, fault, reason) in faults {
                    let struck = proxy.strikes();
                    proxy.set(fault);
                    let next = publish(&world, name).await?;
                    eventually(&true, || Ok(proxy.strikes() > struck)).await?;
                    if fault == Fault::Silent {
                        is_enforced(&world, value).await?;
                    } else {
                        let says = |now: &cairn_agent::observed::Observations| {
                            now.refusal.as_ref().is_some_and(|it| it.contains(reason))
                        };
                        until(&observed, reason, says).await?;
                    }
                    is_untouched(&world, &observed, &last, value).context(name)?;
                    proxy.set(Fault::Healthy);
                    let now = until(&observed, name, runs(&next)).await?;
                    ensure!(now.refusal.is_none(), "{name}: {:?}", now.refusal);
                    ensure!(world.value()? == name);
                    (last, value) = (next, name);
                }
                comes_in_pieces_and_slowly(&proxy, &observed, &async |name: &str| {
                    publish(&world, name).await
                })
                .await?;
                Ok(())
            })
            .await
    })
    .await
}

#[tokio::test]
#[ignore = "needs kube, kubectl"]
async fn a_bad_network_to_the_hub_changes_nothing_in_the_end() -> Result<()> {
    World::with(async |mut world, _registry| {
        let mut hub = HubProcess::new(&mut world).await?;
        hub.wait_s = 1;
        let proxy = Proxy::start(([127, 0, 0, 1], hub.port).into()).await?;
        if let Some(settings) = &mut world.settings.hub {
            settings.url = format!("https://localhost:{}", proxy.address().port());
        }
        let (world, hub, proxy) = (&world, &hub, &proxy);
        let ticking = async {
            loop {
                tokio::time::sleep(std::time::Duration::from_secs(1)).await;
                hub.clock.advance_s(5);
            }
        };
        let work = world.agent(async |observed| {
            hub.serving(async |served| {
                // Already joining is done over a network that lets no handshake pass.
                proxy.set(Fault::Altered { from_bytes: 1 });
                hub.prepare(world, &served).await?;
                eventually(&true, || Ok(proxy.strikes() > 0)).await?;
                ensure!(served.agents(None, 2).await?.is_empty());
                proxy.set(Fault::Healthy);
                eventually_async(async || Ok(served.agents(None, 2).await?.len() == 1)).await?;
                let generation = Cell::new(0);
                let offer = async |name: &str| {
                    generation.set(generation.get() + 1);
                    let bundle = publish(world, name).await?;
                    let state = hub.state(world, generation.get(), &bundle)?;
                    served
                        .offer(seal_desired_state(&state, [&hub.key])?)
                        .await?;
                    anyhow::Ok(bundle)
                };
                let mut last = offer("first").await?;
                until(&observed, "the first bundle", runs(&last)).await?;
                let mut value = "first";
                for (name, fault) in TO_THE_HUB {
                    let struck = proxy.strikes();
                    proxy.set(fault);
                    let next = offer(name).await?;
                    eventually(&true, || Ok(proxy.strikes() > struck)).await?;
                    is_enforced(world, value).await?;
                    is_untouched(world, &observed, &last, value).context(name)?;
                    proxy.set(Fault::Healthy);
                    until(&observed, name, runs(&next)).await?;
                    ensure!(world.value()? == name);
                    (last, value) = (next, name);
                }
                comes_in_pieces_and_slowly(proxy, &observed, &offer).await?;
                Ok(())
            })
            .await
        });
        tokio::select! {
            worked = work => worked,
            never = ticking => never,
        }
    })
    .await
}

#[tokio::test]
#[ignore = "needs kube, kubectl"]
async fn a_registry_whose_store_fails_changes_nothing_in_the_end() -> Result<()> {
    let store = S3Server::start().await;
    let store = &store;
    let storage = StorageConfig::S3(Box::new(S3Config {
        bucket: BUCKET.to_owned(),
        endpoint: Some(store.endpoint()),
        path_style: true,
        credentials: Some(S3Credentials {
            access_key_id: ACCESS_KEY_ID.to_owned(),
            secret_access_key: Some(Secret::new(SECRET_ACCESS_KEY)),
            secret_access_key_file: None,
        }),
        request_timeout_s: 1,
        ..S3Config::default()
    }));
    World::with_storage(storage, async |mut world, _registry| {
        let proxy = Proxy::start(world.registry_address()?).await?;
        world.lead_through(proxy.address())?;
        let first = publish(&world, "first").await?;
        world
            .agent(async |observed| {
                until(&observed, "the first bundle", runs(&first)).await?;
                // What is pushed is not seen before the store fails.
                proxy.set(Fault::Silent);
                let second = publish(&world, "second").await?;
                store.fail(1, 1.0, &[StoreFault::InternalError]);
                let struck = store.strikes();
                proxy.set(Fault::Healthy);
                until(&observed, "the refusal", |now| {
                    now.refusal.as_ref().is_some_and(|it| it.contains("503"))
                })
                .await?;
                ensure!(store.strikes() > struck, "the store has not failed");
                is_enforced(&world, "first").await?;
                is_untouched(&world, &observed, &first, "first")?;
                store.fail(1, 0.0, &[]);
                until(&observed, "the second bundle", runs(&second)).await?;

                // Every other time, and in the middle of a blob.
                proxy.set(Fault::Silent);
                let third = publish(&world, "third").await?;
                let struck = store.strikes();
                store.fail(1, 0.4, &[StoreFault::Truncated, StoreFault::BrokenBefore]);
                proxy.set(Fault::Healthy);
                until(&observed, "the third bundle", runs(&third)).await?;
                ensure!(store.strikes() > struck, "the store has not failed");
                store.fail(1, 0.0, &[]);

                // Other bytes than were stored.
                proxy.set(Fault::Silent);
                let artifact = heavy_shop("fourth", HEAVY_BYTES).artifact()?;
                let fourth = publish(&world, "fourth").await?;
                let layers = artifact.manifest().layers().iter();
                let largest = layers.max_by_key(|layer| layer.size).context("no layer")?;
                let blob = artifact.blob(&largest.digest).context("no blob")?;
                let size = usize::try_from(largest.size)?;
                let (key, _) = store
                    .objects()
                    .into_iter()
                    .find(|(_, bytes)| *bytes == size)
                    .context("the store does not have the blob")?;
                let mut other = blob.to_vec();
                other[size / 2] ^= 1;
                store.put(&key, other);
                proxy.set(Fault::Healthy);
                until(&observed, "the refusal", |now| {
                    let digest = largest.digest.to_string();
                    now.refusal.as_ref().is_some_and(|it| it.contains(&digest))
                })
                .await?;
                is_untouched(&world, &observed, &third, "third")?;
                store.put(&key, blob.to_vec());
                until(&observed, "the fourth bundle", runs(&fourth)).await?;
                ensure!(world.value()? == "fourth");
                Ok(())
            })
            .await
    })
    .await
}
