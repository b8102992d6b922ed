//! Every reason and hint that a log may show, as a file that reads like one: `tests/golden/reasons.txt`.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::rc::Rc;

use super::{explained, to_paste};
use crate::ansible::early_end::Suspect;
use crate::ansible::host_keys::OfferedKey;
use crate::ansible::modules;
use crate::ansible::preflight::{InstallFailure, Missing, MissingFile, NotStarted, ProgramProblem};
use crate::evidence::connection::KeyCheckBypass;
use crate::evidence::event_file::Damage;
use crate::evidence::markers::MarkerProblem;
use crate::evidence::source::{Source, WhyUnknown};
use crate::evidence::task::{EmptyLoop, TaskRef};
use crate::evidence::unverified::{WhyFailed, WhyUnreachable, WhyUnverified};
use crate::log::messages::{Line, suspects, unknown_host_keys};
use crate::settings::table;
use crate::verdict::reason::{Finding, Reason};
use crate::verdict::waiver::Waivers;

/// A host key that no server has.
const OFFERED: &str = "web01 ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOQe0/djY9RyvJkdJfF72bK1+Q0B2WOw9KfoOrt6OF3k";

fn text(text: &str) -> String {
    text.to_owned()
}

fn task(name: &str) -> TaskRef {
    TaskRef { name: text(name), place: Some(text("site.yml:7")) }
}

fn file(path: &str) -> MissingFile {
    MissingFile { path: text(path), directory: Some("/workspace".into()) }
}

fn not_started() -> Vec<NotStarted> {
    let program = |problem| NotStarted::Program { program: "ansible-playbook", problem };
    let install = |how| NotStarted::NotInstalled { requirements: text("requirements.yml"), how };
    vec![
        NotStarted::Missing(Missing::Playbook(file("site.yml"))),
        NotStarted::Missing(Missing::Inventory(file("hosts"))),
        NotStarted::Missing(Missing::Requirements(file("requirements.yml"))),
        NotStarted::Missing(Missing::Config(file("ansible.cfg"))),
        NotStarted::Missing(Missing::IsDirectory { setting: &table::PLAYBOOK, path: text("playbooks") }),
        NotStarted::Missing(Missing::IsNoFile { setting: &table::ANSIBLE_CONFIG, path: text("/dev/stdin") }),
        NotStarted::Missing(Missing::Unreadable {
            setting: &table::INVENTORY,
            path: text("hosts"),
            cause: text("Permission denied (os error 13)"),
        }),
        NotStarted::DamagedKey,
        program(ProgramProblem::NotOnPath),
        program(ProgramProblem::NotExecutable),
        program(ProgramProblem::ArgumentsTooLarge),
        program(ProgramProblem::Other(text("Cannot allocate memory (os error 12)"))),
        install(InstallFailure::Exited(1)),
        install(InstallFailure::Killed(9)),
        install(InstallFailure::TimedOut),
    ]
}

fn about_run() -> Vec<Reason> {
    let damages = [Damage::Empty, Damage::Cut, Damage::Gap, Damage::Unreadable, Damage::Io(text("Input/output error"))];
    let mut reasons: Vec<Reason> = not_started().into_iter().map(Reason::NotStarted).collect();
    reasons.extend([
        Reason::Cancelled { signal: 15 },
        Reason::TimedOut { during: None },
        Reason::TimedOut { during: Some(text("Install the package")) },
        Reason::Killed { signal: 9, during: Some(text("Install the package")) },
        Reason::ExitCode(4),
        Reason::NoEvents,
    ]);
    reasons.extend(damages.map(Reason::EventsDamaged));
    reasons.extend([
        Reason::CallbackFailed,
        Reason::PlaybookNotRun { file: None },
        Reason::PlaybookNotRun { file: Some(text("second.yml")) },
        Reason::PlaybookUnfinished { file: text("site.yml") },
        Reason::NotInCheckMode { file: text("site.yml") },
        Reason::LimitNotAsked { limit: None },
        Reason::LimitNotAsked { limit: Some(text("web01")) },
        Reason::TagsNotAsked { tags: vec![text("config")] },
        Reason::SkipTagsNotAsked { tags: vec![text("slow")] },
        Reason::StartAtTask { task: text("Install the package") },
        Reason::Step,
        Reason::NoPlay,
        Reason::NoHost,
        Reason::PlayMatchedNoHost { play: text("Databases") },
        Reason::PatternMatchedNothing { play: text("Databases"), pattern: text("databse") },
        Reason::LimitMatchedNothing { pattern: text("web1") },
        Reason::PlayHostsUnknown { play: text("Databases"), source: Source::GoneHost { host: text("web02") } },
        Reason::PromptNotAnswered { variable: text("release") },
        Reason::PlayNotInCheckMode { play: text("Databases") },
        Reason::EndedEarly { meta: text("end_play"), task: task("Stop here") },
        Reason::NoStatement,
    ]);
    reasons
}

fn about_hosts() -> Vec<Reason> {
    let problems = [
        MarkerProblem::DependsOn(Source::Prompt { name: text("release") }),
        MarkerProblem::EmptyStatus,
        MarkerProblem::UnknownStatus(text("MAYBE")),
        MarkerProblem::BothStatuses,
        MarkerProblem::TwoLists,
        MarkerProblem::SyncedWithFiles,
        MarkerProblem::FilesWithoutStatus,
        MarkerProblem::UnreadableFiles,
    ];
    let mut reasons = vec![
        Reason::HostTookNoPart { play: None },
        Reason::HostTookNoPart { play: Some(text("Databases")) },
        Reason::HostNotInRecap,
        Reason::FailureInRecap,
        Reason::HostKeyNotChecked { by: KeyCheckBypass::SshArgs },
        Reason::HostKeyNotChecked { by: KeyCheckBypass::ConnectionPlugin(text("ansible.netcommon.libssh")) },
        Reason::SharedConnection { by: "ansible_ssh_common_args" },
        Reason::EndedByOthers { play: text("Databases") },
        Reason::NothingVerified,
        Reason::NothingLooked,
        Reason::NoStatement,
    ];
    reasons.extend(problems.map(|problem| Reason::BrokenStatement { task: text("State the status"), problem }));
    reasons.extend([
        Reason::Contradicted { task: text("Compare the files") },
        Reason::StatedForAll { task: text("State the status") },
    ]);
    reasons
}

fn about_tasks() -> Vec<Reason> {
    let unknown = [
        WhyUnknown::SkippedInCheckMode,
        WhyUnknown::SkippedItself,
        WhyUnknown::HeldBack,
        WhyUnknown::Hidden,
        WhyUnknown::DidNotLook,
        WhyUnknown::NoProof,
        WhyUnknown::NotAnswered,
        WhyUnknown::NotReached,
        WhyUnknown::HangsOnCheckMode,
        WhyUnknown::Waived,
    ];
    let mut sources = unknown.map(|why| Source::Task { task: task("Read the version"), why, reads: true }).to_vec();
    sources.extend([
        Source::GoneHost { host: text("web02") },
        Source::LimitedHost { host: text("web02") },
        Source::Prompt { name: text("release") },
        Source::CheckMode,
        Source::Unreadable { what: text("the template is too deep") },
    ]);
    let mut whys = vec![
        WhyUnverified::Unreachable(WhyUnreachable::HostKeyChanged),
        WhyUnverified::Unreachable(WhyUnreachable::HostKeyUnknown),
        WhyUnverified::Unreachable(WhyUnreachable::AuthRefused),
        WhyUnverified::Unreachable(WhyUnreachable::Other),
        WhyUnverified::Failed(WhyFailed::SudoWantsTerminal),
        WhyUnverified::Failed(WhyFailed::AsyncInCheckMode),
        WhyUnverified::Failed(WhyFailed::Other),
        WhyUnverified::FailureHidden,
        WhyUnverified::FailureCensored,
        WhyUnverified::ArgumentOnCheckMode,
        WhyUnverified::SkippedInCheckMode,
        WhyUnverified::RescueUndecided,
        WhyUnverified::SkippedByCheckModeWhen,
        WhyUnverified::SkippedItself,
        WhyUnverified::SkipCensored,
        WhyUnverified::LoopFoundNothing(EmptyLoop::Files),
        WhyUnverified::LoopFoundNothing(EmptyLoop::Found),
        WhyUnverified::LoopFoundNothing(EmptyLoop::FirstFound),
        WhyUnverified::LoopFoundNothing(EmptyLoop::ErrorsIgnored),
        WhyUnverified::JobNotAwaited,
        WhyUnverified::TouchedAgain,
        WhyUnverified::NothingToCopy,
        WhyUnverified::LoneFile,
        WhyUnverified::Disclaimed,
        WhyUnverified::HandlerAlone,
        WhyUnverified::ExitCodeNoAnswer(3),
        WhyUnverified::ChangeHidden,
        WhyUnverified::ItemsMissing,
    ];
    whys.extend(sources.into_iter().map(|source| WhyUnverified::DependsOn(Rc::new(source))));
    let conditions: BTreeSet<_> =
        modules::all().chain([modules::find("{{ module }}")]).flat_map(|module| module.conditions).collect();
    let told = conditions.into_iter().filter(|condition| !condition.because.is_empty());
    let mut sentences = BTreeSet::new();
    let once = told.filter(|condition| sentences.insert((condition.because, condition.hint)));
    whys.extend(once.map(WhyUnverified::AnswerNoProof));
    let reason = |why| Reason::Task { task: task("Configure the service"), why, may_only_read: true };
    whys.into_iter().map(reason).collect()
}

fn found(reason: Reason, hosts: &[&str]) -> Finding {
    Finding { reason, hosts: hosts.iter().map(|host| text(host)).collect(), count: 0, said: None }
}

#[test]
fn every_reason_reads_like_a_sentence() {
    let run = about_run().into_iter().map(|reason| found(reason, &[]));
    let hosts = about_hosts().into_iter().map(|reason| found(reason, &["web01"]));
    let tasks = about_tasks().into_iter().map(|reason| found(reason, &["web01", "web02"]));
    let findings: Vec<Finding> = run.chain(hosts).chain(tasks).collect();

    let shown: BTreeSet<u8> = findings.iter().map(|finding| finding.reason.rank().0).collect();
    assert_eq!(shown, (0..=*shown.last().unwrap()).collect(), "a reason is missing here");

    let mut lines: Vec<Line> = findings.iter().flat_map(explained).collect();
    lines.extend(to_paste(&Waivers::of(&findings)));
    lines.extend(suspects(&[Suspect::StdoutCallback(text("yaml")), Suspect::InventoryDirectory(text("lab"))]));
    lines.extend(unknown_host_keys(&[OfferedKey::parse(OFFERED).unwrap()]));
    let lines: String = lines.iter().map(|line| line.painted(false) + "\n").collect();
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/reasons.txt");
    if std::env::vars_os().any(|(name, value)| name == "RECORD" && value == "logs") {
        fs::write(&golden, &lines).unwrap();
    }
    let known = fs::read_to_string(&golden).unwrap_or_default();
    assert!(known == lines, "it is\n{lines}\nIf that is right, run the test with RECORD=logs");
}
