#!/bin/sh
# The server and the migrations of the image with a Debian root; program.c is its twin for
# the image FROM scratch and says what each mode does.
case "$1" in
migrate)
    printf 1 >/data/schema
    echo migrated
    ;;
fail)
    echo this migration fails
    exit 3
    ;;
slow)
    trap 'sleep 1; printf "rolled back" >/data/schema; echo rolled back; exit 1' TERM
    printf half >/data/schema
    echo half way
    while :; do
        sleep 1000 &
        wait
    done
    ;;
serve)
    trap 'echo served; exit 7' TERM
    # cat and tr are no children of ours while they are looked for: read is a builtin.
    read -r children </proc/1/task/1/children
    command=$(tr '\0' ' ' </proc/1/cmdline)
    echo "serving pid=$$ command=[${command% }] children=[$children]"
    while :; do
        sleep 1000 &
        wait
    done
    ;;
*) exit 64 ;;
esac
