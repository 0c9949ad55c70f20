//! Files of random statements.
//!
//! "A failure names file, line and the database's words." (contract, section 10)
//!
//! `PROPTEST_CASES` and `PROPTEST_RNG_SEED` set the number of files and the first one, as for the tests of
//! `tests/fuzz`.

use std::env;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::{Config, RngSeed, TestRunner};

use crate::common::{Db, Scene, on_each};
use crate::folder::Migrations;
use crate::npm_tools::{DBMATE, run};

/// Statements, with everything that hides a semicolon from a splitter.
const ANY: &[&str] = &[
    "select 1;\n",
    "select 1; select 2;\n",
    "select\n1\n;\n",
    "select ';';\n",
    "select 'it''s;\n';\n",
    "-- a; '\n",
    "/* ;\n' */\n",
    "select /* ; */ 1 -- ;\n;\n",
    "\n",
    "  \r\n",
];

fn statements(db: &Db) -> Vec<&'static str> {
    let own: &[&str] = match db {
        Db::Postgres(..) => &[
            "do $$ begin\nperform 1; end $$;\n",
            "select $a$;\n$$;$a$;\n",
            "select 1 as a$$; select 2 as b$$;\n",
            "select E'\\';';\n",
            "select 1 /* /* ; */ ; */;\n",
            "select 1 as \"a;\";\n",
        ],
        Db::Maria(_) => &[
            "select 'a\\';';\n",
            "select \"a\\\";\";\n",
            "select 1 # ;\n;\n",
            "select 5--1;\n",
            "select 1 as `a;`;\n",
            "/*! select 1 */;\n",
        ],
        Db::Sqlite(_) => &[
            "select '\\';\n",
            "select 1 as [a;], 2 as `b;`;\n",
            "create temp table if not exists z (x);\ncreate temp trigger if not exists zz after insert on z begin\n\
             select 1; select case when 1 then 2 end;\nend;\n",
        ],
    };
    [ANY, own].concat()
}

/// As many random values as the environment says, `usual` where it says nothing.
pub(crate) fn random<S: Strategy>(values: &S, usual: u32) -> Vec<S::Value> {
    let rng_seed = match env::var_os("PROPTEST_RNG_SEED") {
        Some(_) => Config::default().rng_seed,
        None => RngSeed::Fixed(1),
    };
    let cases = env::var("PROPTEST_CASES").map_or(usual, |_| Config::default().cases / 20);
    let mut runner = TestRunner::new(Config {
        rng_seed,
        ..Config::default()
    });
    (0..cases)
        .map(|_| values.new_tree(&mut runner).expect("a value").current())
        .collect()
}

fn the_line_that_failed_is_named(db: &Db) {
    let scene = Scene::new(db);
    let files = Migrations::new(&scene);
    let lines = vec(select(statements(db)), 0..12);
    for (number, (before, after)) in random(&(lines.clone(), lines), 8).into_iter().enumerate() {
        let before = format!("-- migrate:up\n{}", before.concat());
        let line = before.matches('\n').count() + 1;
        let text = format!(
            "{before}select * from nowhere;\n{}-- migrate:down\n",
            after.concat()
        );
        files.write("1_a.sql", &text);
        let gate = scene.bare(&format!("v{number}"));
        let mut replica = gate.args(["--sql", "migrations"]).start();
        replica.ends_with(65);
        replica.says(&format!("migrations/1_a.sql:{line}: "));
    }
}
on_each!(the_line_that_failed_is_named: each);

/// A file that dbmate accepts is applied to the same schema, and one that it refuses is refused.
#[test]
fn random_files_have_the_effect_that_dbmate_gives_them() {
    let piece = select(vec![
        "-- migrate:up\n",
        "-- migrate:up transaction:false\n",
        "-- migrate:down\n",
        "--migrate:down\n",
        "create table aN (x text);\n",
        "create table bN (x text default ';');\n",
        "create trigger cN after insert on l begin\nselect 1; end;\n",
        "insert into l values ('N; it''s');\n",
        "insert into l values ('N'); -- ;\n",
        "insert into l values (';\n-- migrate:up\n');\n",
        "bogus;\n",
        "-- ;\n",
        "/* ;\n */\n",
        "\r\n",
        "  \n",
    ]);
    let file = vec(piece, 0..5);
    for texts in random(&vec(file, 1..4), 12) {
        let [mine, theirs] = [Db::sqlite(), Db::sqlite()];
        let scenes = [&mine, &theirs].map(Scene::new);
        for scene in &scenes {
            let files = Migrations::new(scene);
            files.write(
                "0_l.sql",
                "-- migrate:up\ncreate table l (x);\n-- migrate:down\n",
            );
            for (number, text) in texts.iter().enumerate() {
                let number = number + 1;
                let text = text.concat().replace('N', &number.to_string());
                let text = format!("-- migrate:up\n{text}-- migrate:down\n");
                files.write(&format!("{number}_m.sql"), &text);
            }
        }
        let (is_accepted, said) = run(&DBMATE, &scenes[1]);
        let gate = scenes[0].bare("v1").args(["--sql", "migrations"]);
        let mut replica = gate.start();
        replica.ends_with(if is_accepted { 0 } else { 65 });
        // A file whose sections dbmate can't read is refused here before any is applied.
        if is_accepted {
            let dump = "select type, name, sql from sqlite_master where tbl_name not in ('launchgate_runs', 'schema_migrations') \
                        order by name; select x from l order by rowid; select version from schema_migrations order by version";
            assert_eq!(mine.sql(dump), theirs.sql(dump), "{texts:?}: {said}");
        }
    }
}
