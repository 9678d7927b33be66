//! Several replicas, and one of them leads.

use std::time::Duration;

use anyhow::{Result, ensure};
use cairn_agent::{
    clock::Clock,
    lease::{Timing, keep},
};
use cairn_runner::cluster::{Access, Cluster, Pace};
use tokio::{sync::watch, time::timeout};

use crate::world::World;

const TIMING: Timing = Timing {
    duration: Duration::from_secs(3),
    deadline: Duration::from_secs(2),
    retry: Duration::from_millis(300),
};
const PATIENCE: Duration = Duration::from_secs(30);
const PLACE: (&str, &str) = ("default", "agents");

#[tokio::test]
#[ignore = "needs kube, kubectl"]
async fn one_replica_leads_and_another_takes_over() -> Result<()> {
    World::with(async |world, _registry| {
        let access = Access {
            kubeconfigs: vec![world.server.kubeconfig().to_owned()],
            ..Access::default()
        };
        let cluster = Cluster::connect(&access, Pace::default()).await?;
        let clock = Clock::system();
        let replica = |name: &'static str, leads: watch::Sender<bool>| {
            let (cluster, clock) = (cluster.clone(), clock.clone());
            async move { keep(&cluster, PLACE, (name, TIMING, &clock), leads).await }
        };
        let holder =
            || world.kubectl("get lease -n default agents -o jsonpath={.spec.holderIdentity}");
        let (first, mut first_leads) = watch::channel(false);
        let (second, mut second_leads) = watch::channel(false);
        let mut first = Box::pin(replica("first", first));
        let mut second = Box::pin(replica("second", second));
        tokio::select! {
            () = &mut first => {}
            led = timeout(PATIENCE, first_leads.wait_for(|leads| *leads)) => { led??; }
        }
        // The second waits for as long as the first renews.
        let longer = TIMING.duration * 2;
        tokio::select! {
            () = &mut first => {}
            () = &mut second => {}
            () = tokio::time::sleep(longer) => {}
        }
        ensure!(*first_leads.borrow() && !*second_leads.borrow());
        assert_eq!(holder()?, "first");
        // Killed: nobody renews, nobody gives back.
        drop(first);
        tokio::select! {
            () = &mut second => {}
            led = timeout(PATIENCE, second_leads.wait_for(|leads| *leads)) => { led??; }
        }
        assert_eq!(holder()?, "second");
        // One that stops gives it back.
        drop(second_leads);
        timeout(PATIENCE, second).await?;
        assert_eq!(holder()?, "");
        Ok(())
    })
    .await
}
