# Reads `readelf --sections --relocs --wide OBJECT`, and prints the options for objcopy that put the
# sections of the functions in `list`, and the constants that they refer to, side by side.
#
#   readelf … | awk -v sections=yes -v list=FILE -f names.awk -f order.awk
#
# Each function and each constant has its own section. The linker's default script places
# `.text.unlikely.*`, `.text.startup.*`, `.text.hot.*`, other code, `.rodata.*`, `.rodata1` in this
# order. Unlikely code moves to the other code, so that what every start runs comes right after the C
# library's start code, followed by what a start with a database runs.

BEGIN {
    place = ".text.startup."
    while ((getline name < list) > 0) {
        if (name ~ /^# with a database/) place = ".text.hot."
        wanted[name] = place
    }
}

/^ *\[ *[0-9]+\] \./ {
    sub(/^ *\[ *[0-9]+\] /, "")
    section = $1
    name = section
    if (sub(/^\.text\.(unlikely\.)?/, "", name)) {
        if (plain(name) in wanted) {
            place = wanted[plain(name)]
            rename(section, place name)
            if (place ~ /startup/) is_hot[section] = 1
        } else if (section ~ /^\.text\.unlikely\./) {
            rename(section, ".text." name)
        }
    } else if (sub(/^\.rodata\.(unlikely\.)?/, "", name) && wanted[plain(name)] ~ /startup/) {
        need(section) # a function's jump table
    }
}

# If a relocation's target has no name, its symbol is the section.
/^Relocation section / {
    from = $3
    gsub(/^'\.rela|'$/, "", from)
    next
}
$5 ~ /^\.rodata\./ {
    if (from in is_hot)
        need($5)
    else if (from ~ /^\.rodata\./)
        refers[from] = refers[from] " " $5
}

END {
    # Constants that refer to constants: function tables, texts in structures.
    for (next_one = 1; next_one <= needed; next_one++) {
        count = split(refers[queue[next_one]], found, " ")
        for (i = 1; i <= count; i++)
            need(found[i])
    }
    for (i = 1; i <= needed; i++)
        rename(queue[i], ".rodata1")
}

function need(section) {
    if (section in is_needed) return
    is_needed[section] = 1
    queue[++needed] = section
}

function rename(section, to) {
    print "--rename-section " section "=" to
}
