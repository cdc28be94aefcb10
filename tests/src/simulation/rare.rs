//! States that are seldom and that a simulation must have been in to mean anything.

macro_rules! rare {
    ($($name:ident => $text:literal,)*) => {
        /// A state worth counting.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub(super) enum Rare { $($name,)* }

        impl Rare {
            pub(super) const ALL: &'static [Self] = &[$(Self::$name,)*];

            pub(super) const fn text(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }
        }
    };
}

rare! {
    CrashAfterPrepare => "crash between the making of an issuer and its commit",
    CrashAfterCrossSign => "crash between cross-signing and its commit",
    CrashAfterTrial => "crash between the trial and the switch",
    CrashInCleanUp => "crash between a clean-up and its commit",
    CrashWhileAwaiting => "crash while a signature from outside is awaited",
    BundleTwoOld => "a leaf needs two links to the root of a bundle in use",
    BundleThreeOld => "a leaf needs three links to the root of a bundle in use",
    StaleView => "a leaf is signed by the view of before a switch",
    StaleViewOfTwo => "a leaf is signed by the view of before two switches",
    LinkForgotten => "a link is forgotten while another is needed",
    RootPruned => "a root is pruned",
    RootBack => "a root that was rotated out comes back",
    SharedKey => "two trusted roots have one key",
    DistrustedAlive => "a root goes in an emergency while leafs of it are alive",
    TooLong => "a change is refused because the path would be too long",
    ForcedShort => "by force the oldest bundles are left behind",
    ForcedUnlinked => "by force no bundle is led to the new root",
    NoCrossSigning => "a change ends because the old provider cannot cross-sign",
    ResultTwice => "a result comes a second time",
    ResultLate => "a result of another epoch or step comes late",
    SwitchAhead => "a switch while the wall clock is ahead",
    SwitchBehind => "a switch while the wall clock is behind",
    ForgetHeld => "forgetting waits because the clock was set",
    RestoreInRotation => "a restore while a rotation is under way",
    RestoreOverSwitch => "a restore of a state that has another root",
    Busy => "a second change is refused while one is under way",
    Renewed => "an intermediate is renewed",
    RenewedLate => "an intermediate is renewed after its end",
    TimedOut => "a step does not succeed within its time",
    GivenUp => "an operator gives a rotation up",
    SignatureWrong => "a wrong intermediate comes back from outside",
    SignedOutside => "an intermediate that was signed outside begins to sign",
    SignatureElsewhere => "an intermediate comes back from outside that stands on another root",
    CaughtRoot => "the guard refuses a root that has changed",
    CaughtOtherRoot => "the guard refuses an intermediate under another root",
    CaughtLongCa => "the guard refuses a CA's certificate that lives too long",
    CaughtLongLeaf => "the guard refuses a leaf that lives too long",
    CaughtLinkKey => "the guard refuses a link for another key",
    CaughtLinkName => "the guard refuses a link for another name",
    CaughtLeafKey => "the guard refuses a leaf for another key",
    CaughtLeafName => "the guard refuses a leaf for another service",
    CaughtLeafCa => "the guard refuses a leaf that is a CA",
    CaughtForged => "the guard refuses a forged signature",
    Retried => "a provider answers when it is asked again",
    NoAnswer => "a provider does not answer within its deadline",
    LeftAlone => "a provider that fails is left alone for a while",
    WorksAgain => "a provider that was left alone answers again",
    Limited => "a leaf is refused because of the limit on signatures",
    BoundLowered => "a root is rotated out while bundles of a longer bound are in use",
}
