//! One file a subcommand: it parses, calls and prints.

pub(crate) mod agent_manifest;
pub(crate) mod agent_rights;
pub(crate) mod apply;
pub(crate) mod bench_registry;
pub(crate) mod bundle_verify;
pub(crate) mod chart_explain;
pub(crate) mod chart_lint;
pub(crate) mod chart_show;
pub(crate) mod chart_template;
pub(crate) mod cluster_desire;
pub(crate) mod cluster_keyring;
pub(crate) mod cluster_sign;
pub(crate) mod completion;
pub(crate) mod key_generate;
pub(crate) mod pack_build;
pub(crate) mod pack_import_helm;
pub(crate) mod pack_import_palette;
pub(crate) mod pack_inspect;
pub(crate) mod pack_lint;
pub(crate) mod pack_new;
pub(crate) mod pack_pull;
pub(crate) mod pack_push;
pub(crate) mod pack_test;
pub(crate) mod plan;
pub(crate) mod profile_build;
pub(crate) mod profile_lint;
pub(crate) mod profile_tree;
pub(crate) mod profile_update;
pub(crate) mod quickstart;
pub(crate) mod registry_authz_explain;
pub(crate) mod registry_check;
pub(crate) mod registry_doctor;
pub(crate) mod registry_export;
pub(crate) mod registry_fsck;
pub(crate) mod registry_gc;
pub(crate) mod registry_healthcheck;
pub(crate) mod registry_import;
pub(crate) mod registry_login;
pub(crate) mod registry_logout;
pub(crate) mod registry_quota;
pub(crate) mod registry_rebuild;
pub(crate) mod registry_retention;
pub(crate) mod registry_serve;
pub(crate) mod registry_sync;
pub(crate) mod registry_token_create;
pub(crate) mod registry_token_list;
pub(crate) mod registry_token_revoke;
pub(crate) mod registry_user_add;
pub(crate) mod registry_user_remove;
pub(crate) mod registry_webhooks_discard;
pub(crate) mod registry_webhooks_list;
pub(crate) mod registry_webhooks_retry;
pub(crate) mod rollback;
pub(crate) mod sign;
pub(crate) mod status;
pub(crate) mod uninstall;
pub(crate) mod verify;

use crate::{
    args::{
        Agent, Authz, Bench, Bundle, Chart, Cluster, Command, Import, Key, Pack, Profile, Registry,
        Token, User, Webhooks,
    },
    config::Environment,
    exit::Outcome,
    output::Output,
};

/// Runs a subcommand.
pub(crate) fn run(command: Command, environment: &Environment, output: &Output) -> Outcome {
    match command {
        Command::Quickstart(quickstart) => quickstart.run(environment, output),
        Command::Pack(Pack::New(new)) => new.run(output),
        Command::Pack(Pack::Lint(lint)) => lint.run(environment, output),
        Command::Pack(Pack::Test(test)) => test.run(environment, output),
        Command::Pack(Pack::Build(build)) => build.run(environment, output),
        Command::Pack(Pack::Push(push)) => push.run(environment, output),
        Command::Pack(Pack::Pull(pull)) => pull.run(environment, output),
        Command::Pack(Pack::Inspect(inspect)) => inspect.run(environment, output),
        Command::Pack(Pack::Import(Import::Helm(helm))) => helm.run(environment, output),
        Command::Pack(Pack::Import(Import::Palette(palette))) => palette.run(environment, output),
        Command::Chart(Chart::Template(template)) => template.run(output),
        Command::Chart(Chart::Explain(explain)) => explain.run(output),
        Command::Chart(Chart::Show(show)) => show.run(output),
        Command::Chart(Chart::Lint(lint)) => lint.run(output),
        Command::Profile(Profile::Build(build)) => build.run(environment, output),
        Command::Profile(Profile::Lint(lint)) => lint.run(environment, output),
        Command::Profile(Profile::Tree(tree)) => tree.run(environment, output),
        Command::Profile(Profile::Update(update)) => update.run(environment, output),
        Command::Bundle(Bundle::Verify(verify)) => verify.run(environment, output),
        Command::Plan(plan) => plan.run(environment, output),
        Command::Apply(apply) => apply.run(environment, output),
        Command::Status(status) => status.run(environment, output),
        Command::Rollback(rollback) => rollback.run(environment, output),
        Command::Uninstall(uninstall) => uninstall.run(environment, output),
        Command::Cluster(Cluster::Desire(desire)) => desire.run(environment, output),
        Command::Cluster(Cluster::Sign(sign)) => sign.run(environment, output),
        Command::Cluster(Cluster::Keyring(keyring)) => keyring.run(environment, output),
        Command::Agent(Agent::Manifest(manifest)) => manifest.run(environment, output),
        Command::Agent(Agent::Rights(rights)) => rights.run(environment, output),
        Command::Registry(Registry::Serve(serve)) => serve.run(environment, output),
        Command::Registry(Registry::Check(check)) => check.run(environment, output),
        Command::Registry(Registry::Doctor(doctor)) => doctor.run(environment, output),
        Command::Registry(Registry::Healthcheck(healthcheck)) => healthcheck.run(),
        Command::Registry(Registry::Gc(gc)) => gc.run(environment, output),
        Command::Registry(Registry::Fsck(fsck)) => fsck.run(environment, output),
        Command::Registry(Registry::Rebuild(rebuild)) => rebuild.run(environment, output),
        Command::Registry(Registry::Quota(quota)) => quota.run(environment, output),
        Command::Registry(Registry::Retention(retention)) => retention.run(environment, output),
        Command::Registry(Registry::Export(export)) => export.run(environment, output),
        Command::Registry(Registry::Import(import)) => import.run(environment, output),
        Command::Registry(Registry::Sync(sync)) => sync.run(environment, output),
        Command::Registry(Registry::Login(login)) => login.run(environment, output),
        Command::Registry(Registry::Logout(logout)) => logout.run(environment, output),
        Command::Registry(Registry::User(User::Add(add))) => add.run(output),
        Command::Registry(Registry::User(User::Remove(remove))) => remove.run(output),
        Command::Registry(Registry::Token(Token::Create(create))) => create.run(output),
        Command::Registry(Registry::Token(Token::List(list))) => list.run(output),
        Command::Registry(Registry::Token(Token::Revoke(revoke))) => revoke.run(output),
        Command::Registry(Registry::Webhooks(Webhooks::List(list))) => {
            list.run(environment, output)
        }
        Command::Registry(Registry::Webhooks(Webhooks::Retry(retry))) => {
            retry.run(environment, output)
        }
        Command::Registry(Registry::Webhooks(Webhooks::Discard(discard))) => {
            discard.run(environment, output)
        }
        Command::Registry(Registry::Authz(Authz::Explain(explain))) => explain.run(output),
        Command::Bench(Bench::Registry(bench)) => bench.run(output),
        Command::Key(Key::Generate(generate)) => generate.run(output),
        Command::Sign(sign) => sign.run(environment, output),
        Command::Verify(verify) => verify.run(environment, output),
        Command::Completion(completion) => {
            completion.run(output);
            Ok(())
        }
    }
}
