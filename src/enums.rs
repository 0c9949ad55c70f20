//! A macro for enums that are walked through: the compiler keeps the list of variants complete.

/// Declares an enum without fields, and `ALL`, every variant in the order of the declaration.
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
}
