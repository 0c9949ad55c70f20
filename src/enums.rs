//! A macro for enums that are walked through: the compiler keeps the list of variants complete.

/// Declares an enum without fields, and `ALL`, every variant in the order of the declaration. If each
/// variant has a word, it can be written and read by it.
macro_rules! enum_with_all {
    ($(#[$meta:meta])* $vis:vis enum $name:ident { $($(#[$doc:meta])* $variant:ident,)+ }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        $vis enum $name {
            $($(#[$doc])* $variant,)+
        }

        impl $name {
            /// Every one.
            $vis const ALL: [Self; [$($name::$variant),+].len()] = [$($name::$variant),+];
        }
    };
    ($(#[$meta:meta])* $vis:vis enum $name:ident { $($(#[$doc:meta])* $variant:ident = $word:literal,)+ }) => {
        enum_with_all! {
            $(#[$meta])*
            $vis enum $name {
                $($(#[$doc])* $variant,)+
            }
        }

        impl $name {
            /// Its word.
            $vis const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $word,)+
                }
            }

            /// The one that a word names.
            $vis fn named(word: &str) -> Option<Self> {
                Self::ALL.into_iter().find(|one| one.as_str() == word)
            }
        }
    };
}
