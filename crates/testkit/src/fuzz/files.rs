//! Files that people write: worlds and configurations. They are taken, or refused with a place and a reason.

use std::path::Path;

use latchkey::config::Config;
use latchkey::config::listen::ListenFlags;
use latchkey::world::World;

/// A world is taken or refused; neither ends the program.
pub(super) fn world(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    if let Err(problem) = World::parse(&text, Path::new("world.toml")) {
        assert!(problem.to_string().contains("world.toml"), "a refusal names its file");
    }
}

/// A configuration is taken or refused; neither ends the program.
pub(super) fn configuration(data: &[u8]) {
    let text = String::from_utf8_lossy(data).into_owned();
    let read = Config::parse("latchkey.toml".to_owned(), text, Path::new("/nowhere"), &ListenFlags::default());
    if let Err(problem) = read {
        assert!(problem.to_string().contains("latchkey.toml"), "a refusal names its file");
    }
}
