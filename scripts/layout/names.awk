# Strips names of functions of what changes with every compiler and crate version: hashes, and the back
# references that count their characters (RFC 2603).
#
#   awk -f names.awk <names

function plain(name) {
    sub(/\.llvm\.[0-9]+$/, "", name)
    sub(/17h[0-9a-f]+E$/, "E", name)
    gsub(/Cs[0-9A-Za-z]+_/, "C", name)
    gsub(/B[0-9A-Za-z]*_/, "B", name)
    return name
}

sections == "" { print plain($0) }
