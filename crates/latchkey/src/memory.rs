//! Keeps secrets that are in memory out of files.

use rustix::process::{DumpableBehavior, Resource, Rlimit, set_dumpable_behavior, setrlimit};

/// Lets no core file of this process be written and no other process of the same user read its memory, from here on.
pub fn keep_out_of_files() {
    let none = Rlimit { current: Some(0), maximum: Some(0) };
    if let Err(error) =
        setrlimit(Resource::Core, none).and_then(|()| set_dumpable_behavior(DumpableBehavior::NotDumpable))
    {
        tracing::warn!(%error, "a crash may write a core file, which holds secrets");
    }
}
