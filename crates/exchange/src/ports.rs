//! What the exchange asks of the world: somewhere to keep its command log.

/// An append-only log of numbered records, owned by one writer.
///
/// Records are opaque bytes. The sequence numbers rise by one from the first. The implementation guards each record
/// against damage and drops an unfinished one at its end when it is opened.
pub trait Journal {
    /// Adds a record to the batch in progress; it need not be durable yet.
    ///
    /// # Errors
    /// See [`JournalError`]. After an error the writer must not go on.
    fn append(&mut self, sequence: u64, record: &[u8]) -> Result<(), JournalError>;

    /// Makes everything appended so far durable, in one step.
    ///
    /// # Errors
    /// See [`JournalError`]. After an error it is unknown what survived, and the writer must not go on.
    fn commit(&mut self) -> Result<(), JournalError>;

    /// Hands over every durable record from `sequence` on, in order, and stops at the first error of `each`.
    ///
    /// # Errors
    /// Those of the log and those of `each`.
    fn read_from(&mut self, sequence: u64, each: &mut EachRecord<'_>) -> Result<(), JournalError>;

    /// Lets go of records up to `sequence`, as far as that can be done at no great cost: a snapshot has them.
    ///
    /// # Errors
    /// Those of the log, which is whole all the same: the writer may go on.
    fn forget(&mut self, sequence: u64) -> Result<(), JournalError>;
}

/// What is done with each record that is read: its number and its bytes.
pub type EachRecord<'a> = dyn FnMut(u64, &[u8]) -> Result<(), JournalError> + 'a;

/// What can go wrong with a command log.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// The storage below failed.
    #[error("the journal's storage failed")]
    Storage(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// A record other than the next one.
    #[error("the journal has record {found} where {expected} belongs")]
    Gap {
        /// The sequence number that should follow.
        expected: u64,
        /// The one that was found.
        found: u64,
    },
    /// A record that this build cannot read.
    #[error("record {sequence} of the journal cannot be read")]
    Record {
        /// Which.
        sequence: u64,
        /// Why.
        #[source]
        source: crate::DecodeError,
    },
    /// A record of the wrong kind for its place.
    #[error("record {sequence} of the journal does not belong there")]
    Misplaced {
        /// Which.
        sequence: u64,
    },
    /// A logged command that the core refused: log and core are not of one kind.
    #[error("record {sequence} of the journal was refused in replay: {refusal}")]
    Refused {
        /// Which.
        sequence: u64,
        /// Why.
        refusal: crate::Refusal,
    },
    /// The recorded settings do not make an exchange.
    #[error("the journal's settings cannot be used")]
    Settings(#[source] crate::SettingsError),
    /// The writer met an error before and stopped.
    #[error("the journal's writer has stopped after an error")]
    Stopped,
}
