//! The console's screens on a test backend: what is read there, how it looks, and what keys ask of the engine.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout, clippy::print_stderr)] // test code

#[path = "screens/fixture.rs"]
mod fixture;

use std::sync::Arc;

use fabric_orchestrator::diff::change::{Change, ChangeKey};
use fabric_orchestrator::engine::command::Command;
use fabric_orchestrator::engine::snapshot::*;
use fabric_orchestrator::tui::app::{Effect, Model, Msg, update};
use fabric_orchestrator::tui::draw::Scroll;
use fabric_orchestrator::tui::keys::Key;
use fabric_orchestrator::tui::paint::Painter;
use fabric_orchestrator::tui::screen::Screen;
use fabric_orchestrator::tui::theme::{Depth, Glyphs};
use fabric_orchestrator::tui::view;
use fixture::{Fixture, NOW};
use proptest::prelude::*;
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::buffer::Buffer;
use ratatui::style::Modifier;

const SIZES: [(u16, u16); 3] = [(80, 24), (120, 40), (200, 60)];

fn draw(model: &Model) -> Buffer {
    let mut terminal = Terminal::new(TestBackend::new(model.size.0, model.size.1)).unwrap();
    let mut scroll = Scroll::default();
    terminal
        .draw(|frame| {
            view::view(model, &mut scroll, frame.buffer_mut());
        })
        .unwrap();
    terminal.backend().buffer().clone()
}

fn text(model: &Model) -> String {
    let buffer = draw(model);
    let line = |y: u16| (0..buffer.area.width).map(|x| buffer[(x, y)].symbol()).collect::<String>().trim_end().to_owned();
    (0..buffer.area.height).map(line).collect::<Vec<_>>().join("\n")
}

/// The line that holds `word`.
fn line(model: &Model, word: &str) -> String {
    let text = text(model);
    text.lines().find(|line| line.contains(word)).unwrap_or_else(|| panic!("`{word}` is not on the screen:\n{text}")).to_owned()
}

fn press(model: &mut Model, keys: &str) -> Vec<Effect> {
    keys.split_whitespace().flat_map(|key| update(model, Msg::Press(Key(key.to_owned())))).collect()
}

fn type_text(model: &mut Model, text: &str) -> Vec<Effect> {
    text.chars().flat_map(|c| update(model, Msg::Press(Key(if c == ' ' { "space".to_owned() } else { c.to_string() })))).collect()
}

fn has(model: &Model, words: &[&str]) {
    let text = text(model);
    for word in words {
        assert!(text.contains(word), "`{word}` is not on the screen:\n{text}");
    }
}

/// Cells of one row that are drawn in reverse.
fn reversed(model: &Model) -> Vec<String> {
    let buffer = draw(model);
    (0..buffer.area.height)
        .map(|y| {
            (0..buffer.area.width)
                .map(|x| &buffer[(x, y)])
                .filter(|cell| cell.modifier.contains(Modifier::REVERSED))
                .map(|cell| cell.symbol())
                .collect::<String>()
                .trim()
                .to_owned()
        })
        .filter(|text| !text.is_empty())
        .collect()
}

#[test]
fn the_four_questions_are_answered_on_every_screen_at_every_size() {
    for (columns, rows) in SIZES {
        for (digit, _) in view::screens() {
            let mut model = Fixture::new().staged().model(columns, rows);
            press(&mut model, &digit.to_string());
            let text = text(&model);
            let head = text.lines().next().unwrap();
            for word in ["dc1", "lab", "READ-ONLY", "8 live 0 stale 1 down", "drift 4"] {
                assert!(head.contains(word), "{columns}x{rows} screen {digit}: `{word}` not in `{head}`");
            }
            if columns >= 100 {
                assert!(head.contains("staged 2") && head.contains("intent <15s"), "{head}");
            }
            let foot = text.lines().last().unwrap();
            assert!(foot.contains("? help"), "{columns}x{rows} screen {digit}: {foot}");
        }
    }
}

#[test]
fn fabric_shows_each_device_with_its_state_in_words() {
    let model = Fixture::new().model(120, 40);
    assert!(line(&model, " leaf1 ").contains("● live"));
    assert!(line(&model, " leaf1 ").contains("✗ 2"));
    assert!(line(&model, " leaf1 ").contains("14:01 noc-kim sessio…"));
    assert!(line(&model, " leaf3 ").contains("◐ syncing") && line(&model, " leaf3 ").contains("? unknown"));
    assert!(line(&model, " leaf4 ").contains("✗ auth failed") && line(&model, " leaf4 ").contains("wrong password"));
    assert!(line(&model, " leaf2 ").contains("✓ 0") && line(&model, " leaf2 ").contains("5/5"));
    has(&model, &["pair leaf1+leaf2 · VTEP 10.0.255.11", "16/16", "drift +1 Ethernet11 description", "news 14:01:51"]);
}

#[test]
fn fabric_at_80_columns_reaches_every_column() {
    let mut model = Fixture::new().model(80, 24);
    has(&model, &["DEVICE", "STREAM", "BGP", "MLAG", "DRIFT"]);
    assert!(!text(&model).contains("CHANGED ON DEVICE"));
    press(&mut model, "right right right right right right right");
    has(&model, &["DEVICE", "CHANGED ON DEVICE", "ROLE"]);
    press(&mut model, "left left left left left left left left");
    has(&model, &["BGP"]);
}

#[test]
fn the_selection_follows_its_device_and_is_visible_without_colour() {
    for (theme, depth) in [("dark", Depth::True), ("light", Depth::Cube), ("dark", Depth::Mono), ("mono", Depth::Sixteen)] {
        let mut model = Fixture::new().model_as(120, 40, theme, depth, Glyphs::UTF8);
        press(&mut model, "down down");
        assert_eq!(reversed(&model), ["leaf1"], "{theme} {depth:?}");
        assert!(line(&model, "▌leaf1").contains("live"));
        // A device more in front: the selection stays on leaf1.
        let mut fixture = Fixture::new();
        let mut first = (*fixture.snapshot.devices[0]).clone();
        first.name = Arc::from("border1");
        fixture.snapshot.devices.insert(0, Arc::new(first));
        update(&mut model, Msg::Snapshot(fixture.shared()));
        assert_eq!(reversed(&model), ["leaf1"]);
    }
}

#[test]
fn colours_tell_the_same_as_words() {
    let model = Fixture::new().model(120, 40);
    let buffer = draw(&model);
    let find = |word: &str| {
        (0..buffer.area.height)
            .find_map(|y| {
                let line: Vec<&str> = (0..buffer.area.width).map(|x| buffer[(x, y)].symbol()).collect();
                (0..line.len()).find(|x| line[*x..].concat().starts_with(word)).map(|x| (u16::try_from(x).unwrap(), y))
            })
            .unwrap()
    };
    assert_eq!(buffer[find("✗ auth failed")].fg, model.theme.bad.fg.unwrap());
    assert_eq!(buffer[find("● live")].fg, model.theme.good.fg.unwrap());
    assert_eq!(buffer[find("✓ 0")].fg, model.theme.good.fg.unwrap());
}

#[test]
fn drift_only_filter_and_grouping_narrow_the_list() {
    let mut model = Fixture::new().model(120, 40);
    press(&mut model, "d");
    let shown = text(&model);
    assert!(
        shown.contains("leaf5")
            && shown.contains(" leaf4 ")
            && !shown.contains(" leaf2 ")
            && !shown.contains(" leaf6 ")
            && !shown.contains("spine1"),
        "{shown}"
    );
    press(&mut model, "esc /");
    type_text(&mut model, "!leaf");
    press(&mut model, "enter");
    assert!(text(&model).contains("spine2") && !text(&model).contains(" leaf5 "));
    press(&mut model, "esc b");
    has(&model, &["─ spine", "─ leaf"]);
}

#[test]
fn device_shows_both_sides_with_only_the_differing_words_marked() {
    let mut model = Fixture::new().model(120, 40);
    press(&mut model, "down down enter");
    assert_eq!(model.screen, Screen::Device);
    has(
        &model,
        &[
            "172.16.0.25:6030",
            "PLAINTEXT",
            "EOS 4.35.0F",
            "Ethernet11",
            "to spine1 Ethernet1",
            "↔",
            "to spine2 Ethernet1",
            "! flaps 10.0.3.1",
            "✗ interfaces",
            "✗ SVIs",
        ],
    );
    has(&model, &["NetBox interface leaf1 Ethernet11 #412 · alice"]);
    let buffer = draw(&model);
    let marked: String =
        buffer.content.iter().filter(|cell| cell.modifier.contains(Modifier::UNDERLINED)).map(|cell| cell.symbol()).collect();
    assert_eq!(marked, "spine1spine292141500");
    press(&mut model, "d");
    has(&model, &["side by side", "to spine1 Ethernet1"]);
    press(&mut model, "z f");
    has(&model, &["/interfaces/interface[name=Ethernet1]/config/description", "/system/ntp/config/enabled"]);
}

#[test]
fn device_tabs_show_live_state() {
    let mut model = Fixture::new().model(120, 40);
    press(&mut model, "down down enter");
    has(&model, &["in 1.2 G ", "▁▂▃▄▅▆▇█"]);
    press(&mut model, "t");
    assert!(line(&model, "Ethernet7 ").contains("down"));
    assert!(text(&model).find("Ethernet2 ").unwrap() < text(&model).find("Ethernet10 ").unwrap());
    press(&mut model, "t");
    assert!(line(&model, "10.0.1.0").contains("established") && line(&model, "10.0.1.0").contains("IPV4_UNICAST 10"));
    press(&mut model, "t");
    assert!(!text(&model).contains("10.0.1.0") && text(&model).contains("VNI 110040"));
    press(&mut model, "t");
    has(&model, &["shared VTEP", "active"]);
    press(&mut model, "esc");
    has(&model, &["[diff]"]);
}

fn staged_keys(effects: &[Effect]) -> Vec<ChangeKey> {
    match effects {
        [Effect::Send(Command::Stage(keys))] => keys.clone(),
        other => panic!("no single Stage: {other:?}"),
    }
}

#[test]
fn space_stages_a_device_a_construct_an_entry_and_a_leaf() {
    let all: Vec<ChangeKey> = fixture::leaf1_changes().iter().map(Change::key).collect();
    let mut model = Fixture::new().model(120, 40);
    assert!(press(&mut model, "space").is_empty(), "spine1 does not differ");
    assert_eq!(staged_keys(&press(&mut model, "down down space")), all);
    press(&mut model, "enter");
    assert_eq!(staged_keys(&press(&mut model, "space")), all[..1], "entry");
    assert_eq!(staged_keys(&press(&mut model, "down space")), all[..1], "leaf");
    assert_eq!(staged_keys(&press(&mut model, "g v G space")), all, "range");
    assert_eq!(staged_keys(&press(&mut model, "tab down down space")), all[1..], "construct");
    assert_eq!(press(&mut model, "u"), [], "the engine has staged nothing yet, so there is nothing to take back");
    update(&mut model, Msg::Snapshot(Fixture::new().staged().shared()));
    has(&model, &["[x]"]);
    assert_eq!(press(&mut model, "space"), [Effect::Send(Command::Unstage(all[1..].to_vec()))]);
}

#[test]
fn unstage_takes_back_the_last_portion() {
    let all: Vec<ChangeKey> = fixture::leaf1_changes().iter().map(Change::key).collect();
    let mut model = Fixture::new().model(120, 40);
    press(&mut model, "down down space");
    update(&mut model, Msg::Snapshot(Fixture::new().staged().shared()));
    assert_eq!(press(&mut model, "u"), [Effect::Send(Command::Unstage(all))]);
    assert_eq!(press(&mut model, "u"), []);
}

#[test]
fn partly_staged_entries_show_their_own_box() {
    let mut fixture = Fixture::new();
    let changes = fixture::leaf5_changes();
    fixture.snapshot.staged = Arc::new([changes[0].key()].into());
    let mut model = fixture.model(120, 40);
    type_text(&mut model, ":");
    type_text(&mut model, "device leaf5");
    press(&mut model, "enter");
    assert!(line(&model, "+ vlan 40 name").contains("[x]"));
    assert!(line(&model, "- vlan 99").contains("[ ]"));
}

#[test]
fn plan_shows_waves_requests_and_what_was_pulled_in() {
    let mut model = Fixture::new().staged().model(120, 40);
    press(&mut model, "p");
    has(
        &model,
        &[
            "2 changes · 1 device · 1 wave",
            "1 can flap",
            "wave 1",
            "leaf1",
            "[x] ~ Ethernet11 description",
            "! flaps 10.0.3.1",
            "pulled in by leaf1 description",
        ],
    );
    has(
        &model,
        &[
            "SetRequest leaf1, exactly as sent",
            "update  /interfaces/interface[name=Ethernet11]/config/description = \"to spine1 Ethernet1\"",
            "   maximum-paths 4 ecmp 64",
        ],
    );
    has(&model, &["? unknown leaf4", "wrong password for admin", "never both members of pair"]);
    press(&mut model, "x");
    has(&model, &["plan of every difference", "wave 2", "not what is staged"]);
    let copied = press(&mut model, "J");
    assert!(matches!(&copied[..], [Effect::Copy(json)] if json.contains("fabric-orch/plan/1")), "{copied:?}");
}

#[test]
fn nothing_is_sent_while_read_only() {
    let mut model = Fixture::new().staged().model(120, 40);
    assert_eq!(press(&mut model, "C"), []);
    has(&model, &["read-only: A arms the fabric first"]);
    // Past the confirmation, straight at the door: still refused.
    assert_eq!(update(&mut model, Msg::Palette), []);
    type_text(&mut model, "override vtep-source-advertised");
    assert_eq!(press(&mut model, "enter"), []);
    assert_eq!(press(&mut model, "A"), [Effect::Send(Command::Arm)]);
    let mut fixture = Fixture::new().staged();
    fixture.snapshot.may_write = false;
    let mut model = fixture.model(120, 40);
    assert_eq!(press(&mut model, "A"), []);
    has(&model, &["--write"]);
}

#[test]
fn a_lab_commits_with_y_and_only_with_y() {
    let mut model = Fixture::new().staged().armed().model(120, 40);
    has(&model, &["ARMED LAB 13m"]);
    assert_eq!(press(&mut model, "C"), []);
    has(&model, &["2 changes on 1 device in 1 wave of dc1 (lab)", "! leaf1 Vlan4091: flaps 10.0.3.1", "y commits"]);
    assert_eq!(press(&mut model, "enter x space C"), []);
    assert_eq!(press(&mut model, "y"), [Effect::Send(Command::Commit { hash: "abcdef0123456789abcdef".to_owned() })]);
    assert_eq!(model.screen, Screen::Commit);
}

#[test]
fn production_wants_the_name_typed() {
    let mut fixture = Fixture::new().staged().armed();
    fixture.snapshot.environment = Arc::from("production");
    let mut model = fixture.model(120, 40);
    has(&model, &["ARMED PRODUCTION"]);
    press(&mut model, "C");
    assert_eq!(press(&mut model, "y enter"), []);
    press(&mut model, "ctrl-u");
    update(&mut model, Msg::Paste("dc1".to_owned()));
    assert_eq!(press(&mut model, "enter"), [], "a paste confirms nothing");
    assert_eq!(type_text(&mut model, "dc1"), []);
    assert_eq!(press(&mut model, "enter"), [Effect::Send(Command::Commit { hash: "abcdef0123456789abcdef".to_owned() })]);
}

#[test]
fn a_confirmation_closes_when_the_plan_moves() {
    let mut model = Fixture::new().staged().armed().model(120, 40);
    press(&mut model, "C");
    let mut fixture = Fixture::new().staged().armed();
    fixture.snapshot.staged_plan = Some(Arc::new(fixture::plan(vec![fixture::step("leaf5", 1, fixture::leaf5_changes())], "another")));
    update(&mut model, Msg::Snapshot(fixture.shared()));
    assert_eq!(press(&mut model, "y"), [Effect::Copy("spine1".to_owned())], "y is an ordinary key again");
    assert!(model.overlay.is_none());
}

#[test]
fn commit_shows_phases_outcomes_and_reasons() {
    let mut fixture = Fixture::new().staged().armed();
    let step = |device: &str, wave: usize, phase: Phase, reason: &str| CommitStep {
        id: format!("{wave}-{device}"),
        device: Arc::from(device),
        wave,
        phase,
        reason: reason.to_owned(),
        ms: Some(212),
    };
    fixture.snapshot.commit = Some(Arc::new(CommitView {
        id: 42,
        hash: "abcdef0123456789".to_owned(),
        user: "kim".to_owned(),
        started: NOW - 9_000,
        ended: None,
        steps: vec![
            step("leaf1", 1, Phase::Done(Outcome::Applied), ""),
            step("leaf2", 2, Phase::Settling, ""),
            step("leaf5", 3, Phase::Done(Outcome::Unknown), "the connection broke after the Set was sent"),
            step("leaf6", 3, Phase::Waiting, ""),
        ],
        status: "waiting for gate 2".to_owned(),
    }));
    let mut model = fixture.model(120, 40);
    has(&model, &["COMMIT 42 2/4"]);
    press(&mut model, "5");
    assert!(line(&model, "applied, verified").contains("✓ set 212 ms"));
    has(
        &model,
        &[
            "◐ watching health",
            "? UNKNOWN: the answer was lost",
            "the connection broke",
            "waiting for its wave",
            "waiting for gate 2",
            "BGP 67/67 ✓",
        ],
    );
    assert_eq!(press(&mut model, "X"), [Effect::Send(Command::Abort)]);
    assert_eq!(press(&mut model, "Q"), [], "quitting asks first");
    has(&model, &["y quits"]);
    assert_eq!(press(&mut model, "y"), [Effect::Send(Command::Quit), Effect::Quit]);
}

#[test]
fn log_copies_the_gnmic_line() {
    let mut model = Fixture::new().model(120, 40);
    press(&mut model, "6");
    assert!(line(&model, "14:02:26").contains("✗ unauthenticated: wrong password"));
    assert_eq!(press(&mut model, "y"), [Effect::Copy("gnmic -a 127.0.0.1:6034 subscribe --path /".to_owned())]);
    press(&mut model, "e");
    assert!(!text(&model).contains("14:02:22"));
    press(&mut model, "7");
    has(&model, &["drift +1 Ethernet11 description"]);
}

#[test]
fn intent_shows_what_is_wrong_whose_it_is_and_what_was_silenced() {
    let mut model = Fixture::new().model(120, 40);
    press(&mut model, "8");
    has(&model, &["findings 2, 1 silenced", "remote-as-wrong", "expects AS 65001", "512 objects", "alice", "mend one of the two"]);
    assert!(!text(&model).contains("different rooms"));
    let copied = |effects: Vec<Effect>| matches!(effects.as_slice(), [Effect::Copy(url)] if url == "http://127.0.0.1:8900/dcim/devices/3/");
    assert!(copied(press(&mut model, "o")), "o copies the object's URL");
    press(&mut model, "z G");
    has(&model, &["mlag-domain-reused", "silenced: pairs are in different rooms"]);
    press(&mut model, "k");
    press(&mut model, "enter");
    assert_eq!((model.screen, model.device.as_deref()), (Screen::Device, Some("leaf1")), "enter opens the device");
}

#[test]
fn intent_that_shrank_is_taken_by_a_key_when_armed() {
    let mut fixture = Fixture::new();
    let mut model = fixture.model(120, 40);
    assert_eq!(press(&mut model, "8 O"), [], "nothing is held back");
    has(&model, &["no intent is held back"]);
    fixture.snapshot.intent.held_back = true;
    fixture.snapshot.intent.error = Some(format!(
        "intent shrank and is not taken: 13 VLANs became 3 (gone: VLAN 34 gold #4{}); accept it by name",
        ", VLAN 40 test #1".repeat(5)
    ));
    let mut model = fixture.model(120, 40);
    assert_eq!(press(&mut model, "8 O"), [], "it leads to deletes, so the fabric is armed first");
    has(&model, &["held back (O takes it)", "accept it by name", "read-only: A arms the fabric first"]);
    fixture.snapshot.armed_until = Some(fixture.snapshot.now + 60_000);
    let mut model = fixture.model(120, 40);
    assert_eq!(press(&mut model, "8 O"), [Effect::Send(Command::Override("intent-shrank".to_owned()))]);
}

#[test]
fn intent_that_failed_is_said_on_the_narrowest_screen() {
    let mut fixture = Fixture::new();
    fixture.snapshot.fabric = Arc::from("production-dc1");
    fixture.snapshot.intent.error = Some("NetBox cannot be reached; check the URL".to_owned());
    has(&fixture.model(80, 24), &["intent FAILED"]);
    has(&fixture.model(120, 40), &["intent FAILED, of "]);
}

#[test]
fn yang_opens_branch_by_branch_and_shows_live_and_desired_values() {
    let mut model = Fixture::new().model(120, 40);
    press(&mut model, "down down 3");
    has(&model, &["▸ interfaces", "▸ network-instances"]);
    assert!(!text(&model).contains("Ethernet1"));
    while model.yang.list.id.as_ref().map(ToString::to_string).as_deref() != Some("/interfaces") {
        press(&mut model, "down");
    }
    press(&mut model, "right down right");
    has(&model, &["▾ interface", "list key name", "▸ [Ethernet1]", "▸ [Ethernet12]"]);
    assert!(text(&model).find("[Ethernet2]").unwrap() < text(&model).find("[Ethernet10]").unwrap());
    press(&mut model, "down right down");
    press(&mut model, "left left left");
    assert_eq!(model.yang.list.id.as_ref().map(ToString::to_string).as_deref(), Some("/interfaces/interface"));
}

#[test]
fn yang_finds_a_node_and_says_what_every_device_has_there() {
    let leaf7 = "/network-instances/network-instance[name=default]/protocols/protocol[identifier=BGP][name=BGP]/bgp/neighbors/neighbor[neighbor-address=10.0.1.0]/state/session-state";
    let fixture = Fixture::new().with_device("leaf7", |device| {
        Arc::make_mut(&mut device.observed).set(&fixture::path(leaf7), fabric_orchestrator::value::Value::str("ACTIVE"), NOW);
    });
    let mut model = fixture.model(200, 60);
    press(&mut model, "3 /");
    type_text(&mut model, "bgp neighbor session-state");
    has(&model, &["1 hit of 16", "/bgp/neighbors/neighbor/state/session-state"]);
    press(&mut model, "enter");
    let at = model.yang.list.id.clone().unwrap();
    assert_eq!(at.to_string(), leaf7, "the device's own entries are chosen");
    has(
        &model,
        &[
            "observed  ESTABLISHED",
            "desired   -",
            "9 ESTABLISHED · 1 ACTIVE (leaf7)",
            "enumeration",
            "leaf · state · read",
            "module openconfig-network-instance",
        ],
    );
    assert_eq!(press(&mut model, "y"), [Effect::Copy(leaf7.to_owned())]);
    assert_eq!(press(&mut model, "S"), [Effect::Send(Command::Subscribe(Arc::from("spine1"), at.clone()))]);
    assert_eq!(press(&mut model, "G"), [Effect::Send(Command::Get(Arc::from("spine1"), at))]);
    press(&mut model, "c");
    assert!(line(&model, "leaf7 ").contains("ACTIVE"));
    press(&mut model, "esc");
    has(&model, &["observed  ESTABLISHED"]);
}

#[test]
fn enter_on_a_change_opens_its_node() {
    let mut model = Fixture::new().model(120, 40);
    press(&mut model, "down down enter down enter");
    assert_eq!(model.screen, Screen::Yang);
    has(&model, &["description", "rw", "link 11 of le", "desired   link 11 of leaf1"]);
    press(&mut model, "esc");
    assert_eq!(model.screen, Screen::Device);
}

#[test]
fn nodes_that_eos_does_not_support_are_marked_not_hidden() {
    let schema = fixture::schema();
    let node = schema
        .all()
        .find(|id| schema.node(*id).access == fabric_orchestrator::yang::Access::NotSupported && schema.kind(*id).is_leaf())
        .unwrap();
    let mut model = Fixture::new().model(200, 60);
    press(&mut model, "3");
    fabric_orchestrator::tui::screen::yang::show(&mut model, &fixture::path(&schema.node(node).path()));
    has(&model, &["not supported", "not-supported"]);
}

#[test]
fn help_is_filtered_by_typing_and_the_palette_completes() {
    let mut model = Fixture::new().model(120, 40);
    press(&mut model, "?");
    has(&model, &["keys of Fabric", "stage every change"]);
    type_text(&mut model, "clip");
    assert!(!text(&model).contains("stage every change"));
    press(&mut model, "esc :");
    type_text(&mut model, "dev");
    press(&mut model, "tab");
    type_text(&mut model, " leaf5");
    press(&mut model, "enter");
    assert_eq!((model.screen, model.device.as_deref()), (Screen::Device, Some("leaf5")));
    press(&mut model, ": up");
    has(&model, &[":device leaf5"]);
    press(&mut model, "esc :");
    type_text(&mut model, "theme high-contrast");
    press(&mut model, "enter");
    assert_eq!(model.theme.name, "high-contrast");
    press(&mut model, ":");
    type_text(&mut model, "nonsense x");
    press(&mut model, "enter");
    has(&model, &["no command `nonsense x`"]);
}

#[test]
fn escape_goes_one_level_out_until_fabric() {
    let mut model = Fixture::new().model(120, 40);
    press(&mut model, "down down enter p 6");
    for screen in [Screen::Plan, Screen::Device, Screen::Fabric, Screen::Fabric] {
        assert_eq!(press(&mut model, "esc"), []);
        assert_eq!(model.screen, screen);
    }
    assert_eq!(press(&mut model, "q"), [Effect::Send(Command::Quit), Effect::Quit]);
}

#[test]
fn freezing_holds_the_picture_and_says_what_was_held() {
    let mut model = Fixture::new().model(120, 40);
    press(&mut model, "F");
    let calm = Fixture::new().with_device("leaf1", |device| device.changes = Some(Arc::default()));
    update(&mut model, Msg::Snapshot(calm.shared()));
    has(&model, &["FROZEN 1 held"]);
    assert!(line(&model, " leaf1 ").contains("✗ 2"));
    press(&mut model, "F");
    assert!(line(&model, " leaf1 ").contains("✓ 0"));
}

#[test]
fn a_snapshot_that_moves_nothing_drawn_costs_no_frame() {
    let mut model = Fixture::new().model(120, 40);
    model.dirty = false;
    let quiet = Fixture::new().with_device("leaf1", |device| {
        device.last_update = Some(NOW - 200);
        device.counters.updates = 99;
        Arc::make_mut(&mut device.observed).set(
            &fixture::path("/interfaces/interface[name=Ethernet1]/state/counters/in-octets"),
            fabric_orchestrator::value::Value::Uint(7),
            NOW,
        );
    });
    let mut next = (*model.live).clone();
    next.devices = next
        .devices
        .iter()
        .map(|device| {
            if *device.name == *"leaf1" {
                quiet
                    .shared()
                    .devices
                    .iter()
                    .find(|d| *d.name == *"leaf1")
                    .map(|d| {
                        let mut view = (**device).clone();
                        view.last_update = d.last_update;
                        view.counters = d.counters;
                        view.observed = Arc::clone(&d.observed);
                        Arc::new(view)
                    })
                    .unwrap()
            } else {
                Arc::clone(device)
            }
        })
        .collect();
    next.version += 1;
    update(&mut model, Msg::Snapshot(Arc::new(next.clone())));
    assert!(!model.dirty, "counters are not on the Fabric screen");
    let device = Arc::make_mut(next.devices.iter_mut().find(|device| *device.name == *"leaf1").unwrap());
    device.health.evpn = Some((1, 2));
    update(&mut model, Msg::Snapshot(Arc::new(next)));
    assert!(model.dirty, "a session lost is");
}

#[test]
fn an_unchanged_frame_writes_nothing_and_ages_wake_it() {
    let model = Fixture::new().model(120, 40);
    let (mut painter, mut scroll) = (Painter::new(120, 40), Scroll::default());
    let shown = painter.frame(&model, &mut scroll).unwrap();
    assert!(!painter.bytes().is_empty());
    // leaf4 is 125 s old: `2m` until 180 s. Everything live changes later than that, the intent (8 s) at 15 s.
    assert_eq!(shown.wake, Some(7_000));
    painter.frame(&model, &mut scroll).unwrap();
    assert_eq!(painter.bytes(), b"");
}

#[test]
fn too_small_a_terminal_says_so_in_one_line() {
    let model = Fixture::new().armed().model(59, 14);
    let text = text(&model);
    assert!(text.starts_with(" ARMED LAB 13m  dc1 needs 60x15, has 59x14"), "{text}");
    assert_eq!(text.trim().lines().count(), 1);
}

#[test]
fn every_screen_survives_every_size() {
    for columns in [1, 59, 60, 61, 80, 99, 101, 119, 200] {
        for rows in [1, 14, 15, 16, 18, 24, 31, 60] {
            for keys in ["1", "2", "2 tab", "2 t", "2 t t", "3", "4", "4 tab", "5", "6", "7", "?", ":", "/", "C"] {
                let mut model = Fixture::new().staged().armed().model(columns, rows);
                press(&mut model, "down down");
                press(&mut model, keys);
                draw(&model);
            }
        }
    }
}

#[test]
fn ascii_locales_get_ascii_only() {
    for keys in ["1", "2", "2 t", "3", "4", "5", "6", "7", "?"] {
        let mut model = Fixture::new().staged().armed().model_as(120, 40, "dark", Depth::Sixteen, Glyphs::ASCII);
        press(&mut model, "down down");
        press(&mut model, keys);
        let text = text(&model);
        let odd: Vec<char> = text.chars().filter(|c| !c.is_ascii()).collect();
        assert!(odd.is_empty(), "{keys}: {odd:?}\n{text}");
    }
}

const NASTY: &str = "a\u{1b}]52;c;aGk=\u{7}b\u{1b}[31mc\u{9b}2Jd\u{202e}e\u{200d}f\ng\t\u{7f}";

/// Every string a snapshot can hold, made nasty.
fn nasty(text: &str) -> Fixture {
    let mut fixture = Fixture::new().staged();
    let devices: Vec<DeviceView> = fixture.snapshot.devices.iter().map(|device| (**device).clone()).collect();
    fixture.snapshot.devices = devices
        .into_iter()
        .map(|mut device| {
            let name = format!("{}{text}", device.name);
            device.name = Arc::from(name.as_str());
            device.pair = Some(Arc::from(text));
            device.trouble = text.to_owned();
            device.notes = vec![text.to_owned()];
            device.address = text.to_owned();
            device.transport = text.to_owned();
            device.software = Some(text.to_owned());
            device.vtep = Some(text.to_owned());
            device.health.mlag = Some(text.to_owned());
            device.health.problems = vec![text.to_owned()];
            device.changed = Some(ConfigChange { user: text.to_owned(), session: text.to_owned(), time: NOW });
            device.refused_paths = vec![(fixture::path("/a"), text.to_owned())];
            device.foreign = Arc::new(vec![(Arc::new(fixture::path("/a").entry("b", [("k", text)])), text.to_owned())]);
            Arc::make_mut(&mut device.observed).set(
                &fixture::path("/interfaces").entry("interface", [("name", text)]).child("state").child("oper-status"),
                fabric_orchestrator::value::Value::str(text),
                NOW,
            );
            if let Some(changes) = &mut device.changes {
                for change in Arc::make_mut(changes) {
                    change.device = Arc::from(name.as_str());
                    change.entry = text.to_owned();
                    change.warning = text.to_owned();
                    change.desired = Some(fabric_orchestrator::value::Value::str(text));
                    change.path = fixture::path("/x").entry("y", [("z", text)]).child("config");
                }
            }
            Arc::new(device)
        })
        .collect();
    fixture.snapshot.fabric = Arc::from(text);
    fixture.snapshot.environment = Arc::from(text);
    fixture.snapshot.events = Arc::new(vec![Happening {
        time: NOW,
        source: Arc::from(text),
        text: text.to_owned(),
        severity: fabric_orchestrator::diff::change::Severity::Error,
    }]);
    fixture.snapshot.log = Arc::new(vec![LogEntry {
        time: NOW,
        target: Arc::from(text),
        call: text.to_owned(),
        what: text.to_owned(),
        result: text.to_owned(),
        ms: 1,
        copy: text.to_owned(),
    }]);
    let mut plan = (*fixture.snapshot.plan).clone();
    for step in &mut plan.steps {
        step.device = Arc::from(text);
        step.why = text.to_owned();
        step.set.update[0].value = serde_json::json!({ text: text });
        step.set.update[0].path = fixture::path("/x").entry("y", [("z", text)]);
        for change in &mut step.changes {
            change.entry = text.to_owned();
            change.warning = text.to_owned();
        }
    }
    plan.hash = text.to_owned();
    fixture.snapshot.plan = Arc::new(plan.clone());
    fixture.snapshot.staged_plan = Some(Arc::new(plan));
    fixture
}

fn inert(model: &Model) -> Result<(), String> {
    let buffer = draw(model);
    for cell in buffer.content() {
        for c in cell.symbol().chars() {
            let bad =
                c.is_control() || matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}');
            if bad {
                return Err(format!("{c:?} in a cell of {:?}", model.screen));
            }
        }
    }
    if view::title(model).chars().any(char::is_control) {
        return Err("control character in the title".to_owned());
    }
    Ok(())
}

fn every_screen(fixture: &Fixture) -> Result<(), String> {
    for keys in ["1", "2", "2 d", "2 z f", "2 t", "2 t t t t", "3", "4", "4 x", "5", "6", "7", "C", ": d"] {
        let mut model = fixture.model(120, 40);
        press(&mut model, "down down");
        press(&mut model, keys);
        inert(&model)?;
    }
    Ok(())
}

#[test]
fn escapes_of_devices_are_inert_on_every_screen() {
    every_screen(&nasty(NASTY)).unwrap();
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(8))]

    #[test]
    fn no_string_of_a_snapshot_puts_a_control_character_in_a_cell(text in proptest::collection::vec(prop_oneof![any::<char>(), proptest::char::range('\0', '\u{a0}'), proptest::char::range('\u{2000}', '\u{2070}')], 1..40)) {
        let text: String = text.into_iter().collect();
        prop_assert_eq!(every_screen(&nasty(&text)), Ok(()));
    }
}

fn any_key() -> impl Strategy<Value = String> {
    let known: Vec<String> = fabric_orchestrator::tui::keys::rows().flat_map(|row| row.keys).map(|key| (*key).to_owned()).collect();
    prop_oneof![6 => proptest::sample::select(known), 1 => "[a-z!~ ]".prop_map(|key| if key == " " { "space".to_owned() } else { key }), 1 => Just("backspace".to_owned())]
}

#[derive(Clone, Debug)]
enum Doing {
    Key(String),
    Paste(String),
    Size(u16, u16),
    Time(u64),
    Snapshot(usize),
}

fn any_doing() -> impl Strategy<Value = Doing> {
    prop_oneof![
        10 => any_key().prop_map(Doing::Key),
        1 => ".{0,8}".prop_map(Doing::Paste),
        1 => (1u16..140, 1u16..50).prop_map(|(x, y)| Doing::Size(x, y)),
        1 => (0u64..100_000).prop_map(Doing::Time),
        3 => (0usize..6).prop_map(Doing::Snapshot),
    ]
}

fn snapshots() -> Vec<Arc<Snapshot>> {
    let mut empty = Fixture::new();
    empty.snapshot.devices.clear();
    empty.snapshot.plan = Arc::new(fixture::plan(Vec::new(), ""));
    empty.snapshot.log = Arc::default();
    empty.snapshot.events = Arc::default();
    vec![
        Fixture::new().shared(),
        Fixture::new().staged().shared(),
        Fixture::new().staged().armed().shared(),
        empty.shared(),
        nasty(NASTY).shared(),
        Fixture::new().with_device("leaf1", |device| device.changes = None).shared(),
    ]
}

fn doing(model: &mut Model, snapshots: &[Arc<Snapshot>], doing: &Doing) -> Vec<Effect> {
    match doing {
        Doing::Key(key) => update(model, Msg::Press(Key(key.clone()))),
        Doing::Paste(text) => update(model, Msg::Paste(text.clone())),
        Doing::Size(x, y) => update(model, Msg::Resize(*x, *y)),
        Doing::Time(ms) => {
            let now = model.now + ms;
            update(model, Msg::Now(now))
        }
        Doing::Snapshot(at) => update(model, Msg::Snapshot(Arc::clone(&snapshots[*at]))),
    }
}

/// Cells as a terminal shows them: never written is the same as blank.
fn cells(screen: &vt100::Screen, columns: u16, rows: u16) -> Vec<String> {
    (0..rows)
        .flat_map(|y| (0..columns).map(move |x| (x, y)))
        .map(|(x, y)| {
            let cell = screen.cell(y, x).unwrap();
            let contents = if cell.contents().is_empty() { " " } else { cell.contents() };
            format!("{contents} {:?} {:?} {} {} {}", cell.fgcolor(), cell.bgcolor(), cell.bold(), cell.inverse(), cell.underline())
        })
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn whatever_happens_nothing_panics_and_only_an_armed_console_commits(steps in proptest::collection::vec(any_doing(), 1..60)) {
        let snapshots = snapshots();
        let mut model = Fixture::new().model(100, 30);
        for step in &steps {
            let effects = doing(&mut model, &snapshots, step);
            let writes = effects.iter().any(|effect| matches!(effect, Effect::Send(Command::Commit { .. } | Command::Override(_))));
            prop_assert!(!writes || model.armed(), "{step:?}");
            draw(&model);
        }
    }

    #[test]
    fn incremental_bytes_show_the_same_as_a_clean_paint(steps in proptest::collection::vec(any_doing(), 1..30), theme in 0usize..5, depth in 0usize..4) {
        let (columns, rows) = (100, 30);
        let snapshots = snapshots();
        let depth = [Depth::Mono, Depth::Sixteen, Depth::Cube, Depth::True][depth];
        let theme = fabric_orchestrator::tui::theme::BUILT_IN[theme].0;
        crossterm::style::force_color_output(true);
        let mut model = Fixture::new().model_as(columns, rows, theme, depth, Glyphs::UTF8);
        let size = |n: u16| std::num::NonZeroU16::new(n).unwrap();
        let mut live = vt100::Parser::new(size(rows), size(columns), 0);
        let (mut painter, mut scroll) = (Painter::new(columns, rows), Scroll::default());
        for step in steps.iter().filter(|step| !matches!(step, Doing::Size(..))) {
            doing(&mut model, &snapshots, step);
            painter.frame(&model, &mut scroll).unwrap();
            live.process(painter.bytes());
            // The same frame, painted whole on an empty terminal.
            let mut clean = vt100::Parser::new(size(rows), size(columns), 0);
            let mut whole = Vec::new();
            let blank = Buffer::empty(painter.buffer().area);
            ratatui::backend::Backend::draw(&mut ratatui::backend::CrosstermBackend::new(&mut whole), blank.diff(painter.buffer()).into_iter()).unwrap();
            clean.process(&whole);
            let (have, want) = (cells(live.screen(), columns, rows), cells(clean.screen(), columns, rows));
            let first = have.iter().zip(&want).position(|(a, b)| a != b);
            prop_assert_eq!(first, None, "after {:?}: {:?}", step, first.map(|at| (at % 100, at / 100, &have[at], &want[at])));
        }
    }
}

#[test]
fn messages_can_be_written_down_and_played_again() {
    let messages = vec![
        Msg::Now(NOW),
        Msg::Resize(120, 40),
        Msg::Press(Key("down".to_owned())),
        Msg::Press(Key("enter".to_owned())),
        Msg::Paste("x".to_owned()),
        Msg::Go(Screen::Plan),
    ];
    let mut direct = Fixture::new().model(80, 24);
    let mut replayed = Fixture::new().model(80, 24);
    for msg in messages {
        let line = serde_json::to_string(&msg).unwrap();
        update(&mut replayed, serde_json::from_str(&line).unwrap());
        update(&mut direct, msg);
    }
    assert_eq!(text(&direct), text(&replayed));
    assert!(serde_json::to_string(&Msg::Snapshot(Fixture::new().shared())).is_err(), "snapshots are not written down");
}
